import Benchmark
import BenchmarkNetworks
import Compute
import Networks
import Foundation

/// Whole forward passes on all processors, by the kernel of each precision.
func addNetworkBenchmarks() {
    // A pass takes up to tens of milliseconds: with less time, one interruption could be all that is measured.
    let configuration = Benchmark.Configuration(maxDuration: .milliseconds(750))
    for (sizeName, architecture) in [("paper", UNet1DArchitecture.paper), ("small", .small)] {
        for kernel in TimedKernels.ofNetwork {
            for batch in batches {
                Benchmark(
                    "forward \(sizeName) \(kernel.precision.rawValue) batch \(twoDigits(batch))",
                    configuration: configuration
                ) { _, run in
                    run()
                } setup: {
                    ForwardRun(architecture, kernel: kernel, batch: batch)
                }
            }
        }
    }
}

extension UNet1DArchitecture {
    /// A network whose weights fit a last-level cache: the paper's with a quarter of the channels.
    static let small: UNet1DArchitecture = {
        do {
            return try UNet1DArchitecture(
                actionDim: 2,
                horizon: 16,
                conditionDim: 40,
                downDims: [64, 128, 256]
            )
        } catch {
            preconditionFailure("the small architecture must pass the checks: \(error)")
        }
    }()
}

private final class ForwardRun {
    private let network: UNet1D
    private let samples: [Float]
    private let timesteps: [Int]
    private var outputs: [Float]

    init(_ architecture: UNet1DArchitecture, kernel: Kernel, batch: Int) {
        timesteps = Array(0..<batch)
        network = UNet1D(
            architecture: architecture,
            timesteps: timesteps,
            maximumBatch: batch,
            threads: ProcessInfo.processInfo.activeProcessorCount,
            kernel: kernel,
            parameter: { architecture.randomValues(for: $0, seed: 0) }
        )
        network.setCondition([Float](repeating: 0.1, count: architecture.conditionDim).span)
        samples = (0..<batch * architecture.sampleSize).map { sinf(Float($0)) }
        outputs = samples
    }

    func callAsFunction() { predict(into: &outputs) }

    private func predict(into outputs: inout [Float]) {
        let (samples, timesteps) = (samples, timesteps)
        var span = outputs.mutableSpan
        network.predict(samples: samples.span, timesteps: timesteps.span, into: &span)
    }
}
