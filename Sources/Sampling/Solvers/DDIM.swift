/// DDIM with eta 0 (Song, Meng and Ermon, arXiv 2010.02502, equation 12) over the visited timesteps:
///
///     next = alpha' x_0 + sigma' epsilon
///
/// where alpha' and sigma' are those after the step, and (1, 0) after the last. As in diffusers, clipping changes x_0
/// and not epsilon, which is always the one that the model output itself implies. Timesteps are spaced as `leading`.
func ddimSteps(
    schedule: NoiseSchedule,
    predictionType: PredictionType,
    clipSampleRange: Float?,
    numInferenceSteps: Int
) -> [SolverStep] {
    let timesteps = TimestepSpacing.leading(
        numInferenceSteps: numInferenceSteps,
        numTrainTimesteps: schedule.numTrainTimesteps
    )
    return timesteps.indices.map { index in
        let level = schedule.level(at: timesteps[index])
        let next = schedule.level(at: index + 1 < timesteps.count ? timesteps[index + 1] : nil)
        let epsilon = predictionType.epsilon(at: level)
        return SolverStep(
            timestep: timesteps[index],
            posteriorVariance: level.posteriorVariance(to: next),
            cleanSample: predictionType.cleanSample(at: level),
            clipSampleRange: clipSampleRange,
            sampleWeight: next.sigma * epsilon.fromSample,
            outputWeight: next.sigma * epsilon.fromOutput,
            x0Weight: next.alpha
        )
    }
}
