import ArgumentParser
import Foundation
import PushT
import Safetensors

struct SimCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sim",
        abstract: "Run simulated PushT episodes through the daemon, or the simulator alone.",
        discussion: """
            A policy pushes the T into its goal, episode by episode, from the initial states of seeds S, S+1, ... The \
            daemon runs inside this process unless --connect names one that runs already. An episode's score is the \
            largest min(coverage / 0.95, 1) of its steps; it succeeds above 0.95 coverage.

            --replay and --print-reset need no policy: they run the simulator alone.
            """
    )

    @Option(help: ArgumentHelp("The policy: a LeRobot diffusion checkpoint folder.", valueName: "dir"))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            "Use a running daemon: the endpoint at which it answers requests.",
            valueName: "endpoint"
        ),
        transform: Endpoint.toCall
    )
    var connect: String?

    @Option(help: ArgumentHelp("Episodes to run. Default: 1.", valueName: "n"))
    var episodes: Int?

    @Option(help: ArgumentHelp("Draw the first episode to an SVG file.", valueName: "file"))
    var draw: String?

    @Flag(
        help: """
            Print a line for each chunk: where the episode stands, and the time of each stage. --watch shows the chunks \
            beside the picture instead.
            """
    )
    var trace = false

    @Flag(help: "Watch the episodes in the terminal. Nothing where standard output is none.")
    var watch = false

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
        help: ArgumentHelp("Print the 5-number observation after a reset with this seed.", valueName: "seed")
    )
    var printReset: UInt64?

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
        if (replay != nil) != (output != nil) {
            throw ValidationError("--replay and --output go together")
        }
        if replay != nil || printReset != nil {
            guard let ignored = firstGivenForEpisodes else { return }
            throw ValidationError(
                "\(ignored) is for episodes, expected none beside --replay and --print-reset"
            )
        }
        try sampler.checkWindowIsGiven()
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
            ("--episodes", episodes != nil), ("--draw", draw != nil), ("--trace", trace), ("--watch", watch),
            ("--seed", sampler.seed != nil),
        ]
        return given.first(where: \.1)?.0 ?? sampler.firstGiven
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

    /// Checks before the episodes that there is a folder for what is written after the first.
    private static func checkFolder(of path: String) throws {
        let folder = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
        var isFolder = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder,
            FileManager.default.isWritableFile(atPath: folder)
        else {
            throw Failure.run(
                "\(path): cannot be written; expected a file name in a folder that can be written to"
            )
        }
    }

    private static func write(_ drawing: String, to path: String) throws {
        do {
            try Data(drawing.utf8).writeWhole(to: URL(filePath: path))
        } catch {
            throw Failure.run(
                "\(path): cannot be written (\(error.systemReason)); "
                    + "expected a file name in a folder that can be written to"
            )
        }
    }

    private func runEpisodes() throws {
        if let draw { try Self.checkFolder(of: draw) }
        let robot: SimulatedRobot
        if let connect {
            robot = try SimulatedRobot(connectingTo: connect)
        } else {
            robot = try SimulatedRobot(policy: PolicyOptions.load(policy ?? ""), sampler: sampler)
        }
        let episodes = episodes ?? 1
        let seeds = (0..<UInt64(episodes)).map { sampler.firstSeed &+ $0 }
        if !json { Console.result("\(robot.title), \(episodes) episode\(episodes == 1 ? "" : "s")\n") }
        var view = watch ? TerminalView() : nil
        let isTraced = trace && !json && view == nil
        if isTraced { Console.result(ChunkTrace.header) }

        var results: [EpisodeResult] = []
        for seed in seeds {
            let result = try robot.runEpisode(seed: seed) { moment in
                view?.show(moment)
                if isTraced, let chunk = moment.newChunk { Console.result(chunk.line(seed: seed)) }
            }
            results.append(result)
            if !json { Console.note(result.line) }
            if let draw, results.count == 1 {
                try Self.write(EpisodeDrawing(result.recording).animation(), to: draw)
            }
        }
        robot.stop()

        let report = SimReport(results)
        if json {
            try Console.json(report)
        } else {
            report.print()
        }
    }
}
