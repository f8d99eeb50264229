/// How a sample was computed.
public struct SamplingReport: Hashable, Sendable {
    /// Batched calls of the predictor, one after the other.
    public let parallelIterations: Int
    /// (sample, timestep) pairs evaluated, over all iterations.
    public let modelEvaluations: Int
    /// The largest batch: 1 for the sequential sampler, else the window in use, at most the number of steps.
    public let window: Int
    /// The tolerance asked for, in standard deviations of a step's noise; 0 for the sequential sampler.
    public let tolerance: Float
    /// The largest change that was neglected: that of a sample in the sweep whose next sample was accepted although it
    /// had been stepped from the guess before that change. The root mean square over the sample's dimensions, in
    /// standard deviations of the step's noise. At most `tolerance`; 0 for the sequential sampler.
    public let residual: Float

    /// Creates a report from its parts.
    public init(
        parallelIterations: Int,
        modelEvaluations: Int,
        window: Int,
        tolerance: Float,
        residual: Float
    ) {
        self.parallelIterations = parallelIterations
        self.modelEvaluations = modelEvaluations
        self.window = window
        self.tolerance = tolerance
        self.residual = residual
    }
}
