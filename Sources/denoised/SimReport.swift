import MCAP
import PushT
import Reporting
import Robotics
import Statistics

/// A chunk of an episode and what it cost.
struct ChunkTrace {
    let chunk: RobotChunk
    /// Coverage when it was asked for.
    let coverage: Double
    /// From making the observation, an added delay included, to the chunk's receipt, on the robot's side.
    let milliseconds: Double
    /// The control step before which it came.
    let step: Int
    /// Whether the robot carried it out from then on.
    let isCarriedOut: Bool

    /// What the columns of ``line(seed:)`` are; times are in milliseconds.
    ///
    /// - Parameter hasVision: whether the policy has cameras.
    static func header(hasVision: Bool) -> String {
        row(
            ["seed", "step", "coverage", "chunk ms"] + stages(hasVision: hasVision).map(\.name)
                + ["iterations", "evaluations"],
            hasVision: hasVision
        )
    }

    /// One line for people: where the episode stands, and the time of the chunk as the robot saw it and stage by stage.
    func line(seed: UInt64) -> String {
        Self.row(
            [String(seed), String(chunk.firstStep), fixed(coverage, 3), fixed(milliseconds, 2)]
                + Self.stages(hasVision: hasVision).map {
                    fixed(Double($0.time(chunk.timing.stages) ?? 0) / 1e6, 2)
                }
                + [String(chunk.sampling.iterations), String(chunk.sampling.evaluations)],
            hasVision: hasVision
        )
    }

    /// Whether frames were encoded for it.
    var hasVision: Bool { chunk.timing.stages.vision != nil }

    /// The stages of a chunk in the daemon, in the order in which they follow one another.
    static func stages(hasVision: Bool) -> [Stage] {
        let vision: Stage = ("vision", { $0.vision })
        return [("decode", { $0.decode }), ("queue", { $0.queue })] + (hasVision ? [vision] : [])
            + [("condition", { $0.condition }), ("sample", { $0.sample }), ("encode", { $0.encode })]
    }

    typealias Stage = (name: String, time: (RobotChunk.Stages) -> UInt64?)

    private static func row(_ cells: [String], hasVision: Bool) -> String {
        let widths = [8, 4, 8, 8, 6, 6] + (hasVision ? [6] : []) + [9, 8, 6, 10, 11]
        return zip(cells, widths).map { cell, width in
            String(repeating: " ", count: max(width - cell.count, 0)) + cell
        }.joined(separator: "  ")
    }
}

/// An episode that has ended.
struct EpisodeResult {
    let seed: UInt64
    var recording: EpisodeRecording
    var chunks: [ChunkTrace] = []
    /// What the camera sent at each control step, nil if a frame was lost; nil altogether if that is not kept.
    var frames: [CameraFrame?]?
    /// What the robot was told to do, step by step.
    var commands = CommandTrace()
    /// Nil in lock-step.
    var realTime: RealTimeFigures?

    init(seed: UInt64, recording: EpisodeRecording) {
        self.seed = seed
        self.recording = recording
    }

    /// One line for people.
    var line: String {
        "seed \(seed): coverage \(fixed(recording.maxCoverage, 3)), "
            + "\(recording.isSuccess ? "success" : "no success") in \(recording.stepCount) steps"
    }
}

/// What `sim` reports about its episodes.
struct SimReport: Encodable {
    struct Latency: Encodable {
        let p50: Double
        let p90: Double
        let p99: Double
        let max: Double

        init(_ milliseconds: [Double]) {
            let percentiles = Percentiles(milliseconds)
            self.p50 = percentiles[50]
            self.p90 = percentiles[90]
            self.p99 = percentiles[99]
            self.max = percentiles[100]
        }
    }
    struct Episode: Encodable {
        let seed: UInt64
        let score: Double
        let maxCoverage: Double
        let success: Bool
        let steps: Int
    }

    /// One chunk that is typical, and one that is not, by their time in the daemon.
    struct ExampleChunks: Encodable {
        let median: ExampleChunk
        let slowest: ExampleChunk
    }

    /// Of the program.
    let version: String
    /// The policy's name.
    let policy: String
    let sampler: SamplerReport
    let episodes: Int
    let meanScore: Double
    let meanMaxCoverage: Double
    let successRate: Double
    let chunks: Int
    /// As the robot sees it: from making the observation, an added delay included, to receiving the chunk.
    let chunkLatencyMs: Latency
    /// As the daemon measures it, stage by stage.
    let stageLatencyMs: [String: Latency]
    let iterationsMean: Double
    let evaluationsMean: Double
    /// How many chunks had each quality.
    let qualities: [String: Int]
    /// How many chunks took longer in the daemon than the budget allows; nil: there was no budget.
    let lateChunks: Int?
    /// How often each stage, and the round trip, took how long.
    let latencyHistograms: LatencyHistograms
    /// Nil: there was no chunk.
    let exampleChunks: ExampleChunks?
    let perEpisode: [Episode]
    /// Nil in lock-step.
    let realtime: RealTimeReport?
    /// Nil: the policy has no camera.
    let camera: CameraReport?
    /// Nil: every episode of the run is here.
    let shard: ShardedRun?
    private let stages: [ChunkTrace.Stage]

    /// What `--json` prints.
    private enum CodingKeys: CodingKey {
        case version, policy, sampler
        case episodes, meanScore, meanMaxCoverage, successRate, perEpisode
        case chunks, chunkLatencyMs, stageLatencyMs, iterationsMean, evaluationsMean, qualities, lateChunks
        case latencyHistograms, exampleChunks, realtime, camera, shard
    }

    /// - Parameters:
    ///   - results: at least one episode.
    ///   - robot: whose they are.
    ///   - schedule: how the robot lived in real time; nil: the world waited.
    ///   - shard: which share of a run the episodes are; nil: all of it.
    init(
        _ results: [EpisodeResult],
        of robot: SimulatedRobot,
        schedule: RealTimeSettings?,
        shard: ShardedRun? = nil
    ) {
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }
        let chunks = results.flatMap(\.chunks)
        self.version = daemonVersion
        self.policy = robot.policy.name
        self.sampler = SamplerReport(robot.sampler)
        self.episodes = results.count
        self.meanScore = mean(results.map(\.recording.score))
        self.meanMaxCoverage = mean(results.map(\.recording.maxCoverage))
        self.successRate = mean(results.map { $0.recording.isSuccess ? 1 : 0 })
        self.chunks = chunks.count
        self.chunkLatencyMs = Latency(chunks.map(\.milliseconds))
        self.stages = ChunkTrace.stages(hasVision: chunks.contains(where: \.hasVision))
        let times = Self.stageTimes(of: chunks, stages)
        self.stageLatencyMs = times.mapValues(Latency.init)
        let roundTrips = [Run.Stage.roundTrip.rawValue: chunks.map(\.milliseconds)]
        self.latencyHistograms = LatencyHistograms(
            times.merging(roundTrips) { $1 }.mapValues { LatencyHistogram(milliseconds: $0) }
        )
        self.exampleChunks = ExampleChunks(results)
        self.iterationsMean = mean(chunks.map { Double($0.chunk.sampling.iterations) })
        self.evaluationsMean = mean(chunks.map { Double($0.chunk.sampling.evaluations) })
        self.qualities = Dictionary(
            chunks.map { ($0.chunk.sampling.quality.rawValue, 1) },
            uniquingKeysWith: +
        )
        self.lateChunks = sampler.budgetMs.map { budget in
            chunks.count { Double($0.chunk.timing.stages.total) / 1e6 > budget }
        }
        self.realtime = RealTimeReport(results, settings: schedule)
        self.camera = robot.camera.map(CameraReport.init)
        self.shard = shard
        self.perEpisode = results.map {
            Episode(
                seed: $0.seed,
                score: $0.recording.score,
                maxCoverage: $0.recording.maxCoverage,
                success: $0.recording.isSuccess,
                steps: $0.recording.stepCount
            )
        }
    }

    /// The milliseconds of each chunk in each stage, and in all of them, by the stage's name.
    private static func stageTimes(
        of chunks: [ChunkTrace],
        _ stages: [ChunkTrace.Stage]
    ) -> [String: [Double]] {
        let total: ChunkTrace.Stage = ("total", { $0.total })
        return Dictionary(
            uniqueKeysWithValues: (stages + [total]).map { stage in
                let times = chunks.compactMap { stage.time($0.chunk.timing.stages) }
                return (stage.name, times.map { Double($0) / 1e6 })
            }
        )
    }

    func print() {
        let successes = perEpisode.count { $0.success }
        Console.result("")
        var table = Table("seed", "coverage", "score", "success", "steps")
        for episode in perEpisode {
            table.add(
                String(episode.seed),
                fixed(episode.maxCoverage, 3),
                fixed(episode.score, 3),
                episode.success ? "yes" : "no",
                String(episode.steps)
            )
        }
        table.print()
        Console.result("")
        Console.result(
            "  \(successes) of \(episodes) episode\(episodes == 1 ? "" : "s") succeeded, "
                + "mean score \(fixed(meanScore, 3)), mean largest coverage \(fixed(meanMaxCoverage, 3))"
        )
        Console.result(
            "  \(chunks) chunks; for each, in the mean, \(fixed(iterationsMean, 1)) iterations and "
                + "\(fixed(evaluationsMean, 1)) model evaluations"
        )
        if let budget = sampler.budgetMs, let lateChunks {
            Console.result(
                "  budget of \(fixed(budget, 1)) ms: \(lateChunks) of \(chunks) chunks late, \(qualities["coarse"] ?? 0) coarse to be in time"
            )
        }
        realtime?.print()
        camera?.print()
        Console.result("")
        var latency = Table("latency of a chunk, ms", "p50", "p90", "p99", "max")
        func add(_ name: String, _ values: Latency) {
            latency.add(
                name,
                fixed(values.p50, 2),
                fixed(values.p90, 2),
                fixed(values.p99, 2),
                fixed(values.max, 2)
            )
        }
        for stage in stages {
            if let values = stageLatencyMs[stage.name] { add(stage.name, values) }
        }
        if let total = stageLatencyMs["total"] { add("daemon: their sum", total) }
        add("robot: round trip", chunkLatencyMs)
        latency.print()
    }
}

extension SimReport.ExampleChunks {
    /// Nil if there was no chunk.
    fileprivate init?(_ results: [EpisodeResult]) {
        let chunks = results.flatMap { result in result.chunks.map { (result.seed, $0) } }
        let totals = chunks.map(\.1.chunk.timing.stages.total)
        guard let places = ExampleChunk.places(of: totals) else { return nil }
        func example(_ place: Int) -> ExampleChunk {
            let (seed, trace) = chunks[place]
            return ExampleChunk(trace.chunk, episode: String(seed), roundTripMs: trace.milliseconds)
        }
        (median, slowest) = (example(places.median), example(places.slowest))
    }
}

/// How chunks were sampled, as `--json` prints it.
struct SamplerReport: Encodable {
    let solver: String
    let steps: Int
    let method: String
    let window: Int
    let tolerance: Double
    let kernel: String
    /// Nil: no budget was to be kept.
    let budgetMs: Double?

    init(_ sampler: SamplerDescription) {
        solver = sampler.solver
        steps = sampler.steps
        method = sampler.method.rawValue
        window = sampler.window
        tolerance = sampler.tolerance
        kernel = sampler.kernel
        budgetMs = sampler.budgetMs > 0 ? sampler.budgetMs : nil
    }
}
