import ArgumentParser
import Benchmarking
import Daemon
import Foundation
import Logging
import Planning
import Policy
import Robotics

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

    @Option(help: PolicyOptions.help)
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

    func run() throws {
        let bundle = try PolicyOptions.loadToRun(
            policy,
            threads: sampler.threads,
            in: .embeddedDaemon
        )
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
        let bar = ProgressBar("measuring")
        let results = try budgets.enumerated().map { index, budget in
            try measure(budget: budget, bundle: bundle, observations: observations) { measured in
                bar.advance(to: index * chunks + measured, of: budgets.count * chunks)
            }
        }
        let report = BudgetBenchmark.Report(
            policy: bundle.name,
            kernel: try sampler.kernel().description,
            results: results
        )
        if json {
            try Console.json(report)
        } else {
            show(report)
        }
    }

    private func measure(
        budget: Double,
        bundle: PolicyBundle,
        observations: [Observation],
        progress: (Int) -> Void
    ) throws -> BudgetBenchmark.Report.Result {
        var options = sampler
        options.budgetMs = budget
        var configuration = DaemonConfiguration.embedded()
        configuration.budget = options.budget
        configuration.logger = Logger(level: .warning, writer: Console.log)
        let planner = try PolicyPlanner.factory(bundle: bundle, sampler: options)
        let daemon = try Failure.asRun { try Daemon(configuration: configuration, makePlanner: planner) }
        defer { daemon.stop() }
        return try Failure.asRun {
            try BudgetBenchmark(observations: observations, chunks: chunks)
                .measure(daemon, budgetMs: budget, progress: progress)
        }
    }

    private func show(_ report: BudgetBenchmark.Report) {
        Console.result("\(report.policy); \(report.kernel); \(chunks) chunks for each budget\n")
        // A policy without cameras has no such columns.
        let hasVision = report.results.contains { $0.visionMsP50 != nil }
        var table = Table(
            ["budget ms", "late", "median ms", "p99", "max"] + (hasVision ? ["vision", "p99"] : [])
                + ["exact", "converged", "coarse", "coarse steps"]
        )
        for result in report.results {
            var times = [result.msP50, result.msP99, result.msMax]
            times += [result.visionMsP50, result.visionMsP99].compactMap(\.self)
            var cells = [fixed(result.budgetMs, 0), String(result.late)]
            cells += times.map { fixed($0, 2) }
            cells += [String(result.exact), String(result.converged), String(result.coarse)]
            table.add(cells + [fixed(result.coarseStepsMean, 1)])
        }
        table.print()
        showLate(report)
    }

    /// The longest of the late chunks and what held them up.
    private func showLate(_ report: BudgetBenchmark.Report) {
        guard report.results.contains(where: { $0.late > 0 }) else { return }
        Console.result("\nlate, the \(Self.shownLate) longest of each budget; --json has all\n")
        let hasVision = report.results.contains { $0.visionMsP50 != nil }
        var table = Table(
            ["budget ms", "chunk", "ms", "waited"] + (hasVision ? ["vision"] : [])
                + ["sampled", "encoded", "passes", "coarse steps"],
            keys: 2
        )
        for result in report.results {
            for chunk in result.lateChunks.sorted(by: { $0.ms > $1.ms }).prefix(Self.shownLate) {
                let times = [chunk.ms, chunk.queueMs, chunk.visionMs, chunk.sampleMs, chunk.encodeMs]
                var cells = [fixed(result.budgetMs, 0), String(chunk.index)]
                cells += times.compactMap(\.self).map { fixed($0, 2) }
                table.add(cells + [String(chunk.iterations), String(chunk.coarseSteps)])
            }
        }
        table.print()
    }

    private static let shownLate = 5
}
