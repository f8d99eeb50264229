import ArgumentParser
import Benchmarking
import Foundation
import Planning
import Policy
import Sampling

struct BenchRobotsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "robots",
        abstract: "Measure the chunks of several robots that ask at once: in turn and planned together.",
        discussion: """
            Plans the chunks of as many robots in turn and together, sequentially and by quasi-Newton sampling: together, one \
            pass of the network has a denoising step of each of them, or its window. In turn the mean chunk is there sooner \
            than the last; together all are there at the end. The ratio is the median over the runs of the time together to \
            that of the mean chunk in turn, in the same run: below 1, together is sooner. The last column is what the daemon \
            does with so many that wait, without a budget. The deviation is the largest difference of a chunk from the same \
            one planned together, in normalised units, where the actions span 2. For a PushT policy the histories are those \
            of simulated episodes, for another the middle of its normalisation. Frames of cameras are new each time, so both \
            times include encoding them.
            """
    )

    @Option(help: PolicyOptions.help)
    var policy: String

    @Option(
        help: ArgumentHelp("Numbers of robots, separated by commas.", valueName: "n,..."),
        transform: { text in
            try commaSeparated(text, option: "--robots", expected: "numbers in 1...\(Grouping.largest)") {
                Int($0).flatMap { (1...Grouping.largest).contains($0) ? $0 : nil }
            }
        }
    )
    var robots = [1, 2, 4, 8]

    @Option(
        help: ArgumentHelp("The window of quasi-Newton sampling: a number, or auto.", valueName: "w|auto")
    )
    var window = WindowChoice.auto

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
        help: ArgumentHelp("Seed of the first chunk's noise. Default: 0.", valueName: "s"),
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

    func run() throws {
        let bundle = try PolicyOptions.loadToRun(
            policy,
            threads: threads,
            networks: 2 * precision.count + 1
        )
        let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
        var settings = bundle.configuration.defaultSettings
        if let solver { settings.solver = solver }
        if let steps { settings.numInferenceSteps = steps }
        let kernels = try precision.map { try $0.kernel() }
        var benchmark = try Failure.asInput {
            try RobotsBenchmark(
                bundle: bundle,
                settings: settings,
                methods: {
                    [
                        .sequential,
                        ParallelMethod.quasiNewton.settings(window: window, tolerance: nil, on: $0),
                    ]
                },
                kernels: kernels,
                robots: robots,
                threads: threads,
                calibrations: .shown()
            )
        }
        let report = try Failure.asRun { try benchmark.run(measurement.measured, seed: seed) }
        if json { try Console.json(report) } else { show(report) }
    }

    private func show(_ report: RobotsBenchmark.Report) {
        Console.result(
            "\(report.policy): \(report.solver), \(report.steps) steps, \(report.threads) threads, \(report.runs) runs\n"
        )
        var table = Table(
            "kernel",
            "in turn by",
            "robots",
            "last ms",
            "p99",
            "mean chunk",
            "together ms",
            "p99",
            "ratio",
            "deviation",
            "the daemon",
            keys: 3
        )
        for result in report.results {
            table.add(
                result.kernel,
                result.method,
                String(result.robots),
                fixed(result.inTurnMsP50, 2),
                fixed(result.inTurnMsP99, 2),
                fixed(result.inTurnMeanMsP50, 2),
                result.togetherMsP50.map { fixed($0, 2) } ?? "",
                result.togetherMsP99.map { fixed($0, 2) } ?? "",
                result.togetherRatioP50.map { fixed($0, 2) } ?? "",
                result.deviationMax.map { fixed(Double($0), 6) } ?? "",
                result.robots == 1 ? "" : result.daemonPlansTogether ? "together" : "in turn"
            )
        }
        table.print()
    }
}
