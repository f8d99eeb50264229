import ArgumentParser
import Benchmarking
import Drawing
import Foundation
import MCAP
import Planning
import PushT
import Motion
import Sampling

struct BenchRealtimeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "realtime",
        abstract:
            "Score PushT episodes whose world does not wait, by how chunks are asked for and joined, and by delay.",
        discussion: """
            The schedule of `sim --realtime` on a virtual clock: a control step is 100 ms of a time that stands still while \
            the planner works, and a chunk arrives as much of that time after its observation as planning it really took, \
            plus the delay. Episodes so take as long as their planning, and go as they would by the wall clock.

            lock-step: the world waits for every chunk. synchronous: the robot asks when its actions have run out and \
            holds its last target until the chunk is there. The others ask so early that the chunk is there in time, and \
            differ in how they go over to it: receding at once; blend with a cross-fade; ensemble by averaging what successive \
            chunks predict, asking at every step; inpaint by having the planner go on from the actions that will be carried \
            out until then.

            Jump is by how much the velocity of the target changes from one step to the next, at most, in the three steps \
            from a hand-over on, in pixels a second: the mean and the 95th percentile over hand-overs, and over other steps.
            """
    )

    @Option(help: PolicyOptions.help)
    var policy: String

    @Option(help: ArgumentHelp("Episodes of each kind, from seed S on.", valueName: "n"))
    var episodes: Int = 30

    @Option(
        help: ArgumentHelp("Added observation delays, separated by commas, 0 to 500.", valueName: "ms,..."),
        transform: { try milliseconds($0, option: "--delays", in: 0...500) }
    )
    var delays = [0, 100, 200, 300, 500]

    @Option(
        help: ArgumentHelp(
            "Samplers to compare, separated by commas: a solver and its steps. Default: the one of the other options.",
            valueName: "solver:steps,..."
        ),
        transform: {
            try commaSeparated(
                $0,
                option: "--samplers",
                expected: "a solver and steps, as ddim:10",
                value: SolverSteps.init
            )
        }
    )
    var samplers: [SolverSteps] = []

    @Option(
        help: ArgumentHelp(
            "Latency budgets to compare, separated by commas, 1 to 60000. Default: none is kept.",
            valueName: "ms,..."
        ),
        transform: { try milliseconds($0, option: "--budgets", in: 1...60_000) }
    )
    var budgets: [Int] = []

    @Option(
        help: ArgumentHelp(
            "Strategies to compare, separated by commas: receding, blend, ensemble, inpaint.",
            valueName: "name,..."
        ),
        transform: {
            try commaSeparated(
                $0,
                option: "--strategies",
                expected: ChunkStrategy.allCases.map(\.rawValue).joined(separator: ", "),
                value: ChunkStrategy.init(rawValue:)
            )
        }
    )
    var strategies = ChunkStrategy.allCases

    @Option(
        help: ArgumentHelp(
            "Control steps over which one chunk fades into the next, for blend and inpaint. Default: the strategy's.",
            valueName: "n"
        )
    )
    var crossFade: Int?

    @Option(
        help: ArgumentHelp(
            "Draw scores and jumps by delay, and by sampler or budget, to an SVG file.",
            valueName: "file"
        )
    )
    var draw: String?

    @OptionGroup
    var sampler: SamplerOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard (1...1_000_000).contains(episodes) else {
            throw ValidationError("--episodes is \(episodes), expected 1...1000000")
        }
        if let crossFade, !(0...100).contains(crossFade) {
            throw ValidationError("--cross-fade is \(crossFade), expected 0...100")
        }
        if !samplers.isEmpty, sampler.solver != nil || sampler.steps != nil {
            throw ValidationError("--samplers and --solver or --steps exclude each other")
        }
        if !budgets.isEmpty, !samplers.isEmpty || sampler.budgetMs != nil {
            throw ValidationError("--budgets and --samplers or --budget-ms exclude each other")
        }
        try sampler.checkWindowIsGiven()
    }

    private static func milliseconds(_ text: String, option: String, in range: ClosedRange<Int>) throws
        -> [Int]
    {
        try commaSeparated(
            text,
            option: option,
            expected: "numbers in \(range.lowerBound)...\(range.upperBound)",
            value: { Int($0).flatMap { range.contains($0) ? $0 : nil } }
        )
    }

    /// A solver and its number of steps.
    struct SolverSteps {
        let solver: Solver
        let steps: Int

        init?(_ text: String) {
            let parts = text.split(separator: ":")
            guard parts.count == 2, let solver = Solver(rawValue: String(parts[0])), let steps = Int(parts[1])
            else { return nil }
            (self.solver, self.steps) = (solver, steps)
        }
    }

    /// One line of the picture: a way to sample chunks and a way to ask for them, at every delay.
    private struct Scenario {
        /// How chunks are sampled.
        let label: String
        let sampler: SamplerOptions
        let schedule: Schedule
    }

    /// How chunks are asked for.
    private enum Schedule {
        /// The world waits for them.
        case lockStep
        case synchronous
        case asynchronous(ChunkStrategy)

        /// The line's name.
        var name: String {
            switch self {
            case .lockStep: "lock-step"
            case .synchronous: "synchronous"
            case .asynchronous(let strategy): strategy.rawValue
            }
        }
    }

    private var scenarios: [Scenario] {
        var variants: [(label: String, sampler: SamplerOptions)] = samplers.map { choice in
            var options = sampler
            options.solver = choice.solver
            options.steps = choice.steps
            return ("\(choice.solver.rawValue) \(choice.steps)", options)
        }
        variants += budgets.map { budget in
            var options = sampler
            options.budgetMs = Double(budget)
            return ("\(budget) ms", options)
        }
        if variants.isEmpty { variants = [("", sampler)] }
        let schedules = [Schedule.lockStep, .synchronous] + strategies.map { .asynchronous($0) }
        return variants.flatMap { variant in
            schedules.map { Scenario(label: variant.label, sampler: variant.sampler, schedule: $0) }
        }
    }

    func run() throws {
        let bundle = try PolicyOptions.loadToRun(
            policy,
            threads: sampler.threads,
            in: .embeddedDaemon
        )
        if let draw { try DrawingFile.check(draw) }
        var results: [Report.Result] = []
        let bar = ProgressBar("episodes")
        let total = episodes * scenarios.reduce(0) { $0 + delays(of: $1.schedule).count }
        var done = 0
        for scenario in scenarios {
            let robot = try SimulatedRobot(policy: bundle, sampler: scenario.sampler)
            defer { robot.stop() }
            let label = scenario.label.isEmpty ? robot.samplerName : scenario.label
            let name = scenario.schedule.name
            for delay in delays(of: scenario.schedule) {
                let episodes = try (0..<UInt64(episodes)).map { index in
                    defer {
                        done += 1
                        bar.advance(to: done, of: total)
                    }
                    return try run(robot, scenario.schedule, delay: delay, seed: sampler.firstSeed &+ index)
                }
                let result = Report.Result(label, name, delay: delay, episodes)
                results.append(result)
                if !json {
                    Console.note("\(label), \(name), \(delay) ms: \(fixed(result.meanScore, 3))")
                }
            }
        }
        let report = Report(policy: bundle.name, episodes: episodes, results: results)
        if let draw { try DrawingFile.write(report.chart.svg, to: draw) }
        if json {
            try Console.json(report)
        } else {
            show(report)
        }
    }

    /// A world that waits for every chunk has no delays.
    private func delays(of schedule: Schedule) -> [Int] {
        if case .lockStep = schedule { [0] } else { delays }
    }

    private func run(
        _ robot: SimulatedRobot,
        _ schedule: Schedule,
        delay: Int,
        seed: UInt64
    ) throws -> EpisodeResult {
        var settings = RealTimeSettings(
            clock: .virtual,
            mode: .asynchronous,
            delay: .milliseconds(delay)
        )
        switch schedule {
        case .lockStep: return try robot.runEpisode(seed: seed) { _ in }
        case .synchronous: settings.mode = .synchronous
        case .asynchronous(let strategy):
            settings.strategy = strategy
            settings.crossFade = strategy == .blend || strategy == .inpaint ? crossFade : nil
        }
        return try robot.runEpisode(seed: seed, inRealTime: settings) { _ in }
    }

    private func show(_ report: Report) {
        Console.result("\(report.policy), \(report.episodes) episodes of each kind\n")
        var table = Table(
            "sampler",
            "schedule",
            "delay ms",
            "score",
            "+-",
            "success",
            "steps",
            "held",
            "latency p50",
            "p99",
            "jump",
            "p95",
            "other",
            "p95",
            keys: 3
        )
        for result in report.results {
            table.add(
                result.sampler,
                result.schedule,
                String(result.delayMs),
                fixed(result.meanScore, 3),
                fixed(result.scoreError, 3),
                fixed(result.successRate, 2),
                fixed(result.stepsMean, 0),
                fixed(100 * result.heldShare, 1) + " %",
                fixed(result.chunkLatencyMs.p50, 1),
                fixed(result.chunkLatencyMs.p99, 1),
                fixed(result.velocityJump.mean, 0),
                fixed(result.velocityJump.p95, 0),
                result.otherJump.count > 0 ? fixed(result.otherJump.mean, 0) : "",
                result.otherJump.count > 0 ? fixed(result.otherJump.p95, 0) : ""
            )
        }
        table.print()
    }
}
