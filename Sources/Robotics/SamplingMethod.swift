/// How a sampler takes its denoising steps.
public enum SamplingMethod: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    /// One denoising step after the other.
    case sequential
    /// A window of denoising steps at once, by quasi-Newton iteration.
    case quasiNewton = "quasi-newton"
    /// A window of denoising steps at once, by Picard iteration: ParaDiGMS (Shih et al. 2023).
    case paradigms

    /// As messages write it.
    public var description: String { rawValue }
}

/// How near a chunk is to the one that the sequential method gives.
public enum ChunkQuality: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    /// It is that chunk.
    case exact
    /// It is that chunk within the method's tolerance.
    case converged
    /// It is another chunk: it started from the robot's last one, re-noised to a middle timestep, and not from noise alone.
    case warm
    /// It was finished in coarse steps, to keep the latency budget.
    case coarse

    /// As messages write it.
    public var description: String { rawValue }
}
