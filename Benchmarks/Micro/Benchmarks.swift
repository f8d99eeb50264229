import Benchmark

let benchmarks: @Sendable () -> Void = {
    // Some 200 benchmarks, each in a process of its own: short, so that a whole run stays well under three minutes.
    Benchmark.defaultConfiguration.metrics = [.wallClock]
    Benchmark.defaultConfiguration.warmupIterations = 3
    Benchmark.defaultConfiguration.maxDuration = .milliseconds(150)

    addConvolutionBenchmarks()
    addNormalizationBenchmarks()
    addPackingBenchmarks()
    addQuantizationBenchmarks()
    addNetworkBenchmarks()
    addSamplerBenchmarks()
    addSafetensorsBenchmarks()
    addMessageBenchmarks()
}

/// The batches that samplers ask for: one timestep, and ParaDiGMS windows.
let batches = [1, 4, 8, 20]

/// `number` with two digits, so that names sort by it.
func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
