import Compute
import Networks
import NumPyRandom
import Statistics

/// What `bench encoder` measures: encoding one frame of a camera, by backbone, norm, size and kernel.
package struct EncoderBenchmark {
    package struct Report: Encodable {
        package struct Result: Encodable {
            package let backbone: String
            package let norm: String
            package let height: Int
            package let width: Int
            package let precision: String
            package let kernel: String
            package let threads: Int
            package let runs: Int
            package let msP10: Double
            package let msP50: Double
            package let msP90: Double
            package let gflopPerFrame: Double
            /// Of a convolution tap by tap; one in tiles does fewer.
            package let gflops: Double
            package let weightMb: Double
        }
        package let results: [Result]
    }

    /// Those to measure.
    private let encoders: [ResNetEncoder]
    private let threads: Int

    /// - Parameters:
    ///   - encoders: at least one.
    ///   - threads: that each of them runs on.
    package init(encoders: [ResNetEncoder], threads: Int) {
        self.encoders = encoders
        self.threads = threads
    }

    /// Measures one frame at a time, of random numbers.
    ///
    /// - Parameter seed: of the numbers.
    package func run(_ runs: MeasuredRuns, seed: UInt64) -> Report {
        var generator = PCG64(seed: seed)
        let largest = encoders.map { $0.height * $0.width * 3 }.max() ?? 0
        let frame = (0..<largest).map { _ in Float(generator.uniform(low: -2, high: 2)) }
        var features = [Float](repeating: 0, count: encoders.map(\.featureCount).max() ?? 0)
        let times = runs.milliseconds(of: encoders) { encoder in
            var all = features.mutableSpan
            var span = all._mutatingExtracting(first: encoder.featureCount)
            encoder.encode(
                frame.span.extracting(first: encoder.height * encoder.width * 3),
                into: &span
            )
            encoder.rest()
        }
        return Report(results: zip(encoders, times).map(result))
    }

    private func result(_ encoder: ResNetEncoder, _ times: [Double]) -> Report.Result {
        let percentiles = Percentiles(times)
        let architecture = encoder.architecture
        return Report.Result(
            backbone: architecture.backbone.rawValue,
            norm: architecture.norm.rawValue,
            height: encoder.height,
            width: encoder.width,
            precision: encoder.kernel.precision.rawValue,
            kernel: encoder.kernel.description,
            threads: threads,
            runs: times.count,
            msP10: percentiles[10],
            msP50: percentiles[50],
            msP90: percentiles[90],
            gflopPerFrame: Double(encoder.operationsPerFrame) / 1e9,
            gflops: Double(encoder.operationsPerFrame) / 1e6 / percentiles[50],
            weightMb: Double(encoder.weightBytes) / 1e6
        )
    }
}
