import Clocks
import Testing

@testable import Sampling

/// Several samples that are drawn together, each under a condition of its own.
@Suite struct SamplesTogetherTests {
    private let samples = 3

    private func setup(_ solver: Solver) -> SamplerCase {
        SamplerCase(solver: solver)
    }

    private func sampler(_ setup: SamplerCase) throws -> Sampler {
        try Sampler(
            schedule: setup.schedule(),
            predictionType: setup.predictionType,
            clipSampleRange: setup.clipSampleRange,
            settings: SamplerSettings(solver: setup.solver, numInferenceSteps: setup.numInferenceSteps),
            sampleCount: SamplingFixture.sampleCount,
            maximumSamples: samples
        )
    }

    /// Sample i is, to the last bit, the one that is drawn alone under condition i.
    @Test(arguments: Solver.allCases, 1...3)
    func areTheOnesDrawnAlone(_ solver: Solver, _ count: Int) throws {
        let setup = setup(solver)
        let together = try sampler(setup)
        let noise = (0..<count).map { gaussianNoise(count: together.noiseCount, seed: 60 + UInt64($0)) }
        let model = ConditionedModel(base: try setup.model())
        let (values, report) = together.sample(with: model, noise: noise.flatMap { $0 }, samples: count)
        for index in 0..<count {
            let alone = try setup.sampler(.sequential).sample(
                with: OneCondition(model: model, condition: index),
                noise: noise[index]
            )
            let first = index * together.sampleCount
            #expect(Array(values[first..<first + together.sampleCount]) == alone.sample, "sample \(index)")
            #expect(report == alone.report)
        }
    }

    /// Time for one coarse step, and for four.
    @Test(arguments: [(-1, 1), (4_900, 4)])
    func areFinishedTogetherIfTimeIsShort(seconds: Int, coarseSteps: Int) throws {
        let setup = setup(.ddim)
        let together = try sampler(setup)
        let noise = (0..<samples).map { gaussianNoise(count: together.noiseCount, seed: 70 + UInt64($0)) }
        let model = ConditionedModel(base: try setup.model())
        // A pass over all of them takes as long as one over a sample alone.
        together.forwardTimes = ForwardTimes(nanoseconds: [1e12, 1e12, 1e12])
        let (values, report) = together.sample(
            with: model,
            noise: noise.flatMap { $0 },
            samples: samples,
            deadline: .now() + .seconds(seconds)
        )
        #expect(report.quality == .coarse(steps: coarseSteps))
        #expect(report.modelEvaluations == coarseSteps, "for each of them")
        for index in 0..<samples {
            let sampler = try setup.sampler(.sequential)
            sampler.forwardTimes = ForwardTimes(nanoseconds: [1e12])
            let alone = sampler.sample(
                with: OneCondition(model: model, condition: index),
                noise: noise[index],
                deadline: .now() + .seconds(seconds)
            )
            let first = index * together.sampleCount
            #expect(Array(values[first..<first + together.sampleCount]) == alone.sample, "sample \(index)")
        }
    }

    /// The time of a pass is that of its batch, which is larger with more samples.
    @Test func aPassTakesTheTimeOfAllSamples() throws {
        let setup = setup(.ddim)
        let together = try sampler(setup)
        let model = ConditionedModel(base: try setup.model())
        for (samples, steps) in [(1, 6), (2, 3), (3, 2)] {
            together.forwardTimes = ForwardTimes(nanoseconds: [1e12, 2e12, 3e12])
            let noise = gaussianNoise(count: samples * together.noiseCount, seed: 80)
            let report = together.sample(
                with: model,
                noise: noise,
                samples: samples,
                deadline: .now() + .seconds(6_900)
            ).report
            #expect(report.quality == .coarse(steps: steps), "\(samples) samples")
        }
    }

    /// The interim result is that of as many samples as are drawn.
    @Test func theInterimResultIsOfAllSamples() {
        let interim = InterimSample(sampleCount: 6)
        let none = FrozenElements(sampleCount: 2)
        for x0: [Float] in [[1, 2, 3, 4], [5, 6], [1, 2, 3, 4, 5, 6]] {
            interim.open(from: 0)
            interim.offer(x0.span, of: 0, frozen: none, as: .nothing)
            #expect(interim.claim()?.sample == x0)
        }
    }

    @Test func aPredictorWithoutConditionsEndsTheProcess() async {
        await #expect(processExitsWith: .failure) {
            let conditions = [0, 1]
            var outputs: [Float] = [0, 0]
            let samples = outputs
            var span = outputs.mutableSpan
            _ = ConstantModel(value: 1).predict(
                samples: samples.span,
                timesteps: conditions.span,
                conditions: conditions.span,
                until: nil,
                into: &span
            )
        }
    }
}

/// A model whose output depends on the condition.
private struct ConditionedModel: NoisePredictor {
    let base: BentGaussianModel

    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        base.predict(samples: samples, timesteps: timesteps, into: &outputs)
    }

    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        conditions: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        base.predict(samples: samples, timesteps: timesteps, into: &outputs)
        for row in conditions.indices {
            for element in row * base.sampleCount..<(row + 1) * base.sampleCount {
                outputs[element] += 0.1 * Float(conditions[row])
            }
        }
        return true
    }
}

/// That model under one of its conditions.
private struct OneCondition: NoisePredictor {
    let model: ConditionedModel
    let condition: Int

    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        let conditions = [Int](repeating: condition, count: timesteps.count)
        _ = model.predict(
            samples: samples,
            timesteps: timesteps,
            conditions: conditions.span,
            until: nil,
            into: &outputs
        )
    }
}
