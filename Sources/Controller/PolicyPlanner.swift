import Denoiser
import Policy
import Sampling
import Wire

/// A diffusion policy as the daemon's planner.
public struct PolicyPlanner: ChunkPlanner {
    /// The policy's features and sizes.
    public let policy: InfoMessage.Policy
    /// How it samples.
    public let sampler: InfoMessage.Sampler
    private let diffusion: DiffusionPolicy

    /// Builds the policy, and samples one chunk so that the first robot does not wait for memory to be touched.
    ///
    /// - Parameters:
    ///   - settings: how chunks are sampled.
    ///   - threads: threads for the network.
    ///   - kernel: what computes it.
    ///   - locksWeights: keeps the weights in memory where the system allows it.
    ///   - calibrations: where what the sampler measures is looked up and kept.
    /// - Throws: `PolicyError` for weights or settings that cannot be used.
    public init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        threads: Int,
        kernel: Kernel = .exact,
        locksWeights: Bool = false,
        calibrations: CalibrationCache? = nil
    ) throws(PolicyError) {
        let configuration = bundle.configuration
        self.diffusion = try DiffusionPolicy(
            bundle: bundle,
            settings: settings,
            threads: threads,
            kernel: kernel,
            locksWeights: locksWeights,
            calibrations: calibrations
        )
        self.policy = InfoMessage.Policy(
            name: bundle.name,
            features: bundle.observationFeatures.map { InfoMessage.Feature(name: $0.name, count: $0.count) },
            horizon: configuration.horizon,
            nObsSteps: configuration.nObsSteps,
            nActionSteps: configuration.nActionSteps,
            actionDim: configuration.actionDim
        )
        self.sampler = InfoMessage.Sampler(diffusion.settings, kernel: kernel)
        // What comes of this chunk does not matter, not even whether it is finite.
        var history = makeHistory()
        try? history.append(bundle.middleObservation)
        _ = try? plan(history: history, noiseSeed: 0)
    }

    /// An empty history of what the policy observes.
    public func makeHistory() -> ObservationHistory { diffusion.makeHistory() }

    /// Samples a chunk.
    ///
    /// - Throws: `ActionChunkError` where the result is not finite.
    public func plan(history: ObservationHistory, noiseSeed: UInt64) throws -> PlannedChunk {
        let chunk = try diffusion.actionChunk(for: history, seed: noiseSeed)
        return PlannedChunk(
            actions: chunk.actions,
            sampling: ChunkMessage.Sampling(
                solver: sampler.solver,
                steps: sampler.steps,
                method: sampler.method,
                window: chunk.report.window,
                tolerance: Double(chunk.report.tolerance),
                iterations: chunk.report.parallelIterations,
                evaluations: chunk.report.modelEvaluations,
                residual: Double(chunk.report.residual)
            ),
            conditionNs: chunk.conditionDuration.nanoseconds,
            sampleNs: chunk.samplingDuration.nanoseconds
        )
    }
}

extension InfoMessage.Sampler {
    /// Settings as messages name them.
    init(_ settings: SamplerSettings, kernel: Kernel) {
        self.init(
            solver: settings.solver.rawValue,
            steps: settings.numInferenceSteps,
            method: settings.method.name,
            window: min(settings.method.window ?? 1, settings.numInferenceSteps),
            tolerance: Double(settings.method.tolerance),
            kernel: kernel.description
        )
    }
}

extension Duration {
    /// Whole nanoseconds; 0 for a negative duration.
    fileprivate var nanoseconds: UInt64 { UInt64(max(self / .nanoseconds(1), 0)) }
}
