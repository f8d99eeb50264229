import ArgumentParser
import Benchmarking

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure what an action chunk, a forward pass of the network or an episode takes.",
        subcommands: [
            BenchChunkCommand.self, BenchPaperCommand.self, BenchBudgetCommand.self, BenchNetworkCommand.self,
            BenchEncoderCommand.self, BenchRealtimeCommand.self, BenchRobotsCommand.self,
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

    /// The runs.
    var measured: MeasuredRuns { MeasuredRuns(count: runs, warmUp: warmUp) }
}
