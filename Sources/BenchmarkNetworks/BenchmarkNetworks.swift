import Compute
import Networks
import NumPyRandom

extension UNet1DArchitecture {
    /// The UNet of the Diffusion Policy paper for PushT with keypoints: 65.8 million parameters, 2 observations of
    /// 20 numbers.
    public static let paper = checked {
        try UNet1DArchitecture(
            actionDim: 2,
            horizon: 16,
            conditionDim: 40,
            downDims: [256, 512, 1024],
            kernelSize: 5,
            nGroups: 8,
            diffusionStepEmbedDim: 256,
            useFiLMScaleModulation: true
        )
    }

    /// The UNet that LeRobot trains by default (`DiffusionConfig`), for PushT with keypoints: 249 million parameters, a horizon of
    /// 64 and 2 observations of 20 numbers.
    public static let lerobot = checked {
        try UNet1DArchitecture(
            actionDim: 2,
            horizon: 64,
            conditionDim: 40,
            downDims: [512, 1024, 2048],
            kernelSize: 5,
            nGroups: 8,
            diffusionStepEmbedDim: 128,
            useFiLMScaleModulation: true
        )
    }

    /// The networks that benchmarks know by a name.
    public static let named = ["paper": paper, "lerobot": lerobot]

    private static func checked(_ make: () throws -> UNet1DArchitecture) -> UNet1DArchitecture {
        do {
            return try make()
        } catch {
            preconditionFailure("a benchmark's architecture must pass its own checks: \(error)")
        }
    }

    /// Seeded random values for a parameter, for benchmarks and tests that need a network but no training.
    ///
    /// Parameter `i` of `parameters` is `numpy.random.default_rng([seed, i]).uniform(-a, a, shape)` with
    /// `a = sqrt(3 / fanIn)`, which keeps activations near unit scale; a normalisation's gain is
    /// 1 + that with `a = 0.1`, and a bias has `a = 0.1`.
    ///
    /// - Parameters:
    ///   - parameter: one of `parameters`.
    ///   - seed: of the random numbers; another seed gives another network.
    public func randomValues(for parameter: NetworkParameter, seed: UInt64) -> [Float] {
        randomNumbers(for: parameter, of: parameters, seed: seed)
    }
}

extension ResNetArchitecture {
    /// Seeded random values for a parameter, by the rule of ``UNet1DArchitecture/randomValues(for:seed:)``; a running variance is a
    /// gain.
    ///
    /// - Parameters:
    ///   - parameter: one of `parameters`.
    ///   - seed: of the random numbers; another seed gives another network.
    public func randomValues(for parameter: NetworkParameter, seed: UInt64) -> [Float] {
        randomNumbers(for: parameter, of: parameters, seed: seed)
    }
}

private func randomNumbers(
    for parameter: NetworkParameter,
    of parameters: [NetworkParameter],
    seed: UInt64
) -> [Float] {
    guard let index = parameters.firstIndex(of: parameter) else {
        preconditionFailure("\(parameter.name) \(parameter.shape) is no parameter of this architecture")
    }
    var generator = PCG64(SeedSequence(entropy: [seed, UInt64(index)]))
    let fanIn = parameter.shape.dropFirst().reduce(1, *)
    let isVector = parameter.shape.count == 1
    let isGain = isVector && (parameter.name.hasSuffix(".weight") || parameter.name.hasSuffix("_var"))
    let bound = isVector ? 0.1 : (3 / Double(fanIn)).squareRoot()
    return (0..<parameter.count).map { _ in
        Float((isGain ? 1 : 0) + generator.uniform(low: -bound, high: bound))
    }
}
