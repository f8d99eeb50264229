/// A pass of the network while a chunk was sampled.
public struct SamplingPass: Sendable, Hashable {
    /// The earliest denoising step that was evaluated; step 0 starts from the initial noise.
    public var firstStep: Int
    /// The step after the latest that was evaluated.
    public var endStep: Int
    /// How many steps were evaluated: at most `endStep` - `firstStep`, fewer if some were left out.
    public var evaluations: Int
    /// How long the pass took, in nanoseconds. A pass may be for the chunks of several robots.
    public var durationNs: UInt64

    /// A pass over the steps `firstStep` ..< `endStep`.
    public init(firstStep: Int, endStep: Int, evaluations: Int, durationNs: UInt64) {
        self.firstStep = firstStep
        self.endStep = endStep
        self.evaluations = evaluations
        self.durationNs = durationNs
    }
}
