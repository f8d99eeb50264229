import Tuning
import ArgumentParser
import Compute
import Networks
import Foundation
import MCAP
import Planning
import Policy
import Sampling

struct BenchChunkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chunk",
        abstract: "Measure the time of an action chunk, sequential and in parallel, and what that changes.",
        discussion: """
            Measures the sequential sampler next to quasi-Newton sampling at each --window, and next to ParaDiGMS as \
            published at windows 8 and 20. Every run has an observation history and noise of its own: for a PushT policy \
            the histories are those of simulated episodes, for another the middle of its normalisation. The kinds take \
            turns. The deviation is the largest difference from the sequential chunk in f32 for the same history and \
            noise, in normalised units, where the actions span 2.
            """
    )

    @Option(
        help: ArgumentHelp(
            "The policy: a LeRobot diffusion checkpoint, or the folder of its training run or hub cache.",
            valueName: "dir"
        )
    )
    var policy: String

    @Option(
        help: ArgumentHelp(
            "Windows, separated by commas: numbers, 1 for sequential alone, or auto.",
            valueName: "w,..."
        ),
        transform: { text in
            try commaSeparated(text, option: "--window", expected: "numbers in 1...1000 or auto") { part in
                WindowChoice(argument: part).flatMap { choice in
                    if case .steps(let window) = choice, !(1...1000).contains(window) { nil } else { choice }
                }
            }
        }
    )
    var window = [WindowChoice.steps(8), .steps(20), .auto]

    @Option(
        help: ArgumentHelp("Precisions, separated by commas: f32, bf16, int8 or auto.", valueName: "p,..."),
        transform: PrecisionChoice.list
    )
    var precision = [PrecisionChoice.f32]

    @Option(help: "Solver: ddpm, ddim or dpmsolver++. Default: the policy's own.")
    var solver: Solver?

    @Option(help: ArgumentHelp("Denoising steps. Default: the policy's own.", valueName: "n"))
    var steps: Int?

    @Option(
        help: ArgumentHelp("The deviation that quasi-Newton sampling may have, estimated.", valueName: "t")
    )
    var tolerance: Float = ParallelMethod.quasiNewton.defaultTolerance

    @Flag(
        help: """
            Start quasi-Newton sampling from the chunk before it in the episode, where there is one; for a PushT policy.
            """
    )
    var warmStart = false

    @Option(
        help: ArgumentHelp("Seed of the first run's noise. Default: 0.", valueName: "s"),
        transform: Seed.read
    )
    var seed: UInt64 = 0

    @Option(help: ArgumentHelp("Threads for the network. Default: one for each core.", valueName: "n"))
    var threads: Int?

    @OptionGroup
    var measurement: MeasurementOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if let threads, !(1...256).contains(threads) {
            throw ValidationError("--threads is \(threads), expected 1...256")
        }
    }

    private struct Report: Encodable {
        struct Result: Encodable {
            let solver: String
            let steps: Int
            let method: String
            let window: Int
            let tolerance: Float
            let precision: String
            let kernel: String
            let threads: Int
            let runs: Int
            let msP10: Double
            let msP50: Double
            let msP90: Double
            let msP99: Double
            let iterationsMean: Double
            let evaluationsMean: Double
            let deviationMean: Double
            let deviationMax: Double
        }
        let policy: String
        let results: [Result]
    }

    /// One line of the result, and what was measured for it.
    private struct Kind {
        let policy: DiffusionPolicy
        var chunks: [ActionChunk] = []
    }

    func run() throws {
        let bundle = try PolicyOptions.loadToRun(policy, threads: threads, networks: precision.count + 1)
        if warmStart, let refusal = bundle.pushTRefusal { throw refusal }
        let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
        var own = bundle.configuration.defaultSettings
        if let solver { own.solver = solver }
        if let steps { own.numInferenceSteps = steps }
        own.method = .sequential

        // The precisions' networks are shared by their methods, and the first has the reference.
        let exact = try makeNetwork(bundle, kernel: .exact, threads: threads)
        let reference = try Failure.asInput {
            try DiffusionPolicy(bundle: bundle, settings: own, network: exact)
        }
        var kinds: [Kind] = []
        for precision in precision {
            let kernel = try precision.kernel()
            let network = kernel == .exact ? exact : try makeNetwork(bundle, kernel: kernel, threads: threads)
            for method in methods {
                var settings = own
                settings.method = method
                let policy = try Failure.asInput {
                    try DiffusionPolicy(
                        bundle: bundle,
                        settings: settings,
                        network: network,
                        calibrations: .standard(warn: Console.warn)
                    )
                }
                kinds.append(Kind(policy: policy))
            }
        }

        let plans = try Failure.asRun {
            try BenchmarkHistories.plans(measurement.runs, bundle: bundle, network: exact)
        }
        let times = try measurement.milliseconds(of: Array(kinds.indices)) { index in
            let run = kinds[index].chunks.count - measurement.warmUp
            let plan = plans[max(run, 0)]
            let guess = warmStart ? plan.previousPrediction : nil
            let request = SamplingRequest(
                history: plan.history,
                noise: .seed(noiseSeed(run)),
                guess: guess.map { .init(from: $0, elapsedSteps: bundle.configuration.nActionSteps) }
            )
            let chunk = try Failure.asRun { try kinds[index].policy.sample(request) }
            kinds[index].chunks.append(chunk)
        }
        let references = try plans.enumerated().map { run, plan in
            try Failure.asRun {
                try reference.sample(
                    SamplingRequest(history: plan.history, noise: .seed(noiseSeed(run)))
                ).prediction
            }
        }

        let results = zip(kinds, times).map { kind, times in
            result(of: kind, times: times, references: references)
        }
        let report = Report(policy: bundle.name, results: results)
        if json {
            try Console.json(report)
        } else {
            show(report)
        }
    }

    private func noiseSeed(_ run: Int) -> UInt64 { seed &+ UInt64(max(run, 0)) }

    /// The sequential sampler, then each window's.
    private var methods: [SamplerSettings.Method] {
        var methods = [SamplerSettings.Method.sequential]
        for choice in window where choice != .steps(1) {
            methods.append(ParallelMethod.quasiNewton.settings(window: choice, tolerance: tolerance))
            if choice == .steps(8) || choice == .steps(20) {
                methods.append(ParallelMethod.paradigms.settings(window: choice, tolerance: nil))
            }
        }
        return methods
    }

    private func makeNetwork(_ bundle: PolicyBundle, kernel: Kernel, threads: Int) throws -> UNet1D {
        let windows = window.compactMap { choice -> Int? in
            if case .steps(let window) = choice { window } else { nil }
        }
        return try Failure.asInput {
            try bundle.network(
                timesteps: Array(0..<bundle.configuration.numTrainTimesteps),
                maximumBatch: max(windows.max() ?? 1, 32),
                threads: threads,
                kernel: kernel
            )
        }
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

    private func show(_ report: Report) {
        let first = report.results[0]
        Console.result(
            "\(report.policy): \(first.solver), \(first.steps) steps, \(first.threads) threads, \(first.runs) runs\n"
        )
        var table = Table(
            "kernel",
            "method",
            "window",
            "median ms",
            "p10",
            "p90",
            "p99",
            "iterations",
            "evaluations",
            "deviation",
            "worst"
        )
        for result in report.results {
            table.add(
                result.kernel,
                result.method,
                String(result.window),
                fixed(result.msP50, 2),
                fixed(result.msP10, 2),
                fixed(result.msP90, 2),
                fixed(result.msP99, 2),
                fixed(result.iterationsMean, 1),
                fixed(result.evaluationsMean, 1),
                fixed(result.deviationMean, 4),
                fixed(result.deviationMax, 4)
            )
        }
        table.print()
    }
}
