import ArgumentParser
import BenchmarkNetworks
import Benchmarking
import Compute
import Networks
import Foundation

struct BenchNetworkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network",
        abstract: "Measure a forward pass of the network at several batch sizes.",
        discussion: """
            Of a policy with cameras, that is the network that denoises. `bench chunk` measures the encoders.
            """
    )

    @Option(
        help: ArgumentHelp(
            """
            A policy: \(PolicyOptions.what) Or a network with seeded random weights: `paper`, the 65.8 M-parameter UNet of \
            Diffusion Policy, or `lerobot`, the UNet of 249 M parameters that LeRobot trains by default.
            """,
            valueName: "paper|lerobot|policy"
        )
    )
    var architecture = "paper"

    @Option(
        help: ArgumentHelp("Batch sizes, separated by commas.", valueName: "b,..."),
        transform: { text in
            try commaSeparated(text, option: "--batch", expected: "numbers in 1...1024") { part in
                Int(part).flatMap { (1...1024).contains($0) ? $0 : nil }
            }
        }
    )
    var batch = [1, 4, 8, 20]

    @OptionGroup
    var network: BenchmarkNetworkOptions

    @Flag(help: "Measure OpenBLAS as well, the path of processors without packed kernels.")
    var openblas = false

    @OptionGroup
    var measurement: MeasurementOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let threads = network.threadCount
        let kernels =
            try network.kernels()
            + (openblas ? [Kernel(.openBLAS, precision: .f32)].compactMap { $0 } : [])
        let roofline = try measureRoofline(threads: threads)
        let benchmark = NetworkBenchmark(
            name: architecture,
            networks: try makeNetworks(kernels: kernels, threads: threads),
            roofline: roofline
        )
        let report = benchmark.run(measurement.measured, batches: batch, seed: network.seed)
        if json {
            try Console.json(report)
        } else {
            show(report, shape: benchmark.networks[0].architecture)
        }
    }

    /// The limits on the instruction set that the environment names or else on the best one.
    private func measureRoofline(threads: Int) throws -> Roofline? {
        guard case .packed(let instructionSet) = try WantedBackend.read() else {
            return Roofline.measure(threads: threads)
        }
        return Roofline.measure(threads: threads, on: instructionSet)
    }

    private func makeNetworks(kernels: [Kernel], threads: Int) throws -> [UNet1D] {
        let maximumBatch = batch.max() ?? 1
        if let shape = UNet1DArchitecture.named[architecture] {
            try AddressSpace.check(
                for: Array(repeating: shape.parameters, count: kernels.count),
                threads: threads
            )
            return kernels.map { kernel in
                UNet1D(
                    architecture: shape,
                    timesteps: Array(0..<100),
                    maximumBatch: maximumBatch,
                    threads: threads,
                    kernel: kernel,
                    parameter: { shape.randomValues(for: $0, seed: network.seed) }
                )
            }
        }
        let bundle = try PolicyOptions.loadToRun(
            architecture,
            threads: threads,
            networks: kernels.count
        )
        return try Failure.asInput(path: architecture) {
            try kernels.map { kernel in
                try bundle.network(
                    timesteps: Array(0..<bundle.configuration.numTrainTimesteps),
                    maximumBatch: maximumBatch,
                    threads: threads,
                    kernel: kernel
                )
            }
        }
    }

    private func show(_ report: NetworkBenchmark.Report, shape: UNet1DArchitecture) {
        Console.result(
            "UNet \(shape.downDims.map(String.init).joined(separator: "-")), "
                + "\(fixed(Double(report.parameters) / 1e6, 1)) M parameters, horizon \(shape.horizon), "
                + "\(fixed(report.gflopPerSample, 2)) GFLOP a sample"
        )
        if let roofline = report.roofline {
            Console.result(
                "roofline: \(fixed(roofline.gbPerS, 1)) GB/s, \(fixed(roofline.gflopsF32, 0)) GFLOP/s f32, "
                    + (roofline.gflopsBf16 > 0 ? "\(fixed(roofline.gflopsBf16, 0)) bf16, " : "")
                    + "\(fixed(roofline.gflopsInt8, 0)) int8"
            )
        }
        Console.result("")
        var table = Table(
            "kernel",
            "batch",
            "threads",
            "median ms",
            "p10",
            "p90",
            "GFLOP/s",
            "GB/s",
            "x roofline",
            keys: 2
        )
        for result in report.results {
            table.add(
                result.kernel,
                String(result.batch),
                String(result.threads),
                fixed(result.msP50, 2),
                fixed(result.msP10, 2),
                fixed(result.msP90, 2),
                fixed(result.gflops, 0),
                fixed(result.weightGbPerS, 1),
                result.timesRoofline.map { fixed($0, 2) } ?? ""
            )
        }
        table.print()
    }
}
