import ArgumentParser
import Compute
import Foundation
import MCAP
import Planning
import Policy
import Robotics
import Sampling

struct BenchRobotsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "robots",
        abstract: "Measure the chunks of several robots that ask at once: in turn and planned together.",
        discussion: """
            Plans the chunks of as many robots in turn, sequentially and by quasi-Newton sampling, and together: one pass of \
            the network takes a step of every one of them. In turn the mean chunk is there sooner than the last; together all \
            are there at the end. The last column is what the daemon does with so many that wait, without a budget. The \
            deviation is the largest difference of a chunk from the same one planned together, in normalised units, where the \
            actions span 2. For a PushT policy the histories are those of simulated episodes, for another the middle of its \
            normalisation.
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

    private struct Report: Encodable {
        struct Result: Encodable {
            let method: String
            let window: Int
            let precision: String
            let kernel: String
            let robots: Int
            /// Until the last chunk is there, in turn.
            let inTurnMsP50: Double
            let inTurnMsP99: Double
            /// Until a chunk is there, in turn, in the mean over the robots.
            let inTurnMeanMsP50: Double
            /// Until all chunks are there, together; nil for one robot.
            let togetherMsP50: Double?
            let togetherMsP99: Double?
            let deviationMax: Float?
            let daemonPlansTogether: Bool
        }
        let policy: String
        let solver: String
        let steps: Int
        let threads: Int
        let runs: Int
        let results: [Result]
    }

    /// A planner, for so many robots: one line of the result.
    private struct Kind {
        let planner: Int
        let robots: Int
        var measured: [Measured] = []
    }

    private struct Measured {
        /// From the beginning until each robot's chunk is there, in milliseconds.
        var inTurn: [Double]
        var together: Double?
        var deviation: Float?
    }

    func run() throws {
        let bundle = try PolicyOptions.loadToRun(policy, threads: threads, networks: 2 * precision.count + 1)
        let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
        var planners: [PolicyPlanner] = []
        var kernels: [Kernel] = []
        for precision in precision {
            let kernel = try precision.kernel()
            for method in [.sequential, ParallelMethod.quasiNewton.settings(window: window, tolerance: nil)] {
                var settings = bundle.configuration.defaultSettings
                if let solver { settings.solver = solver }
                if let steps { settings.numInferenceSteps = steps }
                settings.method = method
                let planner = try Failure.asInput {
                    try PolicyPlanner(
                        bundle: bundle,
                        settings: settings,
                        threads: threads,
                        kernel: kernel,
                        maximumGroup: max(robots.max() ?? 1, 2),
                        calibrations: .standard(warn: Console.warn)
                    )
                }
                planners.append(planner)
                kernels.append(kernel)
            }
        }
        let requests = try makeRequests(bundle: bundle, threads: threads)
        var kinds = planners.indices.flatMap { planner in
            robots.map { Kind(planner: planner, robots: $0) }
        }
        _ = try measurement.milliseconds(of: Array(kinds.indices)) { index in
            let run = max(kinds[index].measured.count - measurement.warmUp, 0)
            let asked = (0..<kinds[index].robots).map { requests[(run + $0) % requests.count] }
            let measured = try Failure.asRun { try measure(asked, planner: &planners[kinds[index].planner]) }
            kinds[index].measured.append(measured)
        }

        let sampler = planners[0].sampler
        let report = Report(
            policy: bundle.name,
            solver: sampler.solver,
            steps: sampler.steps,
            threads: threads,
            runs: measurement.runs,
            results: kinds.map { result(of: $0, planners[$0.planner], kernels[$0.planner]) }
        )
        if json { try Console.json(report) } else { show(report) }
    }

    /// What robots ask for, each from a history of its own.
    private func makeRequests(bundle: PolicyBundle, threads: Int) throws -> [PlanningRequest] {
        guard let robot = RobotID("bench") else { preconditionFailure("the id is a valid one") }
        let network = try Failure.asInput {
            try bundle.network(
                timesteps: Array(0..<bundle.configuration.numTrainTimesteps),
                maximumBatch: 1,
                threads: threads
            )
        }
        let histories = try Failure.asRun {
            try BenchmarkHistories.collect(
                max(measurement.runs, Grouping.largest),
                bundle: bundle,
                network: network
            )
        }
        return histories.enumerated().map { index, history in
            PlanningRequest(
                robot: robot,
                episode: .number(0),
                sequence: UInt64(index),
                history: history,
                noiseSeed: seed &+ UInt64(index)
            )
        }
    }

    private func measure(_ requests: [PlanningRequest], planner: inout PolicyPlanner) throws -> Measured {
        let clock = ContinuousClock()
        var measured = Measured(inTurn: [])
        var chunks: [PlannedChunk] = []
        var start = clock.now
        for request in requests {
            chunks.append(try planner.plan(request))
            measured.inTurn.append((clock.now - start) / .milliseconds(1))
        }
        guard requests.count > 1 else { return measured }
        start = clock.now
        let together = planner.plan(together: requests)
        measured.together = (clock.now - start) / .milliseconds(1)
        measured.deviation = try zip(together, chunks).map { together, chunk in
            let together = try together.get()
            return planner.deviation(
                of: together.actions + together.beyond,
                from: chunk.actions + chunk.beyond
            )
        }.max()
        return measured
    }

    private func result(of kind: Kind, _ planner: PolicyPlanner, _ kernel: Kernel) -> Report.Result {
        let measured = kind.measured.suffix(measurement.runs)
        let inTurn = Percentiles(measured.compactMap(\.inTurn.last))
        let means = Percentiles(measured.map { $0.inTurn.reduce(0, +) / Double(kind.robots) })
        let together = measured.compactMap(\.together)
        let percentiles = together.isEmpty ? nil : Percentiles(together)
        return Report.Result(
            method: planner.sampler.method.rawValue,
            window: planner.sampler.window,
            precision: kernel.precision.rawValue,
            kernel: kernel.description,
            robots: kind.robots,
            inTurnMsP50: inTurn[50],
            inTurnMsP99: inTurn[99],
            inTurnMeanMsP50: means[50],
            togetherMsP50: percentiles?[50],
            togetherMsP99: percentiles?[99],
            deviationMax: measured.compactMap(\.deviation).max(),
            daemonPlansTogether: (planner.grouping?.size(waiting: kind.robots, budgetNs: nil) ?? 1) > 1
        )
    }

    private func show(_ report: Report) {
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
            "deviation",
            "the daemon"
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
                result.deviationMax.map { fixed(Double($0), 6) } ?? "",
                result.robots == 1 ? "" : result.daemonPlansTogether ? "together" : "in turn"
            )
        }
        table.print()
    }
}
