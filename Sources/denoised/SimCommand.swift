import ArgumentParser
import Drawing
import ForeignText
import Foundation
import Planning
import PushT
import Motion
import Rendering
import Reporting

struct SimCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sim",
        abstract: "Run simulated PushT episodes through the daemon, or the simulator alone.",
        discussion: """
            A policy pushes the T into its goal, episode by episode, from the initial states of seeds S, S+1, ... The \
            daemon runs inside this process unless --connect names one that runs already. An episode's score is the \
            largest min(coverage / 0.95, 1) of its steps; it succeeds above 0.95 coverage.

            The world waits for every chunk, unless --realtime is given: then a control step begins every 100 ms by the \
            wall clock, and the next chunk is planned while the one before is carried out.

            A policy may see through one camera of 96 x 96 pixels: each observation then carries the frame that gym-pusht gives \
            of its state. A frame that --disturb loses is left out. The daemon lets the newest one stand in for it, up to half \
            a second; after that it takes no observation, and the robot holds its last target when its actions have run out.

            Several machines, or several processes, share the episodes of a run with --shard: each plays every N-th seed, with the \
            numbers that one process would get, and `denoised report` joins what they print with --json. docs/CLUSTERS.md says more.

            --replay and --print-reset need no policy: they run the simulator alone.
            """
    )

    @Option(
        help: ArgumentHelp(
            "The policy: \(PolicyOptions.what) With --connect the name of one of the daemon's policies, if it runs several.",
            valueName: PolicyOptions.valueName
        )
    )
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "Use a running daemon: the endpoint at which it answers requests.",
            valueName: "endpoint"
        ),
        transform: Endpoint.toCall
    )
    var connect: String?

    @OptionGroup
    var keys: ClientKeyOptions

    @Option(help: ArgumentHelp("Episodes to run. Default: 1.", valueName: "n"))
    var episodes: Int?

    @Option(
        help: ArgumentHelp(
            """
            Run this share of the episodes: shard K of N plays seed S + K - 1 and each N-th after it. --episodes and --seed are those \
            of the whole run.
            """,
            valueName: "k/n"
        ),
        transform: Shard.read
    )
    var shard: Shard?

    @Option(help: ArgumentHelp("Draw the first episode to an SVG file.", valueName: "file"))
    var draw: String?

    @Option(
        help: ArgumentHelp(
            """
            Show the first episode in a file: a film at \(fixed(FilmTiming.speed, 0))x speed if it ends with .webp or .gif, its end \
            if it ends with .png.
            """,
            valueName: "file"
        )
    )
    var render: String?

    @Flag(
        help:
            "With --render, show the episodes side by side, the first \(EpisodeFilm.mostInGrid) if there are more."
    )
    var renderGrid = false

    @Flag(
        help: """
            Print a line for each chunk: where the episode stands, and the time of each stage. --watch shows the chunks \
            beside the picture instead.
            """
    )
    var trace = false

    @Flag(
        help: """
            Watch the episodes in the terminal. No pictures when standard output is none, or TERM is unset or dumb.
            """
    )
    var watch = false

    @Flag(
        help:
            "Let the world run by the wall clock, 10 control steps a second, whether a chunk is there or not."
    )
    var realtime = false

    @Flag(
        help: """
            With --realtime, ask for a chunk only when no action is left, and hold the last target until it is there. \
            Without, it is asked for so early that it is there in time.
            """
    )
    var synchronous = false

    @Option(
        help: ArgumentHelp(
            """
            With --realtime, how one chunk goes over into the next: receding, blend, ensemble or inpaint. Default: \
            \(ChunkStrategy.standard.rawValue).
            """,
            valueName: "name"
        )
    )
    var strategy: ChunkStrategy?

    @Option(
        help: ArgumentHelp(
            "With --realtime, an added delay: the planner sees each observation so much later, 0 to 500. Default: 0.",
            valueName: "ms"
        )
    )
    var delayMs: Int?

    @Option(
        help: ArgumentHelp(
            "Replay recorded actions: a safetensors file with initial_state [5] and actions [T, 2].",
            valueName: "file"
        )
    )
    var replay: String?

    @Option(help: ArgumentHelp("Where --replay writes states [T, 5] and coverage [T].", valueName: "file"))
    var output: String?

    @Option(
        help: ArgumentHelp("Print the 5-number observation after a reset with this seed.", valueName: "seed"),
        transform: Seed.read
    )
    var printReset: UInt64?

    @OptionGroup
    var camera: CameraOptions

    @OptionGroup
    var sampler: SamplerOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        let jobs = [policy != nil || connect != nil, replay != nil, printReset != nil].filter { $0 }.count
        guard jobs == 1 else {
            throw ValidationError("give exactly one of --policy (or --connect), --replay and --print-reset")
        }
        if connect != nil, let option = sampler.firstGiven {
            throw ValidationError(
                "\(option) and --connect exclude each other: a running daemon has its sampler; --seed is the episodes'"
            )
        }
        if keys.areGiven && connect == nil {
            throw ValidationError("--curve-key and --curve-server are for --connect")
        }
        if (replay != nil) != (output != nil) {
            throw ValidationError("--replay and --output go together")
        }
        if replay != nil || printReset != nil {
            guard let ignored = firstGivenForEpisodes else { return }
            throw ValidationError(
                "\(ignored) is for episodes, expected none beside --replay and --print-reset"
            )
        }
        if let render, FilmFormat(path: render) == nil {
            throw ValidationError(
                "--render is \(printable(render, limit: 256)), expected a name that ends with \(FilmFormat.extensions); SVG is for --draw"
            )
        }
        if renderGrid && render == nil {
            throw ValidationError("--render-grid is for --render, expected both")
        }
        try sampler.checkWindow()
        let forRealTime = [
            ("--synchronous", synchronous), ("--strategy", strategy != nil), ("--delay-ms", delayMs != nil),
        ]
        if !realtime, let option = forRealTime.first(where: \.1)?.0 {
            throw ValidationError("\(option) is for --realtime, expected both")
        }
        if synchronous, strategy != nil {
            throw ValidationError(
                "--strategy and --synchronous exclude each other: what stands still needs none"
            )
        }
        if let delayMs, !(0...500).contains(delayMs) {
            throw ValidationError("--delay-ms is \(delayMs), expected 0...500")
        }
        if let episodes, !(1...1_000_000).contains(episodes) {
            throw ValidationError("--episodes is \(episodes), expected 1...1000000")
        }
        if let shard, shard.number > (episodes ?? 1) {
            let count = episodes ?? 1
            throw ValidationError(
                "--shard is \(shard), and of \(count) episode\(count == 1 ? "" : "s") that shard has none; expected --episodes of "
                    + "\(shard.number) at least"
            )
        }
        if shard != nil, connect == nil, (sampler.window ?? .auto) == .auto {
            throw ValidationError(
                "--window is auto, expected a number with --shard: another machine may find another window"
            )
        }
        if json && watch {
            throw ValidationError("--json and --watch exclude each other")
        }
    }

    /// The first option that was given and means something for episodes only.
    private var firstGivenForEpisodes: String? {
        let given = [
            ("--episodes", episodes != nil), ("--shard", shard != nil), ("--draw", draw != nil),
            ("--render", render != nil),
            ("--render-grid", renderGrid), ("--trace", trace), ("--watch", watch), ("--realtime", realtime),
            ("--synchronous", synchronous), ("--strategy", strategy != nil),
            ("--delay-ms", delayMs != nil), ("--seed", sampler.seed != nil),
        ]
        return given.first(where: \.1)?.0 ?? camera.firstGiven ?? sampler.firstGiven
    }

    func run() throws {
        if let printReset {
            try Self.printReset(seed: printReset, json: json)
        } else if let replay, let output {
            try Replay(input: replay, output: output).run(json: json)
        } else {
            try runEpisodes()
        }
    }

    private struct Reset: Encodable {
        let seed: UInt64
        let observation: [Double]
    }

    private static func printReset(seed: UInt64, json: Bool) throws {
        let observation = PushTSimulation().reset(seed: seed).state
        if json {
            try Console.json(Reset(seed: seed, observation: observation))
        } else {
            // Swift prints the shortest decimal that reads back as the same double.
            Console.result(observation.map(\.description).joined(separator: " "))
        }
    }

    private var realTime: RealTimeSettings? {
        guard realtime else { return nil }
        return RealTimeSettings(
            clock: .wall,
            mode: synchronous ? .synchronous : .asynchronous,
            delay: .milliseconds(delayMs ?? 0),
            strategy: strategy ?? .standard
        )
    }

    /// - Parameter settings: what the run is asked for beyond what its report tells, if it is shared out.
    private func makeRobot(noting settings: inout [String: String]) throws -> SimulatedRobot {
        let camera = try camera.load()
        if shard != nil {
            switch sampler.warmStart {
            case nil: break
            case .guess: settings["warm_start"] = "true"
            case .partial:
                settings["warm_start"] = "partial \(sampler.warmPart ?? WarmStart.standardPart)"
            }
            if let quality = camera.jpegQuality { settings["jpeg_quality"] = String(quality) }
            if let disturbances = camera.disturbances {
                let encoder = JSONEncoder()
                encoder.outputFormatting = .sortedKeys
                settings["disturbances"] = String(decoding: try encoder.encode(disturbances), as: UTF8.self)
            }
        }
        if let connect {
            return try SimulatedRobot(
                connectingTo: connect,
                policy: policy,
                keys: keys.load(),
                camera: camera,
                shard: shard
            )
        }
        let bundle = try PolicyOptions.loadToRun(
            policy ?? "",
            threads: sampler.threads,
            in: .embeddedDaemon
        )
        if shard != nil {
            settings["policy_fingerprint"] = try Failure.asInput { try bundle.fileFingerprint() }
        }
        return try SimulatedRobot(
            policy: bundle,
            sampler: sampler.parallelByDefault,
            camera: camera,
            worldWaits: !realtime
        )
    }

    private func printTitle(of robot: SimulatedRobot, playing count: Int, of episodes: Int) {
        let part = shard.map { ", shard \($0.number) of \($0.count): \(count) of" } ?? ","
        Console.result(
            "\(robot.title)\(realTime?.title ?? "")\(part) \(episodes) episode\(episodes == 1 ? "" : "s")"
                + (robot.camera.map { "\n\($0.title)" } ?? "") + "\n"
        )
    }

    private func runEpisodes() throws {
        if let draw { try DrawingFile.check(draw) }
        let episodes = episodes ?? 1
        let seeds = (shard ?? .whole).seeds(from: sampler.firstSeed, episodes: episodes)
        var film = try render.map {
            try RenderedFile($0, shows: renderGrid ? min(seeds.count, EpisodeFilm.mostInGrid) : nil)
        }
        var settings: [String: String] = [:]
        let robot = try makeRobot(noting: &settings)
        if !json { printTitle(of: robot, playing: seeds.count, of: episodes) }
        var view = watch ? TerminalView() : nil
        let isTraced = trace && !json && view == nil
        if isTraced { Console.result(ChunkTrace.header(hasVision: robot.camera != nil)) }

        var results: [EpisodeResult] = []
        // A picture or a line for each chunk says enough.
        let bar = view == nil && !isTraced ? ProgressBar("episodes") : nil
        for seed in seeds {
            let successes = results.count { $0.recording.isSuccess }
            robot.keepsFrames = film?.wantsFrames ?? false
            func show(_ moment: Moment) {
                view?.show(moment)
                let steps = moment.recording.scenario.episode.maxSteps
                bar?.advance(
                    to: results.count * steps + min(moment.recording.stepCount, steps - 1),
                    of: seeds.count * steps,
                    remark: results.isEmpty
                        ? "" : "\(successes) of \(results.count) succeeded"
                )
                if isTraced { for chunk in moment.newChunks { Console.result(chunk.line(seed: seed)) } }
            }
            let result =
                if let realTime {
                    try robot.runEpisode(seed: seed, inRealTime: realTime, show: show)
                } else {
                    try robot.runEpisode(seed: seed, show: show)
                }
            results.append(result)
            if !json { Console.note(result.line) }
            if let draw, results.count == 1 {
                try DrawingFile.write(EpisodeDrawing(result.recording).animation(), to: draw)
            }
            try film?.add(result, budget: robot.budgetMs)
            // It is drawn once.
            results[results.count - 1].frames = nil
        }
        robot.stop()

        let sharded = shard.map {
            ShardedRun(shard: $0, firstSeed: sampler.firstSeed, episodes: episodes, settings: settings)
        }
        let report = SimReport(results, of: robot, schedule: realTime, shard: sharded)
        if json {
            try Console.json(report)
        } else {
            report.print()
        }
    }
}

extension Shard {
    /// A shard as the command line takes it.
    static func read(_ text: String) throws -> Shard {
        guard let shard = Shard(text) else {
            throw ValidationError(
                "expected K/N: two whole numbers, K from 1 to N, N up to \(Shard.mostShards), such as 2/4"
            )
        }
        return shard
    }
}
