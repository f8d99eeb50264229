/// A way to carry out a solver's steps. Called dynamically once for each sample, or for several together; its loop is not.
protocol SamplingAlgorithm {
    /// The most entries that it evaluates at once for a sample.
    var window: Int { get }

    /// Draws the context's samples. Stops early if only a coarse finish would still fit, or if a pass was given up. Each
    /// pass offers its predicted results to the context. The context's progress tells how far each sample has come.
    ///
    /// - Parameters:
    ///   - noise: [samples, N + 1, sampleSize].
    ///   - guess: a guess of the results, [samples, sampleSize], or nothing. Methods that start from the noise alone ignore it.
    ///   - sample: [samples, sampleSize]; receives the samples that the next step would start from.
    @_lifetime(sample: copy sample)
    mutating func sample(
        in context: inout SamplingContext<some NoisePredictor>,
        noise: Span<Float>,
        guess: Span<Float>,
        into sample: inout MutableSpan<Float>
    )
}
