/// How the daemon samples.
public struct SamplerDescription: Sendable, Hashable {
    /// The solver: `ddpm`, `ddim` or `dpmsolver++`.
    public var solver: String
    /// The number of denoising steps.
    public var steps: Int
    /// How it takes its denoising steps.
    public var method: SamplingMethod
    /// The window of a parallel method; 1 if sequential.
    public var window: Int
    /// The tolerance of a parallel method, in its own unit; 0 if sequential.
    public var tolerance: Double
    /// What computes the network: precision and instruction set.
    public var kernel: String
    /// The time from an observation's receipt to its chunk that is kept, in milliseconds; 0 if none is.
    public var budgetMs: Double

    /// A sampler with these settings.
    public init(
        solver: String,
        steps: Int,
        method: SamplingMethod,
        window: Int = 1,
        tolerance: Double = 0,
        kernel: String,
        budgetMs: Double = 0
    ) {
        self.solver = solver
        self.steps = steps
        self.method = method
        self.window = window
        self.tolerance = tolerance
        self.kernel = kernel
        self.budgetMs = budgetMs
    }
}
