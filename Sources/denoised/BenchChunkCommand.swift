import ArgumentParser
import Benchmarking
import Compute
import Foundation
import Policy
import Sampling

struct BenchChunkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chunk",
        abstract: "Measure the time of an action chunk, sequential and in parallel, and what that changes.",
        discussion: """
            Measures the sequential sampler next to quasi-Newton sampling at each --window, and next to ParaDiGMS as \
            published at windows 8 and 20. With --method it measures that method alone at each --window, a window of one step \
            included. Every run has an observation history and noise of its own: for a PushT policy the histories are those of \
            simulated episodes, for another the middle of its normalisation. The kinds take turns. With cameras, a chunk's time \
            includes decoding and encoding all frames of its history (vision); newest is what the newest frames alone take, \
            because those before are encoded when they come. The deviation is the largest difference from the sequential chunk \
            in f32 for the same history and noise, in normalised units, where the actions span 2.
            """
    )

    @Option(help: PolicyOptions.help)
    var policy: String

    @Option(
        help: ArgumentHelp(
            """
            Windows, separated by commas: numbers or auto. Without --method, 1 is sequential sampling, which is measured in any \
            case. Default: 8,20,auto; with --method paradigms 8,20.
            """,
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
    var window: [WindowChoice]?

    @Option(
        help: ArgumentHelp(
            """
            The one way to sample in parallel that is measured: quasi-newton, or paradigms, the published form, for which \
            windows are numbers. Default: quasi-newton at each window, and paradigms at 8 and 20.
            """,
            valueName: "m"
        )
    )
    var method: ParallelMethod?

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
        help: ArgumentHelp(
            """
            The deviation that quasi-Newton sampling may have, estimated; default 0.005, and 0.01 for int8 on AVX2. With \
            --method paradigms: a sample's change, in standard deviations of its step's noise; default 0.1.
            """,
            valueName: "t"
        )
    )
    var tolerance: Float?

    @Flag(
        help: """
            Start quasi-Newton sampling from the chunk before it in the episode, if there is one; for a PushT policy.
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
        if method == .paradigms, windows.contains(.auto) {
            throw ValidationError("--window is auto, expected numbers with --method paradigms")
        }
    }

    func run() throws {
        let bundle = try PolicyOptions.loadToRun(
            policy,
            threads: threads,
            networks: precision.count + 1
        )
        if warmStart { _ = try Failure.asInput { try PushTFeatures(of: bundle) } }
        var settings = bundle.configuration.defaultSettings
        if let solver { settings.solver = solver }
        if let steps { settings.numInferenceSteps = steps }
        let kernels = try precision.map { try $0.kernel() }
        let benchmark = try Failure.asInput {
            try ChunkBenchmark(
                bundle: bundle,
                settings: settings,
                methods: methods(on:),
                kernels: kernels,
                largestWindow: windows.compactMap(\.steps).max() ?? 1,
                threads: threads ?? ProcessInfo.processInfo.activeProcessorCount,
                calibrations: .shown()
            )
        }
        let report = try Failure.asRun {
            try benchmark.run(measurement.measured, startsWarm: warmStart, seed: seed)
        }
        if json {
            try Console.json(report)
        } else {
            show(report)
        }
    }

    private var windows: [WindowChoice] {
        window ?? (method == .paradigms ? [.steps(8), .steps(20)] : [.steps(8), .steps(20), .auto])
    }

    /// The sequential sampler, then each window's.
    private func methods(on kernel: Kernel) -> [SamplerSettings.Method] {
        func settings(_ method: ParallelMethod, _ choice: WindowChoice, _ tolerance: Float?)
            -> SamplerSettings.Method
        {
            method.settings(window: choice, tolerance: tolerance, on: kernel)
        }
        if let method { return [.sequential] + windows.map { settings(method, $0, tolerance) } }
        var methods = [SamplerSettings.Method.sequential]
        for choice in windows where choice != .steps(1) {
            methods.append(settings(.quasiNewton, choice, tolerance))
            if choice == .steps(8) || choice == .steps(20) {
                methods.append(settings(.paradigms, choice, nil))
            }
        }
        return methods
    }

    private func show(_ report: ChunkBenchmark.Report) {
        let first = report.results[0]
        Console.result(
            "\(report.policy): \(first.solver), \(first.steps) steps, \(first.threads) threads, \(first.runs) runs\n"
        )
        // A policy without cameras has no such columns.
        let hasVision = first.visionMsP50 != nil
        var table = Table(
            ["kernel", "method", "window", "median ms", "p10", "p90", "p99"]
                + (hasVision ? ["vision", "p99", "newest", "p99"] : [])
                + ["iterations", "evaluations", "most", "deviation", "p90", "worst"],
            keys: 3
        )
        for result in report.results {
            var times = [result.msP50, result.msP10, result.msP90, result.msP99]
            let vision = [result.visionMsP50, result.visionMsP99]
            let newest = [result.newestVisionMsP50, result.newestVisionMsP99]
            times += (vision + newest).compactMap(\.self)
            var cells = [result.kernel, result.method, String(result.window)]
            cells += times.map { fixed($0, 2) }
            cells += [fixed(result.iterationsMean, 1), fixed(result.evaluationsMean, 1)]
            cells += ["\(result.evaluationsMax)"]
            let deviations = [result.deviationMean, result.deviationP90, result.deviationMax]
            table.add(cells + deviations.map { fixed($0, 4) })
        }
        table.print()
    }
}

extension WindowChoice {
    /// The number that was given, if one was.
    fileprivate var steps: Int? {
        if case .steps(let steps) = self { steps } else { nil }
    }
}
