/// What a sample is in comparison with the sequential sampler's.
public enum SamplingQuality: Hashable, Sendable {
    /// The sequential sample itself.
    case exact
    /// The sequential sample within the tolerance asked for.
    case converged
    /// A sample of its own: it started from a guess that was re-noised to a middle timestep, and not from noise alone. From there
    /// on it is the sequential sample, or that within the tolerance asked for.
    case warm
    /// A sample of its own, finished in so many coarse steps because there was no time for more.
    case coarse(steps: Int)
}

/// How a sample was computed.
public struct SamplingReport: Hashable, Sendable {
    /// Batched calls of the predictor, one after the other. A batch that is too large for the predictor, of samples that are
    /// drawn together, counts once.
    public internal(set) var parallelIterations: Int
    /// (sample, timestep) pairs evaluated, over all iterations.
    public internal(set) var modelEvaluations: Int
    /// How the solver's steps were carried out.
    public let method: SamplerSettings.Method
    /// The largest batch: 1 for the sequential sampler, else the window in use, at most the number of steps.
    public let window: Int
    /// The tolerance asked for, in the method's own units; 0 for the sequential sampler.
    public var tolerance: Float { method.tolerance }
    /// Size of what was neglected; 0 for the sequential sampler.
    ///
    /// ParaDiGMS: the largest change of a sample in a sweep that accepted the next sample from the older guess; at most
    /// `tolerance`. The root mean square over the sample's dimensions, in standard deviations of the step's noise.
    /// Quasi-Newton: the estimated deviation from the sequential sample, the root of the sum of the squares of what each
    /// neglected displacement may add.
    public internal(set) var residual: Float
    /// What the sample is worth.
    public internal(set) var quality: SamplingQuality

    /// Creates a report from its parts.
    public init(
        parallelIterations: Int,
        modelEvaluations: Int,
        method: SamplerSettings.Method,
        window: Int,
        residual: Float,
        quality: SamplingQuality
    ) {
        self.parallelIterations = parallelIterations
        self.modelEvaluations = modelEvaluations
        self.method = method
        self.window = window
        self.residual = residual
        self.quality = quality
    }
}

extension SamplingReport {
    /// Of a sample that has not begun.
    package static let nothing = SamplingReport(
        parallelIterations: 0,
        modelEvaluations: 0,
        method: .sequential,
        window: 1,
        residual: 0,
        quality: .exact
    )
}
