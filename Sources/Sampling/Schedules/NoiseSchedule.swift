import Foundation

/// How beta, the variance that the forward process adds per training timestep, grows. The raw values are those of
/// LeRobot's and diffusers' `beta_schedule`.
public enum BetaSchedule: String, CaseIterable, Hashable, Sendable {
    /// alphaBar(t) = cos^2(((t / T + 0.008) / 1.008) pi / 2), with beta at most 0.999. Nichol and Dhariwal, *Improved
    /// Denoising Diffusion Probabilistic Models*, arXiv 2102.09672, equation 17. Ignores `betaStart` and `betaEnd`.
    case squaredcosCapV2 = "squaredcos_cap_v2"
    /// beta grows evenly from `betaStart` to `betaEnd`. Ho, Jain and Abbeel, *Denoising Diffusion Probabilistic
    /// Models*, arXiv 2006.11239, section 4.
    case linear
    /// The square root of beta grows evenly.
    case scaledLinear = "scaled_linear"
}

/// The forward process that a policy was trained with: x_t = sqrt(alphaBar_t) x_0 + sqrt(1 - alphaBar_t) epsilon for
/// training timesteps t = 0 ..< T.
public struct NoiseSchedule: Hashable, Sendable {
    /// The numbers of training timesteps that are supported.
    public static let numTrainTimestepsRange = 1...100_000

    /// T, the number of training timesteps.
    public let numTrainTimesteps: Int
    /// The shape of beta over the timesteps.
    public let betaSchedule: BetaSchedule
    /// The first beta of the linear schedules.
    public let betaStart: Double
    /// The last beta of the linear schedules.
    public let betaEnd: Double
    /// alphaBar_t, the product of 1 - beta up to and including t; shape [numTrainTimesteps], each strictly between 0
    /// and 1.
    ///
    /// These are the single-precision numbers that PyTorch computes and the policy was trained with. The rounding is
    /// part of the schedule: where beta is 0.999, rounding it to `Float` moves alphaBar by 3e-5 of its value.
    public let alphasCumprod: [Float]

    /// Computes the schedule.
    ///
    /// - Parameters:
    ///   - numTrainTimesteps: T, within `numTrainTimestepsRange`.
    ///   - betaSchedule: The shape of beta.
    ///   - betaStart: The first beta, in (0, 1).
    ///   - betaEnd: The last beta, in (0, 1).
    /// - Throws: `SamplerError` if a value is outside its range, or if alphaBar reaches 0 or 1.
    public init(
        numTrainTimesteps: Int,
        betaSchedule: BetaSchedule,
        betaStart: Double = 0.0001,
        betaEnd: Double = 0.02
    ) throws(SamplerError) {
        guard Self.numTrainTimestepsRange.contains(numTrainTimesteps) else {
            throw .numTrainTimesteps(found: numTrainTimesteps, allowed: Self.numTrainTimestepsRange)
        }
        guard betaStart > 0, betaStart < 1 else { throw .beta(field: "beta_start", found: betaStart) }
        guard betaEnd > 0, betaEnd < 1 else { throw .beta(field: "beta_end", found: betaEnd) }

        self.numTrainTimesteps = numTrainTimesteps
        self.betaSchedule = betaSchedule
        self.betaStart = betaStart
        self.betaEnd = betaEnd

        let betas =
            switch betaSchedule {
            case .squaredcosCapV2:
                squaredCosineBetas(count: numTrainTimesteps, maximum: 0.999)
            case .linear:
                linspace(from: Float(betaStart), to: Float(betaEnd), count: numTrainTimesteps)
            case .scaledLinear:
                linspace(
                    from: Float(betaStart.squareRoot()),
                    to: Float(betaEnd.squareRoot()),
                    count: numTrainTimesteps
                ).map { $0 * $0 }
            }

        var alphasCumprod: [Float] = []
        alphasCumprod.reserveCapacity(numTrainTimesteps)
        // PyTorch's cumprod of a float tensor accumulates in double and rounds each result.
        var product = 1.0
        for (timestep, beta) in betas.enumerated() {
            product *= Double(1 - beta)
            let alphaCumprod = Float(product)
            guard alphaCumprod > 0, alphaCumprod < 1 else {
                throw .degenerateSchedule(timestep: timestep, alphaCumprod: alphaCumprod)
            }
            alphasCumprod.append(alphaCumprod)
        }
        self.alphasCumprod = alphasCumprod
    }

    /// The signal and noise scales at a training timestep, or those of the clean sample where `timestep` is nil.
    func level(at timestep: Int?) -> NoiseLevel {
        NoiseLevel(alphaCumprod: timestep.map { Double(alphasCumprod[$0]) } ?? 1)
    }
}

/// One noise level of a variance-preserving process: x = alpha x_0 + sigma epsilon, with alpha^2 + sigma^2 = 1.
struct NoiseLevel {
    /// alphaBar, alpha squared.
    let alphaCumprod: Double
    /// The signal's scale.
    let alpha: Double
    /// The noise's scale.
    let sigma: Double

    init(alphaCumprod: Double) {
        self.alphaCumprod = alphaCumprod
        alpha = alphaCumprod.squareRoot()
        sigma = (1 - alphaCumprod).squareRoot()
    }

    private init(alphaCumprod: Double, alpha: Double, sigma: Double) {
        self.alphaCumprod = alphaCumprod
        self.alpha = alpha
        self.sigma = sigma
    }

    /// Half the log of the signal-to-noise ratio; infinite where there is no noise.
    var lambda: Double { 0.5 * (log(alphaCumprod) - log(1 - alphaCumprod)) }

    /// The same level with alpha and sigma computed in single precision from their ratio, as diffusers' DPM-Solver
    /// does. At the noisiest timestep of the squared-cosine schedule the last bit of sigma is worth 1e-4 in x_0.
    var roundedLikeDPMSolver: NoiseLevel {
        let alphaCumprod = Float(alphaCumprod)
        let ratio = ((1 - alphaCumprod) / alphaCumprod).squareRoot()
        let alpha = 1 / (ratio * ratio + 1).squareRoot()
        return NoiseLevel(alphaCumprod: self.alphaCumprod, alpha: Double(alpha), sigma: Double(ratio * alpha))
    }

    /// The variance of the step from this level to `next`, given the clean sample: (1 - alphaBar_next) /
    /// (1 - alphaBar) beta, where beta = 1 - alphaBar / alphaBar_next. Ho et al., equation 7. At least 1e-20, as in
    /// diffusers.
    func posteriorVariance(to next: NoiseLevel) -> Double {
        let beta = 1 - alphaCumprod / next.alphaCumprod
        return max((1 - next.alphaCumprod) / (1 - alphaCumprod) * beta, 1e-20)
    }
}

private func squaredCosineBetas(count: Int, maximum: Double) -> [Float] {
    func alphaBar(_ time: Double) -> Double {
        let cosine = cos((time + 0.008) / 1.008 * Double.pi / 2)
        return cosine * cosine
    }
    return (0..<count).map { index in
        let start = Double(index) / Double(count)
        let end = Double(index + 1) / Double(count)
        return Float(min(1 - alphaBar(end) / alphaBar(start), maximum))
    }
}

/// `count` evenly spaced numbers from `start` to `end` inclusive, counted from the nearer end by fused multiply-adds, as
/// PyTorch does.
private func linspace(from start: Float, to end: Float, count: Int) -> [Float] {
    guard count > 1 else { return [start] }
    let step = (end - start) / Float(count - 1)
    return (0..<count).map { (index: Int) -> Float in
        index < count / 2
            ? start.addingProduct(step, Float(index))
            : end.addingProduct(-step, Float(count - 1 - index))
    }
}
