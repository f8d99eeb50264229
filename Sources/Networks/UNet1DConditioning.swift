import Compute

extension FiLMConditioning {
    /// The FiLM of a UNet's layers, under the timesteps' embeddings as its encoder gives them.
    ///
    /// - Throws: what `parameter` throws.
    init<Failure: Error>(
        _ architecture: UNet1DArchitecture,
        timesteps: [Int],
        maximumBatch: Int,
        maximumConditions: Int,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        var weights: [[Float]] = []
        var biases: [[Float]] = []
        for modulation in architecture.modulations {
            weights.append(try parameter(modulation.linear.weight))
            biases.append(try parameter(modulation.linear.bias))
        }
        let (first, second) = architecture.timestepEncoder
        self.init(
            timesteps: timesteps,
            embeddings: encode(
                timesteps: timesteps,
                dim: architecture.diffusionStepEmbedDim,
                first: try Linear(first, parameter: parameter),
                second: try Linear(second, parameter: parameter)
            ),
            embeddingDim: architecture.diffusionStepEmbedDim,
            conditionDim: architecture.conditionDim,
            weights: weights,
            biases: biases,
            maximumBatch: maximumBatch,
            maximumConditions: maximumConditions
        )
    }
}

extension Linear {
    fileprivate init<Failure: Error>(
        _ shape: LinearShape,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        self.init(weight: try parameter(shape.weight), bias: try parameter(shape.bias))
    }
}

/// The timestep encoder: sinusoidal embedding, linear to four times its size, Mish, linear back.
///
/// - Returns: [timesteps, dim].
private func encode(
    timesteps: [Int],
    dim: Int,
    first: borrowing Linear,
    second: borrowing Linear
) -> [Float] {
    let embedded = timesteps.flatMap { sinusoidalPositionEmbedding(timestep: $0, dim: dim) }
    return second(first(embedded).map(mish))
}
