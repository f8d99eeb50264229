import ArgumentParser
import BenchmarkNetworks
import Benchmarking
import Compute
import Foundation
import Networks

struct BenchEncoderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encoder",
        abstract: "Measure encoding a camera's frame, with seeded random weights."
    )

    @Option(
        help: ArgumentHelp(
            "Backbones, separated by commas: resnet18, resnet34, resnet50, resnet101 or resnet152.",
            valueName: "b,..."
        ),
        transform: { text in
            try commaSeparated(text, option: "--backbone", expected: "backbones such as resnet18") {
                ResNetArchitecture.Backbone(rawValue: $0)
            }
        }
    )
    var backbone = [ResNetArchitecture.Backbone.resnet18]

    @Option(
        help: ArgumentHelp("Norms, separated by commas: group or batch.", valueName: "n,..."),
        transform: { text in
            try commaSeparated(text, option: "--norm", expected: "group or batch") {
                ImageNormKind(rawValue: $0)
            }
        }
    )
    var norm = ImageNormKind.allCases

    @Option(
        help: ArgumentHelp(
            "What the network reads, height x width, separated by commas: 84x84,216x288. After resize and crop.",
            valueName: "hxw,..."
        ),
        transform: { text in
            try commaSeparated(text, option: "--frame", expected: "sizes such as 84x84, sides in 32...1024") {
                FrameSides($0)
            }
        }
    )
    var frame = [FrameSides(height: 84, width: 84), FrameSides(height: 216, width: 288)]

    @OptionGroup
    var network: BenchmarkNetworkOptions

    @OptionGroup
    var measurement: MeasurementOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let threads = network.threadCount
        let kernels = try network.kernels()
        var encoders: [ResNetEncoder] = []
        for backbone in backbone {
            for frame in frame {
                for norm in norm {
                    let architecture = ResNetArchitecture(
                        backbone: backbone,
                        norm: norm,
                        height: frame.height,
                        width: frame.width,
                        keypoints: 32
                    )
                    encoders += try makeEncoders(architecture, kernels: kernels, threads: threads)
                }
            }
        }
        let report = EncoderBenchmark(encoders: encoders, threads: threads)
            .run(measurement.measured, seed: network.seed)
        if json { try Console.json(report) } else { show(report) }
    }

    private func makeEncoders(
        _ architecture: ResNetArchitecture,
        kernels: [Kernel],
        threads: Int
    ) throws -> [ResNetEncoder] {
        try AddressSpace.check(
            for: Array(repeating: architecture.parameters, count: kernels.count),
            threads: threads
        )
        return kernels.map { kernel in
            ResNetEncoder(
                architecture: architecture,
                maximumFrames: 1,
                threads: threads,
                kernel: kernel,
                parameter: { architecture.randomValues(for: $0, seed: network.seed) }
            )
        }
    }

    private func show(_ report: EncoderBenchmark.Report) {
        var table = Table(
            "backbone",
            "norm",
            "frame",
            "kernel",
            "threads",
            "median ms",
            "p10",
            "p90",
            "GFLOP",
            "GFLOP/s",
            keys: 4
        )
        for result in report.results {
            table.add(
                result.backbone,
                result.norm,
                "\(result.height)x\(result.width)",
                result.kernel,
                String(result.threads),
                fixed(result.msP50, 2),
                fixed(result.msP10, 2),
                fixed(result.msP90, 2),
                fixed(result.gflopPerFrame, 2),
                fixed(result.gflops, 0)
            )
        }
        table.print()
    }
}

/// Height and width of what an encoder reads: `84x84`.
struct FrameSides: Equatable {
    let height: Int
    let width: Int

    private static let accepted = 32...1024

    init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    /// Nil for a text that is no size, or one with a side that is not accepted.
    init?(_ text: some StringProtocol) {
        let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard sides.count == 2, let height = sides[0], let width = sides[1], Self.accepted.contains(height),
            Self.accepted.contains(width)
        else { return nil }
        self.init(height: height, width: width)
    }
}
