import Sampling
import Testing

/// What holds of every method with every solver.
@Suite struct EveryMethodTests {
    static let methods: [SamplerSettings.Method] = [
        .sequential, .paradigms(window: 4, tolerance: 0.1), .quasiNewton(window: 4, tolerance: 0.01),
    ]

    func setup(_ solver: Solver) -> SamplerCase {
        SamplerCase(solver: solver)
    }

    /// A sampler that has seen a NaN ends, says so in the sample, and is as good as new afterwards.
    @Test(arguments: Solver.allCases, methods)
    func keepsNothingFromEarlierSamples(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = setup(solver)
        let sampler = try setup.sampler(method)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 9)
        let first = sampler.sample(with: try setup.model(), noise: noise)

        let broken = sampler.sample(with: ConstantModel(value: .nan), noise: noise)
        #expect(broken.sample.allSatisfy { $0.isNaN })
        #expect(broken.report.parallelIterations <= 15)

        let second = sampler.sample(with: try setup.model(), noise: noise)
        #expect(second.sample == first.sample)
        #expect(second.report == first.report)
    }

    /// The passes that a sampler tells of are those that it counts: from the first step to the last, none twice as long as the
    /// window.
    @Test(arguments: Solver.allCases, methods)
    func tellsOfEachPass(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = setup(solver)
        let sampler = try setup.sampler(method)
        for seed in UInt64(0)..<5 {
            let noise = gaussianNoise(count: sampler.noiseCount, seed: seed)
            let report = sampler.sample(with: try setup.model(), noise: noise).report
            let passes = sampler.passes()
            #expect(passes.count == report.parallelIterations)
            #expect(passes.map(\.evaluations).reduce(0, +) == report.modelEvaluations)
            #expect(passes.first?.steps.lowerBound == 0)
            #expect(passes.map(\.steps.upperBound).max() == 15)
            #expect(
                passes.allSatisfy { 1...$0.steps.count ~= $0.evaluations && $0.evaluations <= sampler.window }
            )
            #expect(passes.allSatisfy { $0.duration >= .zero })
            let firstSteps = passes.map(\.steps.lowerBound)
            #expect(firstSteps == firstSteps.sorted())
            if method == .sequential { #expect(firstSteps == Array(0..<15)) }
        }
    }

    @Test(arguments: Solver.allCases, methods)
    func readsOnlyTheNoiseThatAStepAdds(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = setup(solver)
        let sampler = try setup.sampler(method)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 10)
        let expected = sampler.sample(with: try setup.model(), noise: noise).sample

        for row in 1...15 {
            var changed = noise
            for element in 0..<sampler.sampleSize {
                changed[row * sampler.sampleSize + element] = .nan
            }
            let sample = sampler.sample(with: try setup.model(), noise: changed).sample
            if solver == .ddpm, row < 15 {
                #expect(sample.allSatisfy { $0.isNaN }, "row \(row)")
            } else {
                #expect(sample == expected, "row \(row)")
            }
        }
    }

    /// One output that is not a number, in whichever evaluation and element, is in the sample as well.
    @Test(arguments: Solver.allCases, methods)
    func aSingleNaNReachesTheSample(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = setup(solver)
        let sampler = try setup.sampler(method)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 12)
        let model = try setup.model()
        // The first pair of a batch is the one whose output counts as it is.
        for iteration in 0..<3 {
            let predictor = FailingPredictor(model, iteration: iteration, element: 2)
            let sample = sampler.sample(with: predictor, noise: noise).sample
            #expect(sample[2].isNaN, "iteration \(iteration)")
        }
    }

    @Test(arguments: methods)
    func reportsTheMethodsToleranceAndWindow(_ method: SamplerSettings.Method) throws {
        let setup = setup(.ddim)
        let sampler = try setup.sampler(method)
        let recorder = RecordingPredictor(try setup.model())
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 13)
        let report = sampler.sample(with: recorder, noise: noise).report
        #expect(report.tolerance == method.tolerance)
        #expect(report.window == method.window)
        #expect(report.residual <= report.tolerance)
        #expect(report.quality == (method.tolerance > 0 ? .converged : .exact))
        #expect(report.parallelIterations == recorder.batches.count)
        #expect(report.modelEvaluations == recorder.batches.map(\.count).reduce(0, +))
        #expect(recorder.batches.allSatisfy { 1...report.window ~= $0.count })
    }
}
