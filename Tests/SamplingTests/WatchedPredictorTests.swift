import Testing

@testable import Sampling

/// Sampling that is watched.
@Suite struct WatchedPredictorTests {
    /// It gives the same sample, and tells of every evaluation.
    @Test(arguments: Solver.allCases, EveryMethodTests.methods)
    func watchingChangesNothing(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = SamplerCase(solver: solver)
        let sampler = try setup.sampler(method)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 3)
        let expected = sampler.sample(with: try setup.model(), noise: noise)
        let expectedPasses = sampler.passes()

        var sample = [Float](repeating: .nan, count: sampler.sampleSize)
        var span = sample.mutableSpan
        let (report, passes) = sampler.sampleWatching(try setup.model(), noise: noise.span, into: &span)
        #expect(sample == expected.sample)
        #expect(report == expected.report)
        #expect(passes.count == report.parallelIterations)
        #expect(passes.map(\.steps.count).reduce(0, +) == report.modelEvaluations)
        for (pass, expected) in zip(passes, expectedPasses) {
            #expect(pass.steps.min() == expected.steps.lowerBound)
            #expect(pass.steps.max() == expected.steps.upperBound - 1)
            #expect(pass.samples.count == pass.steps.count && pass.cleanSamples.count == pass.steps.count)
        }
    }

    /// The first pass of a sequential sample starts from the noise, and the last one of DDIM predicts the result.
    @Test func theFirstAndTheLastSampleAreKnown() throws {
        let setup = SamplerCase(solver: .ddim)
        let sampler = try setup.sampler(.sequential)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 4)
        var sample = [Float](repeating: .nan, count: sampler.sampleSize)
        var span = sample.mutableSpan
        let (_, passes) = sampler.sampleWatching(try setup.model(), noise: noise.span, into: &span)
        #expect(passes.map(\.steps) == (0..<15).map { [$0] })
        #expect(passes.first?.samples == [Array(noise[..<sampler.sampleSize])])
        let last = try #require(passes.last?.cleanSamples.first)
        #expect(deviation(last, from: sample) < 1e-5)
    }
}
