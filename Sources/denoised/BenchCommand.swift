import ArgumentParser
import Planning

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure what an action chunk, a forward pass of the network or an episode takes.",
        subcommands: [
            BenchChunkCommand.self, BenchPaperCommand.self, BenchBudgetCommand.self, BenchNetworkCommand.self,
            BenchRealtimeCommand.self, BenchRobotsCommand.self,
        ]
    )
}

/// How long a benchmark measures.
struct MeasurementOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Runs to measure of each kind; they take turns.", valueName: "n"))
    var runs: Int = 50

    @Option(help: ArgumentHelp("Runs of each kind before the measurement.", valueName: "n"))
    var warmUp: Int = 3

    func validate() throws {
        guard (1...1_000_000).contains(runs) else {
            throw ValidationError("--runs is \(runs), expected 1...1000000")
        }
        guard (0...1_000_000).contains(warmUp) else {
            throw ValidationError("--warm-up is \(warmUp), expected 0...1000000")
        }
    }

    /// Times `run` for each of `kinds`, in turns so that a change of the machine's speed meets all of them alike.
    ///
    /// - Returns: for each kind, the time of each measured run in milliseconds.
    func milliseconds<Kind>(of kinds: [Kind], run: (Kind) throws -> Void) rethrows -> [[Double]] {
        var times = [[Double]](repeating: [], count: kinds.count)
        for round in -warmUp..<runs {
            for (index, kind) in kinds.enumerated() {
                let elapsed = try ContinuousClock().measure { try run(kind) }
                if round >= 0 { times[index].append(elapsed / .milliseconds(1)) }
            }
        }
        return times
    }
}
