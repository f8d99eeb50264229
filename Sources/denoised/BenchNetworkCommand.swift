import ArgumentParser
import BenchmarkNetworks
import Compute
import Networks
import Foundation
import MCAP
import NumPyRandom
import Sampling

struct BenchNetworkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network",
        abstract: "Measure a forward pass of the network at several batch sizes."
    )

    @Option(
        help: ArgumentHelp(
            "A policy, or `paper`: the 65.8 M-parameter UNet of Diffusion Policy with seeded random weights.",
            valueName: "paper|dir"
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

    @Option(help: ArgumentHelp("Threads for the network. Default: one for each core.", valueName: "n"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            """
            Precisions, separated by commas: f32, bf16, int8 or auto. The environment variable DENOISED_KERNELS names an \
            instruction set, avx2 for example, to use instead of the best one.
            """,
            valueName: "p,..."
        ),
        transform: PrecisionChoice.list
    )
    var precision = [PrecisionChoice.f32]

    @Flag(help: "Measure OpenBLAS as well, the path of processors without packed kernels.")
    var openblas = false

    @Option(
        help: ArgumentHelp("Seed of the random weights and samples. Default: 0.", valueName: "s"),
        transform: Seed.read
    )
    var seed: UInt64 = 0

    @OptionGroup
    var measurement: MeasurementOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if let threads, !(1...256).contains(threads) {
            throw ValidationError("--threads is \(threads), expected 1...256")
        }
    }

    private struct Report: Encodable {
        struct Result: Encodable {
            let batch: Int
            let precision: String
            let kernel: String
            let threads: Int
            let runs: Int
            let msP10: Double
            let msP50: Double
            let msP90: Double
            let gflops: Double
            let weightGbPerS: Double
            /// The median over the roofline's least time.
            let timesRoofline: Double?
        }
        struct Limits: Encodable {
            let gbPerS: Double
            let gflopsF32: Double
            let gflopsBf16: Double
            let gflopsInt8: Double
        }
        let architecture: String
        let parameters: Int
        let gflopPerSample: Double
        let roofline: Limits?
        let results: [Result]
    }

    /// One line of the result: a network and a batch.
    private struct Kind {
        let network: Int
        let batch: Int
    }

    func run() throws {
        let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
        let kernels =
            try precision.map { try $0.kernel() }
            + (openblas ? [Kernel(.openBLAS, precision: .f32)].compactMap { $0 } : [])
        let roofline = try measureRoofline(threads: threads)
        let networks = try makeNetworks(kernels: kernels, threads: threads)
        let shape = networks[0].architecture

        var generator = PCG64(seed: seed)
        func draw(_ count: Int) -> [Float] {
            (0..<count).map { _ in Float(generator.uniform(low: -1, high: 1)) }
        }
        let condition = draw(shape.conditionDim)
        for network in networks { network.setCondition(condition.span) }
        let largest = batch.max() ?? 1
        let samples = draw(largest * shape.sampleCount)
        let timesteps = (0..<largest).map { networks[0].timesteps[$0 % networks[0].timesteps.count] }
        var outputs = [Float](repeating: 0, count: largest * shape.sampleCount)

        let kinds = networks.indices.flatMap { network in batch.map { Kind(network: network, batch: $0) } }
        let times = measurement.milliseconds(of: kinds) { kind in
            let count = kind.batch * shape.sampleCount
            outputs.withUnsafeMutableBufferPointer { outputs in
                var span = UnsafeMutableBufferPointer(rebasing: outputs[0..<count]).mutableSpan
                networks[kind.network].predict(
                    samples: samples.span.extracting(0..<count),
                    timesteps: timesteps.span.extracting(0..<kind.batch),
                    into: &span
                )
            }
        }

        let report = Report(
            architecture: architecture,
            parameters: shape.parameterCount,
            gflopPerSample: Double(shape.operationsPerSample) / 1e9,
            roofline: roofline.map {
                Report.Limits(
                    gbPerS: $0.gbPerS,
                    gflopsF32: $0.gflopsF32,
                    gflopsBf16: $0.gflopsBF16,
                    gflopsInt8: $0.gflopsInt8
                )
            },
            results: zip(kinds, times).map { kind, times in
                result(kind.batch, networks[kind.network], times, threads: threads, roofline: roofline)
            }
        )
        if json {
            try Console.json(report)
        } else {
            show(report, shape: shape)
        }
    }

    /// The limits on the instruction set that the environment names or else on the best one.
    private func measureRoofline(threads: Int) throws -> Roofline? {
        guard case .packed(let instructionSet) = try WantedBackend.read() else {
            return Roofline.measure(threads: threads)
        }
        return Roofline.measure(threads: threads, on: instructionSet)
    }

    private func result(
        _ batch: Int,
        _ network: UNet1D,
        _ times: [Double],
        threads: Int,
        roofline: Roofline?
    ) -> Report.Result {
        let percentiles = Percentiles(times)
        let median = percentiles[50]
        let operations = network.architecture.operationsPerSample * batch
        let least = roofline?.milliseconds(
            weightBytes: network.weightBytes,
            operations: operations,
            precision: network.kernel.precision
        )
        return Report.Result(
            batch: batch,
            precision: network.kernel.precision.rawValue,
            kernel: network.kernel.description,
            threads: threads,
            runs: times.count,
            msP10: percentiles[10],
            msP50: median,
            msP90: percentiles[90],
            gflops: Double(operations) / 1e6 / median,
            weightGbPerS: Double(network.weightBytes) / 1e6 / median,
            timesRoofline: least.map { median / $0 }
        )
    }

    private func makeNetworks(kernels: [Kernel], threads: Int) throws -> [UNet1D] {
        let maximumBatch = batch.max() ?? 1
        if architecture == "paper" {
            let shape = UNet1DArchitecture.paper
            try AddressSpace.check(for: shape, threads: threads, networks: kernels.count)
            return kernels.map { kernel in
                UNet1D(
                    architecture: shape,
                    timesteps: Array(0..<100),
                    maximumBatch: maximumBatch,
                    threads: threads,
                    kernel: kernel,
                    parameter: { shape.randomValues(for: $0, seed: seed) }
                )
            }
        }
        let bundle = try PolicyOptions.loadToRun(architecture, threads: threads, networks: kernels.count)
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

    private func show(_ report: Report, shape: UNet1DArchitecture) {
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
            "x roofline"
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
