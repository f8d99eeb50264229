import Sampling
import Testing

/// Every solver against diffusers, over prediction types, beta schedules, clipping and numbers of steps.
@Suite struct DiffusersTests {
    let fixture = SamplingFixture.shared

    @Test(arguments: SamplingFixture.shared.sequential)
    func sequentialEqualsDiffusers(_ expected: SamplingFixture.Sequential) throws {
        let schedule = try NoiseSchedule(
            numTrainTimesteps: expected.numTrainTimesteps,
            betaSchedule: #require(BetaSchedule(rawValue: expected.betaSchedule))
        )
        let predictionType = try #require(PredictionType(rawValue: expected.predictionType))
        let sampler = try Sampler(
            schedule: schedule,
            predictionType: predictionType,
            clipSampleRange: expected.clipSampleRange,
            settings: SamplerSettings(
                solver: #require(Solver(rawValue: expected.solver)),
                numInferenceSteps: expected.numInferenceSteps
            ),
            sampleCount: SamplingFixture.sampleCount
        )
        if let timesteps = expected.timesteps {
            #expect(sampler.timesteps == timesteps)
        }

        let predictor = RecordingPredictor(
            BentGaussianModel(schedule: schedule, predictionType: predictionType)
        )
        let (sample, report) = sampler.sample(
            with: predictor,
            noise: fixture.noise(numInferenceSteps: expected.numInferenceSteps)
        )

        let steps = expected.numInferenceSteps
        #expect(deviation(predictor.samples[steps / 2], from: expected.halfway) < 2e-5)
        #expect(deviation(sample, from: expected.sample) < 2e-5)
        #expect(predictor.batches == sampler.timesteps.map { [$0] })
        #expect(
            report
                == SamplingReport(
                    parallelIterations: steps,
                    modelEvaluations: steps,
                    window: 1,
                    tolerance: 0,
                    residual: 0,
                    quality: .exact
                )
        )
    }

    /// diffusers' own ParaDiGMS pipeline: the same sweeps, the same evaluations, the same sample.
    @Test(arguments: SamplingFixture.shared.parallel)
    func paradigmsEqualsDiffusers(_ expected: SamplingFixture.Parallel) throws {
        let schedule = try NoiseSchedule(numTrainTimesteps: 100, betaSchedule: .squaredcosCapV2)
        let predictionType = try #require(PredictionType(rawValue: expected.predictionType))
        let sampler = try Sampler(
            schedule: schedule,
            predictionType: predictionType,
            clipSampleRange: expected.clipSampleRange,
            settings: SamplerSettings(
                solver: #require(Solver(rawValue: expected.solver)),
                numInferenceSteps: expected.numInferenceSteps,
                method: .paradigms(window: expected.window, tolerance: expected.tolerance)
            ),
            sampleCount: SamplingFixture.sampleCount
        )
        let predictor = RecordingPredictor(
            BentGaussianModel(schedule: schedule, predictionType: predictionType)
        )
        let (sample, report) = sampler.sample(
            with: predictor,
            noise: fixture.noise(numInferenceSteps: expected.numInferenceSteps)
        )
        #expect(report.parallelIterations == expected.parallelIterations)
        #expect(report.modelEvaluations == expected.modelEvaluations)
        #expect(deviation(sample, from: expected.sample) < 2e-5)
        #expect(predictor.batches.count == report.parallelIterations)
        #expect(predictor.batches.map(\.count).reduce(0, +) == report.modelEvaluations)
        #expect(predictor.batches.allSatisfy { $0.count <= sampler.maximumBatch })
        #expect(report.window == min(expected.window, expected.numInferenceSteps))
        #expect(report.tolerance == expected.tolerance)
        #expect(report.residual <= expected.tolerance)
    }
}
