/// Ancestral sampling (Ho et al., arXiv 2006.11239, equations 6 and 7) over the visited timesteps.
///
/// With alphaBar before and alphaBar' after the step, and beta = 1 - alphaBar / alphaBar':
///
///     next = sqrt(alphaBar') beta / (1 - alphaBar) x_0
///          + sqrt(1 - beta) (1 - alphaBar') / (1 - alphaBar) x
///          + sqrt((1 - alphaBar') / (1 - alphaBar) beta) z
///
/// The step from timestep 0 adds no noise. Timesteps are spaced as diffusers' `leading`, variance is `fixed_small`.
func ddpmSteps(
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
        let timestep = timesteps[index]
        let level = schedule.level(at: timestep)
        let next = schedule.level(at: index + 1 < timesteps.count ? timesteps[index + 1] : nil)
        // diffusers has this quotient in single precision before it forms beta from it, and where beta is small that
        // rounding shows in the sample.
        let oneMinusBeta = Double(Float(level.alphaCumprod) / Float(next.alphaCumprod))
        let variance = level.posteriorVariance(to: next)
        return SolverStep(
            timestep: timestep,
            posteriorVariance: variance,
            cleanSample: predictionType.cleanSample(at: level),
            clipSampleRange: clipSampleRange,
            sampleWeight: oneMinusBeta.squareRoot() * (1 - next.alphaCumprod) / (1 - level.alphaCumprod),
            x0Weight: next.alpha * (1 - oneMinusBeta) / (1 - level.alphaCumprod),
            noiseScale: timestep > 0 ? variance.squareRoot() : 0
        )
    }
}
