/// A way to carry out a solver's steps. Called dynamically once for each sample; its loop is not.
protocol SamplingAlgorithm {
    /// The most entries that it evaluates at once for a sample.
    var maximumBatch: Int { get }

    /// Takes a guess of the next sample's result, of shape [sampleCount], as far as it is within -`limit` ... `limit`.
    mutating func guess(_ x0: Span<Float>, limit: Float)

    /// Draws the context's samples. Stops early if only a coarse finish would still fit, or if a pass was given up. Each
    /// pass offers its predicted result to the context.
    ///
    /// - Parameters:
    ///   - noise: [samples, N + 1, sampleCount].
    ///   - sample: [samples, sampleCount]; receives the samples that the next step would start from.
    /// - Returns: How many of the solver's steps were taken: N unless it stopped early.
    mutating func sample(
        in context: inout SamplingContext<some NoisePredictor>,
        noise: Span<Float>,
        into sample: inout MutableSpan<Float>
    ) -> Int
}

extension SamplingAlgorithm {
    mutating func guess(_ x0: Span<Float>, limit: Float) {}
}
