import ArgumentParser
import Daemon
import Foundation
import Logging
import MCAP
import Planning
import Policy
import Robotics
import Transport

struct BenchBudgetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "budget",
        abstract: "Measure whether chunks keep a latency budget, and what they are worth under it.",
        discussion: """
            Runs a daemon for each budget, asks it for chunks one after the other and looks at the time from an \
            observation's receipt to its chunk. For a PushT policy the observations are those of simulated episodes, for \
            another the middle of its normalisation.
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
        help: ArgumentHelp("Budgets in milliseconds, separated by commas.", valueName: "ms,..."),
        transform: { text in
            try commaSeparated(text, option: "--budgets", expected: "numbers in 1...60000") { part in
                Double(part).flatMap { (1...60_000).contains($0) ? $0 : nil }
            }
        }
    )
    var budgets = [20.0, 40, 60, 100, 200]

    @Option(help: ArgumentHelp("Chunks for each budget.", valueName: "n"))
    var chunks = 200

    @OptionGroup
    var sampler: SamplerOptions

    @Flag(help: "Print one JSON object, with the stages of each late chunk.")
    var json = false

    func validate() throws {
        guard (1...1_000_000).contains(chunks) else {
            throw ValidationError("--chunks is \(chunks), expected 1...1000000")
        }
        if sampler.budgetMs != nil {
            throw ValidationError("--budget-ms is one budget, expected --budgets here")
        }
        try sampler.checkWindowIsGiven()
    }

    private struct Report: Encodable {
        /// A chunk that came too late, for the question why: the machine stops programs in fits, or all the time.
        struct LateChunk: Encodable {
            /// Which of the chunks, from 0.
            let index: Int
            let ms: Double
            /// Of it, waiting for the planner, sampling, and what follows until it is packed.
            let queueMs: Double
            let sampleMs: Double
            let encodeMs: Double
            let iterations: Int
            let coarseSteps: Int
        }
        struct Result: Encodable {
            let budgetMs: Double
            let chunks: Int
            let late: Int
            let msP50: Double
            let msP99: Double
            let msMax: Double
            let exact: Int
            let converged: Int
            let coarse: Int
            let coarseStepsMean: Double
            let lateChunks: [LateChunk]
        }
        let policy: String
        let kernel: String
        let results: [Result]
    }

    func run() throws {
        let bundle = try PolicyOptions.loadToRun(policy, threads: sampler.threads, in: .embeddedDaemon)
        let network = try Failure.asInput {
            try bundle.network(
                timesteps: Array(0..<bundle.configuration.numTrainTimesteps),
                maximumBatch: 1,
                threads: sampler.threadCount,
                kernel: sampler.kernel()
            )
        }
        let observations = try Failure.asRun {
            try BenchmarkHistories.collect(min(chunks, 200), bundle: bundle, network: network)
        }.compactMap(\.observations.last)
        let results = try budgets.map { try measure(budget: $0, bundle: bundle, observations: observations) }
        let report = Report(policy: bundle.name, kernel: try sampler.kernel().description, results: results)
        if json {
            try Console.json(report)
        } else {
            show(report)
        }
    }

    private func measure(
        budget: Double,
        bundle: PolicyBundle,
        observations: [Observation]
    ) throws -> Report.Result {
        var options = sampler
        options.budgetMs = budget
        var configuration = DaemonConfiguration.embedded()
        configuration.budget = options.budget
        configuration.logger = Logger(level: .warning, writer: Console.log)
        let planner = try PolicyPlanner.factory(bundle: bundle, sampler: options)
        let daemon = try Failure.asRun { try Daemon(configuration: configuration, makePlanner: planner) }
        defer { daemon.stop() }
        guard let robot = RobotID("bench") else { preconditionFailure("the id is a valid one") }
        let client = try Failure.asRun {
            try RobotClient(robot: robot, endpoints: try daemon.start(), context: daemon.context)
        }

        var measured: [RobotChunk] = []
        // The first finds sockets and caches new.
        for index in -1..<chunks {
            let message = RobotObservation(
                robot: robot,
                episode: .number(UInt64(index + 1)),
                sequence: 0,
                timeNs: Clock.monotonicNs(),
                values: observations[max(index, 0) % observations.count].values
            )
            if index < 0 {
                _ = try Failure.asRun { try client.chunk(for: message, timeout: .seconds(120)) }
                continue
            }
            // Asked for once only, now that both sides have joined: a repeated observation is planned again.
            try Failure.asRun { try client.publish(message) }
            let deadline = ContinuousClock.now + .seconds(120)
            while let chunk = try Failure.asRun({ try client.nextChunk(until: deadline) }) {
                guard chunk.episode == message.episode else { continue }
                measured.append(chunk)
                break
            }
        }

        let times = measured.map { Double($0.timing.stages.total) / 1e6 }
        let percentiles = Percentiles(times)
        let coarse = measured.map(\.sampling.coarseSteps).filter { $0 > 0 }
        return Report.Result(
            budgetMs: budget,
            chunks: measured.count,
            late: times.count { $0 > budget },
            msP50: percentiles[50],
            msP99: percentiles[99],
            msMax: percentiles[100],
            exact: measured.count { $0.sampling.quality == .exact },
            converged: measured.count { $0.sampling.quality == .converged },
            coarse: coarse.count,
            coarseStepsMean: coarse.isEmpty ? 0 : Double(coarse.reduce(0, +)) / Double(coarse.count),
            lateChunks: measured.enumerated().filter { times[$0.offset] > budget }.map { index, chunk in
                let stages = chunk.timing.stages
                return Report.LateChunk(
                    index: index,
                    ms: times[index],
                    queueMs: Double(stages.queue) / 1e6,
                    sampleMs: Double(stages.sample) / 1e6,
                    encodeMs: Double(stages.encode) / 1e6,
                    iterations: chunk.sampling.iterations,
                    coarseSteps: chunk.sampling.coarseSteps
                )
            }
        )
    }

    private func show(_ report: Report) {
        Console.result("\(report.policy); \(report.kernel); \(chunks) chunks for each budget\n")
        var table = Table(
            "budget ms",
            "late",
            "median ms",
            "p99",
            "max",
            "exact",
            "converged",
            "coarse",
            "coarse steps"
        )
        for result in report.results {
            table.add(
                fixed(result.budgetMs, 0),
                String(result.late),
                fixed(result.msP50, 2),
                fixed(result.msP99, 2),
                fixed(result.msMax, 2),
                String(result.exact),
                String(result.converged),
                String(result.coarse),
                fixed(result.coarseStepsMean, 1)
            )
        }
        table.print()
        showLate(report)
    }

    /// The longest of the late chunks and what held them up.
    private func showLate(_ report: Report) {
        guard report.results.contains(where: { $0.late > 0 }) else { return }
        Console.result("\nlate, the \(Self.shownLate) longest of each budget; --json has all\n")
        var table = Table(
            "budget ms",
            "chunk",
            "ms",
            "waited",
            "sampled",
            "encoded",
            "passes",
            "coarse steps"
        )
        for result in report.results {
            for chunk in result.lateChunks.sorted(by: { $0.ms > $1.ms }).prefix(Self.shownLate) {
                table.add(
                    fixed(result.budgetMs, 0),
                    String(chunk.index),
                    fixed(chunk.ms, 2),
                    fixed(chunk.queueMs, 2),
                    fixed(chunk.sampleMs, 2),
                    fixed(chunk.encodeMs, 2),
                    String(chunk.iterations),
                    String(chunk.coarseSteps)
                )
            }
        }
        table.print()
    }

    private static let shownLate = 5
}
