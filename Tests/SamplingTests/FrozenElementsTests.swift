import Clocks
import Foundation
import Sampling
import Testing

/// Samples of which part is known.
@Suite struct FrozenElementsTests {
    static let methods = EveryMethodTests.methods
    static let known: [Float] = [0.5, -0.25, 0.75]

    func sample(
        _ setup: SamplerCase,
        _ method: SamplerSettings.Method,
        seed: UInt64 = 21,
        known: [Float] = known,
        first: Int = 0
    ) throws -> (sample: [Float], report: SamplingReport) {
        let sampler = try setup.sampler(method)
        return sampler.sample(
            with: try setup.model(),
            noise: gaussianNoise(count: sampler.noiseCount, seed: seed),
            known: known,
            first: first
        )
    }

    /// diffusers' own loop with the same replacement: the known part is at every noise level where the scheduler puts it.
    @Test(arguments: SamplingFixture.shared.frozen)
    func equalsDiffusersWithTheOutputReplaced(_ expected: SamplingFixture.Frozen) throws {
        let setup = SamplerCase(
            solver: try #require(Solver(rawValue: expected.solver)),
            numInferenceSteps: expected.numInferenceSteps,
            predictionType: try #require(PredictionType(rawValue: expected.predictionType)),
            clipSampleRange: expected.clipSampleRange
        )
        let sampler = try setup.sampler(.sequential)
        let predictor = RecordingPredictor(try setup.model())
        let noise = SamplingFixture.shared.noise(numInferenceSteps: expected.numInferenceSteps)
        let sample = sampler.sample(
            with: predictor,
            noise: noise,
            known: expected.known,
            first: expected.first
        ).sample
        #expect(deviation(predictor.samples[expected.numInferenceSteps / 2], from: expected.halfway) < 5e-5)
        #expect(deviation(sample, from: expected.sample) < 5e-5)
    }

    @Test(arguments: SamplerCase.all, methods)
    func frozenElementsAreExactWhateverTheNoise(_ setup: SamplerCase, _ method: SamplerSettings.Method) throws
    {
        for (seed, first) in [(1, 0), (2, 3)] as [(UInt64, Int)] {
            let sample = try sample(setup, method, seed: seed, first: first).sample
            #expect(Array(sample[first..<first + 3]) == Self.known)
        }
    }

    @Test(arguments: SamplerCase.all)
    func everyMethodAgreesWithSequentialAtToleranceZero(_ setup: SamplerCase) throws {
        let expected = try sample(setup, .sequential).sample
        for window in [1, 4, setup.numInferenceSteps] {
            let quasiNewton = try sample(setup, .quasiNewton(window: window, tolerance: 0))
            #expect(quasiNewton.sample == expected, "window \(window)")
            #expect(quasiNewton.report.parallelIterations <= setup.numInferenceSteps)
            #expect(try sample(setup, .paradigms(window: window, tolerance: 0)).sample == expected)
        }
    }

    @Test(arguments: Solver.allCases, methods)
    func frozenElementsAreThoseOfOneSample(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = EveryMethodTests().setup(solver)
        let sampler = try setup.sampler(method)
        let model = try setup.model()
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 22)
        let free = sampler.sample(with: model, noise: noise)
        let frozen = sampler.sample(with: model, noise: noise, known: Self.known)
        #expect(frozen.sample != free.sample)
        // Elements of this model do not depend on one another.
        if method.tolerance == 0 { #expect(frozen.sample[3...] == free.sample[3...]) }
        let again = sampler.sample(with: model, noise: noise)
        #expect(again.sample == free.sample)
        #expect(again.report == free.report)
        var values = [Float](repeating: .nan, count: sampler.sampleSize)
        var span = values.mutableSpan
        var nothing = sampler.frozen(Self.known)
        nothing.clear()
        _ = sampler.sample(with: model, noise: noise.span, frozen: [nothing], into: &span)
        #expect(values == free.sample)
    }

    @Test(arguments: methods)
    func valuesBeyondTheClipRangeAreClipped(_ method: SamplerSettings.Method) throws {
        let setup = EveryMethodTests().setup(.ddpm)
        #expect(try sample(setup, method, known: [3, -7], first: 4).sample[4...] == [1, -1])
    }

    /// All known: there is nothing for the network to surprise with, and every window settles at once.
    @Test func knownPartNeverMovesAQuasiNewtonSweep() throws {
        let setup = EveryMethodTests().setup(.ddpm)
        let known = (0..<6).map { 0.3 - 0.1 * Float($0) }
        for tolerance: Float in [0, 0.01] {
            let sampler = try setup.sampler(.quasiNewton(window: 15, tolerance: tolerance))
            let noise = gaussianNoise(count: sampler.noiseCount, seed: 23)
            let (sample, report) = sampler.sample(
                with: ConstantModel(value: 100),
                noise: noise,
                known: known
            )
            #expect(sample == known)
            #expect(report.parallelIterations == 1, "tolerance \(tolerance)")
            #expect(report.residual == 0)
        }
    }

    @Test(arguments: Solver.allCases, methods)
    func coarseFinishKeepsThem(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = EveryMethodTests().setup(solver)
        let sampler = try setup.sampler(method)
        sampler.forwardTimes = ForwardTimes(nanoseconds: [1_000, 2_000, 3_000, 4_000])
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 24)
        let (values, report) = sampler.sample(
            with: try setup.model(),
            noise: noise,
            known: Self.known,
            deadline: .now() - .seconds(1)
        )
        #expect(report.quality == .coarse(steps: 1))
        #expect(Array(values[..<3]) == Self.known)
        #expect(values[3...].allSatisfy { $0.isFinite && abs($0) <= 1 })
    }

    /// Two elements with correlation 0.9 and deviation 0.5: the free one follows the frozen one most of the way to the exact
    /// conditional mean, 0.9 times the frozen value.
    @Test(arguments: [Float(-0.5), 0, 0.5])
    func theRestIsDrawnTowardsTheConditionalMean(_ value: Float) throws {
        let setup = SamplerCase(solver: .ddpm, numInferenceSteps: 100, clipSampleRange: nil)
        let sampler = try setup.sampler(.sequential, sampleSize: 2)
        let model = CorrelatedPairModel(schedule: try setup.schedule(), deviation: 0.5, correlation: 0.9)
        var free: [Double] = []
        let known = [value]
        for seed in 0..<400 as Range<UInt64> {
            let noise = gaussianNoise(count: sampler.noiseCount, seed: seed)
            free.append(Double(sampler.sample(with: model, noise: noise, known: known).sample[1]))
        }
        let mean = free.reduce(0, +) / Double(free.count)
        let deviation = (free.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(free.count)).squareRoot()
        #expect(abs(mean - 0.7 * 0.9 * Double(value)) < 0.05, "\(mean)")
        #expect(deviation < 0.4, "\(deviation); 0.5 without the known value, 0.22 at best")
    }
}

/// The exact predictor for two elements that are N(0, deviation^2) each, with a correlation: rotated by 45 degrees they are
/// independent.
private struct CorrelatedPairModel: NoisePredictor {
    let schedule: NoiseSchedule
    let deviation: Double
    let correlation: Double

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        for row in timesteps.indices {
            let alphaBar = Double(schedule.alphasCumprod[timesteps[row]])
            let (alpha, sigma) = (alphaBar.squareRoot(), (1 - alphaBar).squareRoot())
            let (x, y) = (Double(samples[2 * row]), Double(samples[2 * row + 1]))
            func x0(_ value: Double, _ variance: Double) -> Double {
                alpha * variance * value / (alphaBar * variance + 1 - alphaBar)
            }
            let sum = x0((x + y) / 2, deviation * deviation * (1 + correlation))
            let difference = x0((x - y) / 2, deviation * deviation * (1 - correlation))
            outputs[2 * row] = Float((x - alpha * (sum + difference)) / sigma)
            outputs[2 * row + 1] = Float((y - alpha * (sum - difference)) / sigma)
        }
    }
}
