import ArgumentParser
import Denoiser
import Foundation
import NumPyRandom
import Policy

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
            try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
                guard let batch = Int(part), (1...1024).contains(batch) else {
                    throw ValidationError("--batch holds \"\(part)\", expected numbers in 1...1024")
                }
                return batch
            }
        }
    )
    var batch = [1, 4, 8, 20]

    @Option(help: ArgumentHelp("Threads for the network. Default: one for each core.", valueName: "n"))
    var threads: Int?

    @Option(help: ArgumentHelp("Seed of the random weights and samples.", valueName: "s"))
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
            let threads: Int
            let runs: Int
            let msP10: Double
            let msP50: Double
            let msP90: Double
            let gflops: Double
            let weightGbPerS: Double
        }
        let architecture: String
        let kernel: String
        let parameters: Int
        let gflopPerSample: Double
        let results: [Result]
    }

    func run() throws {
        let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
        let network = try makeNetwork(threads: threads)
        let shape = network.architecture

        var generator = PCG64(seed: seed)
        func draw(_ count: Int) -> [Float] {
            (0..<count).map { _ in Float(generator.uniform(low: -1, high: 1)) }
        }
        let condition = draw(shape.conditionDim)
        network.setCondition(condition.span)
        let samples = draw(network.maximumBatch * shape.sampleCount)
        let timesteps = (0..<network.maximumBatch).map { network.timesteps[$0 % network.timesteps.count] }
        var outputs = batch.map { [Float](repeating: 0, count: $0 * shape.sampleCount) }

        let times = measurement.milliseconds(of: Array(batch.indices)) { index in
            var span = outputs[index].mutableSpan
            network.predict(
                samples: samples.span.extracting(0..<(batch[index] * shape.sampleCount)),
                timesteps: timesteps.span.extracting(0..<batch[index]),
                into: &span
            )
        }

        let gflopPerSample = Double(shape.operationsPerSample) / 1e9
        let results = zip(batch, times).map { batch, times in
            let percentiles = Percentiles(times)
            let seconds = percentiles[50] / 1e3
            return Report.Result(
                batch: batch,
                precision: "f32",
                threads: threads,
                runs: times.count,
                msP10: percentiles[10],
                msP50: percentiles[50],
                msP90: percentiles[90],
                gflops: gflopPerSample * Double(batch) / seconds,
                weightGbPerS: Double(shape.convolutionWeightCount * 4) / 1e9 / seconds
            )
        }
        let report = Report(
            architecture: architecture,
            kernel: UNet1D.kernelDescription,
            parameters: shape.parameterCount,
            gflopPerSample: gflopPerSample,
            results: results
        )
        if json {
            try Console.json(report)
        } else {
            show(report, shape: shape)
        }
    }

    private func makeNetwork(threads: Int) throws -> UNet1D {
        let maximumBatch = batch.max() ?? 1
        if architecture == "paper" {
            let shape = UNet1DArchitecture.paper
            return UNet1D(
                architecture: shape,
                timesteps: Array(0..<100),
                maximumBatch: maximumBatch,
                threads: threads,
                parameter: { shape.randomValues(for: $0, seed: seed) }
            )
        }
        let bundle = try PolicyOptions.load(architecture)
        return try Failure.asInput(path: architecture) {
            try bundle.network(
                timesteps: Array(0..<bundle.configuration.numTrainTimesteps),
                maximumBatch: maximumBatch,
                threads: threads
            )
        }
    }

    private func show(_ report: Report, shape: UNet1DArchitecture) {
        Console.result(
            "UNet \(shape.downDims.map(String.init).joined(separator: "-")), "
                + "\(fixed(Double(report.parameters) / 1e6, 1)) M parameters, horizon \(shape.horizon), "
                + "\(fixed(report.gflopPerSample, 2)) GFLOP a sample; \(report.kernel)"
        )
        Console.result("")
        var table = Table("batch", "threads", "median ms", "p10", "p90", "GFLOP/s", "weights GB/s")
        for result in report.results {
            table.add(
                String(result.batch),
                String(result.threads),
                fixed(result.msP50, 2),
                fixed(result.msP10, 2),
                fixed(result.msP90, 2),
                fixed(result.gflops, 0),
                fixed(result.weightGbPerS, 1)
            )
        }
        table.print()
    }
}
