import Compute
import Networks
import Policy
import Sampling
import Statistics
import Tuning

/// What `bench chunk` measures: the time of a chunk by every method in every precision, and by how much it differs from the
/// sequential one in single precision. Frames of cameras are new to the policy in every run.
package struct ChunkBenchmark {
    package struct Report: Encodable {
        package struct Result: Encodable {
            package let solver: String
            package let steps: Int
            package let method: String
            package let window: Int
            package let tolerance: Float
            package let precision: String
            package let kernel: String
            package let threads: Int
            package let runs: Int
            package let msP10: Double
            package let msP50: Double
            package let msP90: Double
            package let msP99: Double
            /// Of it, decoding and encoding the frames of a history that are all new; nil: the policy has no cameras.
            package let visionMsP50: Double?
            package let visionMsP99: Double?
            /// The same if only the newest frames are new, because those before were encoded when they came.
            package let newestVisionMsP50: Double?
            package let newestVisionMsP99: Double?
            package let iterationsMean: Double
            package let evaluationsMean: Double
            package let evaluationsMax: Int
            package let deviationMean: Double
            package let deviationP90: Double
            package let deviationMax: Double
        }
        package let policy: String
        package let results: [Result]
    }

    /// What was measured of a chunk.
    private struct Measured {
        let chunk: ActionChunk
        let milliseconds: Double
        /// For the newest frames alone; nil: the policy has no cameras.
        let newestVisionMilliseconds: Double?
    }

    private let bundle: PolicyBundle
    private let network: UNet1D
    private let reference: DiffusionPolicy
    /// One for each line of the result.
    private var policies: [DiffusionPolicy] = []

    /// Makes the policies.
    ///
    /// - Parameters:
    ///   - settings: how chunks are sampled but for the method.
    ///   - methods: to compare, on a kernel.
    ///   - largestWindow: of the methods.
    /// - Throws: `PolicyError` for weights or settings that cannot be used.
    package init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        methods: (Kernel) -> [SamplerSettings.Method],
        kernels: [Kernel],
        largestWindow: Int,
        threads: Int,
        calibrations: CalibrationCache
    ) throws {
        func makeNetwork(_ kernel: Kernel) throws -> UNet1D {
            try bundle.network(
                timesteps: Array(0..<bundle.configuration.numTrainTimesteps),
                maximumBatch: max(largestWindow, 32),
                threads: threads,
                kernel: kernel
            )
        }
        self.bundle = bundle
        var own = settings
        own.method = .sequential
        // The precisions' networks are shared by their methods, and the first has the reference.
        network = try makeNetwork(.exact)
        reference = try DiffusionPolicy(bundle: bundle, settings: own, network: network)
        for kernel in kernels {
            let network = kernel == .exact ? network : try makeNetwork(kernel)
            for method in methods(kernel) {
                own.method = method
                let policy = try DiffusionPolicy(
                    bundle: bundle,
                    settings: own,
                    network: network,
                    calibrations: calibrations
                )
                policies.append(policy)
            }
        }
    }

    /// Measures.
    ///
    /// - Parameters:
    ///   - startsWarm: starts from the chunk before in the episode, if there is one.
    ///   - seed: of the first run's noise.
    package func run(_ runs: MeasuredRuns, startsWarm: Bool, seed: UInt64) throws -> Report {
        func request(_ plan: BenchmarkHistories.Plan, run: Int) -> SamplingRequest {
            SamplingRequest(
                history: BenchmarkHistories.withNewFrames(plan.history),
                noise: .seed(seed &+ UInt64(max(run, 0)))
            )
        }
        let plans = try BenchmarkHistories.plans(runs.count, bundle: bundle, network: network)
        let measured = try runs.results(of: policies) { policy, run in
            let plan = plans[max(run, 0)]
            var request = request(plan, run: run)
            if startsWarm, let previous = plan.previousPrediction {
                request.guess = .init(from: previous, elapsedSteps: bundle.configuration.nActionSteps)
            }
            return try measure(request, by: policy)
        }
        let references = try plans.enumerated().map { run, plan in
            try reference.sample(request(plan, run: run)).prediction
        }
        let results = zip(policies, measured).map { policy, measured in
            result(of: policy, measured: measured, references: references)
        }
        return Report(policy: bundle.name, results: results)
    }

    private func measure(_ request: SamplingRequest, by policy: DiffusionPolicy) throws -> Measured {
        let (chunk, milliseconds) = try timed { try policy.sample(request) }
        guard !policy.cameras.isEmpty else {
            return Measured(chunk: chunk, milliseconds: milliseconds, newestVisionMilliseconds: nil)
        }
        // After the chunk: the caches hold the network then, as they do when a robot's next frame comes.
        let history = BenchmarkHistories.withNewFrames(request.history)
        let ((), newest) = try timed {
            for camera in policy.cameras.indices {
                try policy.encodeNewestFrame(of: history, camera: camera)
            }
        }
        return Measured(chunk: chunk, milliseconds: milliseconds, newestVisionMilliseconds: newest)
    }

    private func result(
        of policy: DiffusionPolicy,
        measured: [Measured],
        references: [[Float]]
    ) -> Report.Result {
        let percentiles = Percentiles(measured.map(\.milliseconds))
        let deviations = zip(measured, references).map { measured, reference in
            Double(policy.deviation(of: measured.chunk.prediction, from: reference))
        }
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        func ifAny(_ values: [Double]) -> Percentiles? { values.isEmpty ? nil : Percentiles(values) }
        let vision = ifAny(measured.compactMap { $0.chunk.visionDuration.map { $0 / .milliseconds(1) } })
        let newestVision = ifAny(measured.compactMap(\.newestVisionMilliseconds))
        let reports = measured.map(\.chunk.report)
        let settings = policy.settings
        return Report.Result(
            solver: settings.solver.rawValue,
            steps: settings.numInferenceSteps,
            method: settings.method.name,
            window: reports[0].window,
            tolerance: reports[0].tolerance,
            precision: policy.kernel.precision.rawValue,
            kernel: policy.kernel.description,
            threads: policy.threads,
            runs: measured.count,
            msP10: percentiles[10],
            msP50: percentiles[50],
            msP90: percentiles[90],
            msP99: percentiles[99],
            visionMsP50: vision?[50],
            visionMsP99: vision?[99],
            newestVisionMsP50: newestVision?[50],
            newestVisionMsP99: newestVision?[99],
            iterationsMean: mean(reports.map { Double($0.parallelIterations) }),
            evaluationsMean: mean(reports.map { Double($0.modelEvaluations) }),
            evaluationsMax: reports.map(\.modelEvaluations).max() ?? 0,
            deviationMean: mean(deviations),
            deviationP90: Percentiles(deviations)[90],
            deviationMax: deviations.max() ?? 0
        )
    }
}
