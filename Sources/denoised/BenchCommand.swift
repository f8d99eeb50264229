import ArgumentParser
import Benchmarking
import Compute
import Foundation

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

    /// The runs, whose progress is shown.
    var measured: MeasuredRuns {
        let bar = ProgressBar("measuring")
        return MeasuredRuns(count: runs, warmUp: warmUp) { bar.advance(to: $0, of: $1) }
    }
}

/// The options of benchmarks of networks with random weights.
struct BenchmarkNetworkOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Threads for the network. Default: one for each core.", valueName: "n"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            """
            Precisions, separated by commas: f32, bf16, int8 or auto. The environment variable DENOISED_KERNELS names an \
            instruction set, avx2 or neon for example, to use instead of the best one.
            """,
            valueName: "p,..."
        ),
        transform: PrecisionChoice.list
    )
    var precision = [PrecisionChoice.f32]

    @OptionGroup
    var filtering: FilteringOptions

    @Option(
        help: ArgumentHelp("Seed of the random weights and inputs. Default: 0.", valueName: "s"),
        transform: Seed.read
    )
    var seed: UInt64 = 0

    func validate() throws {
        if let threads, !(1...256).contains(threads) {
            throw ValidationError("--threads is \(threads), expected 1...256")
        }
    }

    /// Threads for the network.
    var threadCount: Int { threads ?? ProcessInfo.processInfo.activeProcessorCount }

    /// The kernel of each precision.
    func kernels() throws -> [Kernel] { try precision.map { try $0.kernel().filtered(filtering.filtering) } }
}
