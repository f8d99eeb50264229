/// Why a noise schedule or a sampler cannot be built. Each description names the setting, the value found and what is
/// expected.
public enum SamplerError: Error, Hashable, Sendable {
    /// `numTrainTimesteps` lies outside the supported range.
    case numTrainTimesteps(found: Int, allowed: ClosedRange<Int>)
    /// `betaStart` or `betaEnd`, whichever `field` names, does not lie strictly between 0 and 1.
    case beta(field: String, found: Double)
    /// The cumulative product of the alphas leaves (0, 1) at `timestep`, where no solver step is defined.
    case degenerateSchedule(timestep: Int, alphaCumprod: Float)
    /// `numInferenceSteps` is less than 1 or more than the number of training timesteps.
    case numInferenceSteps(found: Int, numTrainTimesteps: Int)
    /// `warmSteps` is less than 1 or more than the number of steps.
    case warmSteps(found: Int, numInferenceSteps: Int)
    /// The window of ParaDiGMS or quasi-Newton sampling is less than 1.
    case window(found: Int)
    /// The tolerance of ParaDiGMS or quasi-Newton sampling is negative, infinite or not a number.
    case tolerance(found: Float)
    /// `clipSampleRange` is not a positive finite number.
    case clipSampleRange(found: Float)
    /// A sample has less than one element.
    case sampleSize(found: Int)
    /// (numInferenceSteps + 1) * sampleSize is more than a sampler takes memory for.
    case noiseCount(numInferenceSteps: Int, sampleSize: Int, limit: Int)
}

extension SamplerError: CustomStringConvertible {
    /// One line that names the setting.
    public var description: String {
        switch self {
        case .numTrainTimesteps(let found, let allowed):
            "num_train_timesteps is \(found); expected \(allowed.lowerBound) to \(allowed.upperBound)"
        case .beta(let field, let found):
            "\(field) is \(found); expected a number greater than 0 and less than 1"
        case .degenerateSchedule(let timestep, let alphaCumprod):
            "the noise schedule reaches a cumulative alpha of \(alphaCumprod) at timestep \(timestep); "
                + "expected values between 0 and 1, both excluded"
        case .numInferenceSteps(let found, let numTrainTimesteps):
            "num_inference_steps is \(found); expected 1 to num_train_timesteps, which is \(numTrainTimesteps)"
        case .warmSteps(let found, let numInferenceSteps):
            "the steps of a warm start are \(found); expected 1 to num_inference_steps, which is \(numInferenceSteps)"
        case .window(let found):
            "window is \(found); expected at least 1"
        case .tolerance(let found):
            "tolerance is \(found); expected a finite number that is not negative"
        case .clipSampleRange(let found):
            "clip_sample_range is \(found); expected a finite number greater than 0"
        case .sampleSize(let found):
            "the sample has \(found) elements; expected at least 1"
        case .noiseCount(let numInferenceSteps, let sampleSize, let limit):
            "num_inference_steps is \(numInferenceSteps) for a sample of \(sampleSize) elements (horizon times "
                + "action_dim); expected (num_inference_steps + 1) times that to be at most \(limit)"
        }
    }
}
