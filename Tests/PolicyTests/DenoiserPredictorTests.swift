import Clocks
import Compute
import Networks
import Testing

@testable import Policy

/// A denoiser that is no UNet: each number plus the entry's timestep and condition, unless its time is over.
private final class SumDenoiser: Denoiser {
    let horizon = 2
    let actionDim = 3
    let conditionDim = 1
    let timesteps = [0, 10, 20]
    let maximumBatch = 3
    let maximumConditions = 2
    let kernel = Kernel.exact
    let threads = 1
    let operationsPerSample = 0
    let weightBytes = 0
    private var conditions: [Float] = [0, 0]

    func setCondition(_ condition: Span<Float>, at index: Int) { conditions[index] = condition[0] }

    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        conditions entries: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        if let instant, .now() >= instant { return false }
        for index in samples.indices {
            let entry = index / sampleSize
            outputs[index] = samples[index] + Float(timesteps[entry]) + conditions[entries[entry]]
        }
        return true
    }

    func rest() {}
}

@Suite("A denoiser as the samplers see it")
struct DenoiserPredictorTests {
    private let denoiser = SumDenoiser()

    init() {
        let (first, second): ([Float], [Float]) = ([100], [1000])
        denoiser.setCondition(first.span)
        denoiser.setCondition(second.span, at: 1)
    }

    @Test func `Every entry is under condition 0 and at its own timestep`() {
        let samples: [Float] = Array(repeating: 1, count: 6) + Array(repeating: 2, count: 6)
        let timesteps = [10, 20]
        var outputs = samples
        var span = outputs.mutableSpan
        DenoiserPredictor(network: denoiser).predict(
            samples: samples.span,
            timesteps: timesteps.span,
            into: &span
        )
        #expect(outputs == Array(repeating: 111, count: 6) + Array(repeating: 122, count: 6))
    }

    @Test func `An entry is under its own condition`() {
        let samples = [Float](repeating: 1, count: 12)
        let (timesteps, conditions) = ([20, 10], [1, 0])
        var outputs = samples
        var span = outputs.mutableSpan
        let isDone = DenoiserPredictor(network: denoiser).predict(
            samples: samples.span,
            timesteps: timesteps.span,
            conditions: conditions.span,
            until: nil,
            into: &span
        )
        #expect(isDone)
        #expect(outputs == Array(repeating: 1021, count: 6) + Array(repeating: 111, count: 6))
    }

    @Test func `A prediction that would be late is given up`() {
        let samples = [Float](repeating: 1, count: 6)
        let timesteps = [0]
        let predictor = DenoiserPredictor(network: denoiser)
        for (seconds, isDone) in [(-1, false), (3600, true)] {
            var outputs = samples
            var span = outputs.mutableSpan
            let result = predictor.predict(
                samples: samples.span,
                timesteps: timesteps.span,
                until: .now() + .seconds(seconds),
                into: &span
            )
            #expect(result == isDone)
            #expect(outputs == [Float](repeating: isDone ? 101 : 1, count: 6))
        }
    }
}
