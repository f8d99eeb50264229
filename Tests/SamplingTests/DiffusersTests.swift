import Sampling
import Testing

/// Every solver against diffusers, over prediction types, beta schedules, clipping and numbers of steps.
@Suite struct DiffusersTests {
    let fixture = SamplingFixture.shared

    /// The sampler and the model of a case of the fixture.
    private static func setup(
        _ solver: String,
        steps: Int,
        predictionType: String,
        clipSampleRange: Float?,
        method: SamplerSettings.Method = .sequential,
        schedule: NoiseSchedule
    ) throws -> (Sampler, RecordingPredictor<BentGaussianModel>) {
        let predictionType = try #require(PredictionType(rawValue: predictionType))
        let sampler = try Sampler(
            schedule: schedule,
            predictionType: predictionType,
            clipSampleRange: clipSampleRange,
            settings: SamplerSettings(
                solver: #require(Solver(rawValue: solver)),
                numInferenceSteps: steps,
                method: method
            ),
            sampleSize: SamplingFixture.sampleSize
        )
        let model = BentGaussianModel(schedule: schedule, predictionType: predictionType)
        return (sampler, RecordingPredictor(model))
    }

    @Test(arguments: SamplingFixture.shared.sequential)
    func sequentialEqualsDiffusers(_ expected: SamplingFixture.Sequential) throws {
        let schedule = try NoiseSchedule(
            numTrainTimesteps: expected.numTrainTimesteps,
            betaSchedule: #require(BetaSchedule(rawValue: expected.betaSchedule))
        )
        let (sampler, predictor) = try Self.setup(
            expected.solver,
            steps: expected.numInferenceSteps,
            predictionType: expected.predictionType,
            clipSampleRange: expected.clipSampleRange,
            schedule: schedule
        )
        if let timesteps = expected.timesteps {
            #expect(sampler.timesteps == timesteps)
        }

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
                    method: .sequential,
                    window: 1,
                    residual: 0,
                    quality: .exact
                )
        )
    }

    /// diffusers' own ParaDiGMS pipeline: the same sweeps, the same evaluations, the same sample.
    @Test(arguments: SamplingFixture.shared.parallel)
    func paradigmsEqualsDiffusers(_ expected: SamplingFixture.Parallel) throws {
        let schedule = try NoiseSchedule(numTrainTimesteps: 100, betaSchedule: .squaredcosCapV2)
        let (sampler, predictor) = try Self.setup(
            expected.solver,
            steps: expected.numInferenceSteps,
            predictionType: expected.predictionType,
            clipSampleRange: expected.clipSampleRange,
            method: .paradigms(window: expected.window, tolerance: expected.tolerance),
            schedule: schedule
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
