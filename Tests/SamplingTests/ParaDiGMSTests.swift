import Testing

@Suite struct ParaDiGMSTests {
    @Test(arguments: SamplerCase.all)
    func equalsSequentialToTheLastBitAtToleranceZero(_ setup: SamplerCase) throws {
        let sequential = try setup.sampler(.sequential)
        let noise = gaussianNoise(count: sequential.noiseCount, seed: 5)
        let expected = sequential.sample(with: try setup.model(), noise: noise).sample

        for window in 1...setup.numInferenceSteps {
            let parallel = try setup.sampler(.paradigms(window: window, tolerance: 0))
            let (sample, report) = parallel.sample(with: try setup.model(), noise: noise)
            #expect(sample == expected, "window \(window)")
            #expect(report.parallelIterations <= setup.numInferenceSteps)
            #expect(report.residual == 0)
        }
    }

    @Test(arguments: SamplerCase.all)
    func approachesSequentialAsToleranceShrinks(_ setup: SamplerCase) throws {
        let sequential = try setup.sampler(.sequential)
        let noise = gaussianNoise(count: sequential.noiseCount, seed: 6)
        let expected = sequential.sample(with: try setup.model(), noise: noise).sample

        for window in [2, 5, 8, setup.numInferenceSteps] {
            var evaluationsBefore = 0
            for tolerance: Float in [0.3, 0.1, 0.03, 0.01, 0.001, 0.0001, 0.00001] {
                let parallel = try setup.sampler(.paradigms(window: window, tolerance: tolerance))
                let (sample, report) = parallel.sample(with: try setup.model(), noise: noise)
                #expect(
                    deviation(sample, from: expected) <= max(tolerance, 1e-6),
                    "window \(window), tolerance \(tolerance)"
                )
                #expect(report.residual <= tolerance)
                #expect(report.modelEvaluations >= evaluationsBefore)
                evaluationsBefore = report.modelEvaluations
            }
        }
    }

    @Test(arguments: SamplerCase.all)
    func takesFewerIterationsThanSteps(_ setup: SamplerCase) throws {
        let parallel = try setup.sampler(.paradigms(window: 8, tolerance: 0.1))
        let noise = gaussianNoise(count: parallel.noiseCount, seed: 7)
        let (_, report) = parallel.sample(with: try setup.model(), noise: noise)
        #expect(report.parallelIterations * 4 <= setup.numInferenceSteps * 3)
        #expect(report.modelEvaluations >= setup.numInferenceSteps)
        #expect(report.modelEvaluations <= report.parallelIterations * 8)
        #expect(report.residual > 0)
    }

    @Test func windowIsAtMostTheNumberOfSteps() throws {
        let setup = SamplerCase(solver: .ddim)
        let parallel = try setup.sampler(.paradigms(window: 20, tolerance: 0.1))
        #expect(parallel.maximumBatch == 15)
        let noise = gaussianNoise(count: parallel.noiseCount, seed: 8)
        #expect(parallel.sample(with: try setup.model(), noise: noise).report.window == 15)
        let sequential = try setup.sampler(.sequential)
        #expect(sequential.maximumBatch == 1)
    }
}
