/// What the network was trained to predict. The raw values are those of LeRobot's and diffusers' `prediction_type`.
///
/// With x = alpha x_0 + sigma epsilon, each kind of model output m determines both x_0 and epsilon.
public enum PredictionType: String, CaseIterable, Hashable, Sendable {
    /// m is the noise: x_0 = (x - sigma m) / alpha. Ho et al., arXiv 2006.11239, equation 15.
    case epsilon
    /// m is the clean sample: x_0 = m.
    case sample
    /// m = alpha epsilon - sigma x_0, hence x_0 = alpha x - sigma m and epsilon = alpha m + sigma x. Salimans and Ho,
    /// *Progressive Distillation*, arXiv 2202.00512, appendix D.
    case vPrediction = "v_prediction"
}

/// x_0 = (fromSample x + fromOutput m) scale.
///
/// The division by alpha stays outside the sum: at the noisiest timestep of the squared-cosine schedule alpha is 5e-5,
/// and the sum cancels to its last digits.
struct CleanSampleEquation {
    let fromSample: Double
    let fromOutput: Double
    let scale: Double
}

/// epsilon = fromSample x + fromOutput m.
struct EpsilonEquation {
    let fromSample: Double
    let fromOutput: Double
}

extension PredictionType {
    func cleanSample(at level: NoiseLevel) -> CleanSampleEquation {
        switch self {
        case .epsilon: CleanSampleEquation(fromSample: 1, fromOutput: -level.sigma, scale: 1 / level.alpha)
        case .sample: CleanSampleEquation(fromSample: 0, fromOutput: 1, scale: 1)
        case .vPrediction: CleanSampleEquation(fromSample: level.alpha, fromOutput: -level.sigma, scale: 1)
        }
    }

    func epsilon(at level: NoiseLevel) -> EpsilonEquation {
        switch self {
        case .epsilon: EpsilonEquation(fromSample: 0, fromOutput: 1)
        case .sample: EpsilonEquation(fromSample: 1 / level.sigma, fromOutput: -level.alpha / level.sigma)
        case .vPrediction: EpsilonEquation(fromSample: level.sigma, fromOutput: level.alpha)
        }
    }
}
