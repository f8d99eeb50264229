import ArgumentParser
import Drawing
import ForeignText
import Foundation
import Planning
import PushT
import Motion
import Rendering

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

            --replay and --print-reset need no policy: they run the simulator alone.
            """
    )

    @Option(
        help: ArgumentHelp(
            "The policy: a LeRobot diffusion checkpoint, or the folder of its training run or hub cache.",
            valueName: "dir"
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
        if policy != nil && connect != nil {
            throw ValidationError(
                "--policy and --connect exclude each other: a running daemon has its policy"
            )
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
        if json && watch {
            throw ValidationError("--json and --watch exclude each other")
        }
    }

    /// The first option that was given and means something for episodes only.
    private var firstGivenForEpisodes: String? {
        let given = [
            ("--episodes", episodes != nil), ("--draw", draw != nil), ("--render", render != nil),
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

    private func makeRobot() throws -> SimulatedRobot {
        let camera = try camera.load()
        if let connect {
            return try SimulatedRobot(connectingTo: connect, keys: keys.load(), camera: camera)
        }
        let bundle = try PolicyOptions.loadToRun(
            policy ?? "",
            threads: sampler.threads,
            in: .embeddedDaemon
        )
        return try SimulatedRobot(
            policy: bundle,
            sampler: sampler.parallelByDefault,
            camera: camera,
            worldWaits: !realtime
        )
    }

    private func runEpisodes() throws {
        if let draw { try DrawingFile.check(draw) }
        let episodes = episodes ?? 1
        var film = try render.map {
            try RenderedFile($0, shows: renderGrid ? min(episodes, EpisodeFilm.mostInGrid) : nil)
        }
        let robot = try makeRobot()
        let seeds = (0..<UInt64(episodes)).map { sampler.firstSeed &+ $0 }
        if !json {
            Console.result(
                "\(robot.title)\(realTime?.title ?? ""), \(episodes) episode\(episodes == 1 ? "" : "s")"
                    + (robot.camera.map { "\n\($0.title)" } ?? "") + "\n"
            )
        }
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

        let report = SimReport(results, of: robot, schedule: realTime)
        if json {
            try Console.json(report)
        } else {
            report.print()
        }
    }
}
