import Sampling
import Testing

@Suite struct ParaDiGMSTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let solver: Solver
        let numInferenceSteps: Int
        let predictionType: PredictionType
        let clipSampleRange: Float?

        var testDescription: String {
            "\(solver.rawValue) \(numInferenceSteps), \(predictionType.rawValue), clip \(clipSampleRange ?? .infinity)"
        }

        static let all =
            [Case(solver: .ddpm, numInferenceSteps: 100, predictionType: .epsilon, clipSampleRange: 1)]
            + Solver.allCases.flatMap { solver in
                PredictionType.allCases.flatMap { predictionType in
                    [Float?.none, 1].map { clip in
                        Case(
                            solver: solver,
                            numInferenceSteps: 15,
                            predictionType: predictionType,
                            clipSampleRange: clip
                        )
                    }
                }
            }
    }

    let schedule: NoiseSchedule

    init() throws {
        schedule = try NoiseSchedule(numTrainTimesteps: 100, betaSchedule: .squaredcosCapV2)
    }

    func sampler(_ setup: Case, _ method: SamplerSettings.Method) throws -> Sampler {
        try Sampler(
            schedule: schedule,
            predictionType: setup.predictionType,
            clipSampleRange: setup.clipSampleRange,
            settings: SamplerSettings(
                solver: setup.solver,
                numInferenceSteps: setup.numInferenceSteps,
                method: method
            ),
            sampleCount: SamplingFixture.sampleCount
        )
    }

    func model(_ setup: Case) -> BentGaussianModel {
        BentGaussianModel(schedule: schedule, predictionType: setup.predictionType)
    }

    @Test(arguments: Case.all)
    func equalsSequentialToTheLastBitAtToleranceZero(_ setup: Case) throws {
        let sequential = try sampler(setup, .sequential)
        let noise = gaussianNoise(count: sequential.noiseCount, seed: 5)
        let expected = sequential.sample(with: model(setup), noise: noise).sample

        for window in 1...setup.numInferenceSteps {
            let parallel = try sampler(setup, .paradigms(window: window, tolerance: 0))
            let (sample, report) = parallel.sample(with: model(setup), noise: noise)
            #expect(sample == expected, "window \(window)")
            #expect(report.parallelIterations <= setup.numInferenceSteps)
            #expect(report.residual == 0)
        }
    }

    @Test(arguments: Case.all)
    func approachesSequentialAsToleranceShrinks(_ setup: Case) throws {
        let sequential = try sampler(setup, .sequential)
        let noise = gaussianNoise(count: sequential.noiseCount, seed: 6)
        let expected = sequential.sample(with: model(setup), noise: noise).sample

        for window in [2, 5, 8, setup.numInferenceSteps] {
            var evaluationsBefore = 0
            for tolerance: Float in [0.3, 0.1, 0.03, 0.01, 0.001, 0.0001, 0.00001] {
                let parallel = try sampler(setup, .paradigms(window: window, tolerance: tolerance))
                let (sample, report) = parallel.sample(with: model(setup), noise: noise)
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

    @Test(arguments: Case.all)
    func takesFewerIterationsThanSteps(_ setup: Case) throws {
        let parallel = try sampler(setup, .paradigms(window: 8, tolerance: 0.1))
        let noise = gaussianNoise(count: parallel.noiseCount, seed: 7)
        let (_, report) = parallel.sample(with: model(setup), noise: noise)
        #expect(report.parallelIterations * 4 <= setup.numInferenceSteps * 3)
        #expect(report.modelEvaluations >= setup.numInferenceSteps)
        #expect(report.modelEvaluations <= report.parallelIterations * 8)
        #expect(report.residual > 0)
    }

    @Test func windowIsAtMostTheNumberOfSteps() throws {
        let setup = Case(solver: .ddim, numInferenceSteps: 15, predictionType: .epsilon, clipSampleRange: 1)
        let parallel = try sampler(setup, .paradigms(window: 20, tolerance: 0.1))
        #expect(parallel.maximumBatch == 15)
        let noise = gaussianNoise(count: parallel.noiseCount, seed: 8)
        #expect(parallel.sample(with: model(setup), noise: noise).report.window == 15)
        let sequential = try sampler(setup, .sequential)
        #expect(sequential.maximumBatch == 1)
    }

    /// A sampler that has seen a NaN ends, says so in the sample, and is as good as new afterwards.
    @Test(
        arguments: Solver.allCases,
        [SamplerSettings.Method.sequential, .paradigms(window: 4, tolerance: 0.1)]
    )
    func keepsNothingFromEarlierSamples(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = Case(solver: solver, numInferenceSteps: 15, predictionType: .epsilon, clipSampleRange: 1)
        let sampler = try sampler(setup, method)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 9)
        let first = sampler.sample(with: model(setup), noise: noise)

        let broken = sampler.sample(with: ConstantModel(value: .nan), noise: noise)
        #expect(broken.sample.allSatisfy { $0.isNaN })
        #expect(broken.report.parallelIterations == 15)

        let second = sampler.sample(with: model(setup), noise: noise)
        #expect(second.sample == first.sample)
        #expect(second.report == first.report)
    }

    @Test(
        arguments: Solver.allCases,
        [SamplerSettings.Method.sequential, .paradigms(window: 4, tolerance: 0.1)]
    )
    func readsOnlyTheNoiseThatAStepAdds(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = Case(solver: solver, numInferenceSteps: 15, predictionType: .epsilon, clipSampleRange: 1)
        let sampler = try sampler(setup, method)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 10)
        let expected = sampler.sample(with: model(setup), noise: noise).sample

        for row in 1...15 {
            var changed = noise
            for element in 0..<sampler.sampleCount {
                changed[row * sampler.sampleCount + element] = .nan
            }
            let sample = sampler.sample(with: model(setup), noise: changed).sample
            if solver == .ddpm, row < 15 {
                #expect(sample.allSatisfy { $0.isNaN }, "row \(row)")
            } else {
                #expect(sample == expected, "row \(row)")
            }
        }
    }
}
