import Foundation

/// DPM-Solver++ 2M (Lu et al., *DPM-Solver++*, arXiv 2211.01095, algorithm 2) over the visited timesteps.
///
/// With lambda = log(alpha / sigma), h the step's own increase of lambda and h' that of the step before:
///
///     next = sigma' / sigma x + alpha' (1 - exp(-h)) (x_0 + h / (2 h') (x_0 - x_0'))
///
/// The first step has no x_0' and the last one ends without noise, where h is infinite: both are of first order, that
/// is without the difference. So is a step after one that stays at its timestep (h' = 0), which happens once where
/// `numInferenceSteps` equals the number of training timesteps; diffusers gives NaN there. Otherwise this is diffusers'
/// `DPMSolverMultistepScheduler` as it comes: `midpoint`, `linspace` timesteps, final sigma `zero`. Clipping applies to
/// each x_0; with a range of 1 that is diffusers' `thresholding` with `sample_max_value` 1.
func dpmSolverPlusPlusSteps(
    schedule: NoiseSchedule,
    predictionType: PredictionType,
    clipSampleRange: Float?,
    numInferenceSteps: Int
) -> [SolverStep] {
    let timesteps = TimestepSpacing.linspace(
        numInferenceSteps: numInferenceSteps,
        numTrainTimesteps: schedule.numTrainTimesteps
    )
    return timesteps.indices.map { index in
        let isLast = index + 1 == timesteps.count
        let level = schedule.level(at: timesteps[index])
        let next = schedule.level(at: isLast ? nil : timesteps[index + 1])

        let x0Change = -next.alpha * expm1(-(next.lambda - level.lambda))
        var differenceWeight = 0.0
        if index > 0, !isLast {
            let previousIncrease = level.lambda - schedule.level(at: timesteps[index - 1]).lambda
            if previousIncrease > 0 {
                differenceWeight = (next.lambda - level.lambda) / (2 * previousIncrease)
            }
        }
        return SolverStep(
            timestep: timesteps[index],
            posteriorVariance: level.posteriorVariance(to: next),
            cleanSample: predictionType.cleanSample(at: level.roundedLikeDPMSolver),
            clipSampleRange: clipSampleRange,
            sampleWeight: next.sigma / level.sigma,
            x0Weight: x0Change * (1 + differenceWeight),
            previousX0Weight: -x0Change * differenceWeight
        )
    }
}
