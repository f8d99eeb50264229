import Compute
import Networks
import NumPyRandom
import Statistics

/// What `bench network` measures: forward passes of a network's kernels at several batch sizes.
package struct NetworkBenchmark {
    package struct Report: Encodable {
        package struct Result: Encodable {
            package let batch: Int
            package let precision: String
            package let kernel: String
            package let threads: Int
            package let runs: Int
            package let msP10: Double
            package let msP50: Double
            package let msP90: Double
            package let gflops: Double
            package let weightGbPerS: Double
            /// The median over the roofline's least time.
            package let timesRoofline: Double?
        }
        package struct Limits: Encodable {
            package let gbPerS: Double
            package let gflopsF32: Double
            package let gflopsBf16: Double
            package let gflopsInt8: Double
        }
        package let architecture: String
        package let parameters: Int
        package let gflopPerSample: Double
        package let roofline: Limits?
        package let results: [Result]
    }

    /// One line of the result: a network and a batch.
    private struct Kind {
        let network: Int
        let batch: Int
    }

    private let name: String
    /// One for each kernel, all of one architecture.
    package let networks: [UNet1D]
    private let roofline: Roofline?

    /// - Parameters:
    ///   - name: of the architecture, for the report.
    ///   - networks: at least one.
    ///   - roofline: the machine's limits, if they are known.
    package init(name: String, networks: [UNet1D], roofline: Roofline?) {
        self.name = name
        self.networks = networks
        self.roofline = roofline
    }

    /// Measures passes over random samples.
    ///
    /// - Parameters:
    ///   - batches: at most the networks' `maximumBatch`.
    ///   - seed: of the samples.
    package func run(_ runs: MeasuredRuns, batches: [Int], seed: UInt64) -> Report {
        let shape = networks[0].architecture
        var generator = PCG64(seed: seed)
        func draw(_ count: Int) -> [Float] {
            (0..<count).map { _ in Float(generator.uniform(low: -1, high: 1)) }
        }
        let condition = draw(shape.conditionDim)
        for network in networks { network.setCondition(condition.span) }
        let largest = batches.max() ?? 1
        let samples = draw(largest * shape.sampleSize)
        let timesteps = (0..<largest).map { networks[0].timesteps[$0 % networks[0].timesteps.count] }
        var outputs = [Float](repeating: 0, count: largest * shape.sampleSize)

        let kinds = networks.indices.flatMap { network in batches.map { Kind(network: network, batch: $0) } }
        let times = runs.milliseconds(of: kinds) { kind in
            let count = kind.batch * shape.sampleSize
            var all = outputs.mutableSpan
            var span = all._mutatingExtracting(first: count)
            networks[kind.network].predict(
                samples: samples.span.extracting(0..<count),
                timesteps: timesteps.span.extracting(0..<kind.batch),
                into: &span
            )
        }
        return Report(
            architecture: name,
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
                result(kind.batch, networks[kind.network], times)
            }
        )
    }

    private func result(
        _ batch: Int,
        _ network: UNet1D,
        _ times: [Double]
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
            threads: network.threads,
            runs: times.count,
            msP10: percentiles[10],
            msP50: median,
            msP90: percentiles[90],
            gflops: Double(operations) / 1e6 / median,
            weightGbPerS: Double(network.weightBytes) / 1e6 / median,
            timesRoofline: least.map { median / $0 }
        )
    }
}
