import Compute
import Networks
import Policy
import Sampling
import Tuning

/// What `bench chunk` measures: the time of a chunk by every method in every precision, and by how much it differs from the
/// sequential one in single precision.
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
            package let iterationsMean: Double
            package let evaluationsMean: Double
            package let deviationMean: Double
            package let deviationMax: Double
        }
        package let policy: String
        package let results: [Result]
    }

    /// One line of the result, and what was measured for it.
    private struct Kind {
        let policy: DiffusionPolicy
        var chunks: [ActionChunk] = []
    }

    private let bundle: PolicyBundle
    private let network: UNet1D
    private let reference: DiffusionPolicy
    private var kinds: [Kind] = []

    /// Makes the policies.
    ///
    /// - Parameters:
    ///   - settings: how chunks are sampled but for the method.
    ///   - largestWindow: of the methods.
    /// - Throws: `PolicyError` for weights or settings that cannot be used.
    package init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        methods: [SamplerSettings.Method],
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
            for method in methods {
                own.method = method
                let policy = try DiffusionPolicy(
                    bundle: bundle,
                    settings: own,
                    network: network,
                    calibrations: calibrations
                )
                kinds.append(Kind(policy: policy))
            }
        }
    }

    /// Measures.
    ///
    /// - Parameters:
    ///   - startsWarm: starts from the chunk before in the episode, if there is one.
    ///   - seed: of the first run's noise.
    package mutating func run(
        _ runs: MeasuredRuns,
        startsWarm: Bool,
        seed: UInt64
    ) throws -> Report {
        func noiseSeed(_ run: Int) -> UInt64 { seed &+ UInt64(max(run, 0)) }
        let plans = try BenchmarkHistories.plans(runs.count, bundle: bundle, network: network)
        let times = try runs.milliseconds(of: Array(kinds.indices)) { index in
            let run = kinds[index].chunks.count - runs.warmUp
            let plan = plans[max(run, 0)]
            let guess = startsWarm ? plan.previousPrediction : nil
            let request = SamplingRequest(
                history: plan.history,
                noise: .seed(noiseSeed(run)),
                guess: guess.map { .init(from: $0, elapsedSteps: bundle.configuration.nActionSteps) }
            )
            kinds[index].chunks.append(try kinds[index].policy.sample(request))
        }
        let references = try plans.enumerated().map { run, plan in
            try reference.sample(SamplingRequest(history: plan.history, noise: .seed(noiseSeed(run))))
                .prediction
        }
        let results = zip(kinds, times).map { kind, times in
            result(of: kind, times: times, references: references)
        }
        return Report(policy: bundle.name, results: results)
    }

    private func result(of kind: Kind, times: [Double], references: [[Float]]) -> Report.Result {
        let percentiles = Percentiles(times)
        let measured = Array(kind.chunks.suffix(times.count))
        let deviations = zip(measured, references).map { chunk, reference in
            Double(kind.policy.deviation(of: chunk.prediction, from: reference))
        }
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        let settings = kind.policy.settings
        return Report.Result(
            solver: settings.solver.rawValue,
            steps: settings.numInferenceSteps,
            method: settings.method.name,
            window: measured[0].report.window,
            tolerance: measured[0].report.tolerance,
            precision: kind.policy.kernel.precision.rawValue,
            kernel: kind.policy.kernel.description,
            threads: kind.policy.threads,
            runs: times.count,
            msP10: percentiles[10],
            msP50: percentiles[50],
            msP90: percentiles[90],
            msP99: percentiles[99],
            iterationsMean: mean(measured.map { Double($0.report.parallelIterations) }),
            evaluationsMean: mean(measured.map { Double($0.report.modelEvaluations) }),
            deviationMean: mean(deviations),
            deviationMax: deviations.max() ?? 0
        )
    }
}
