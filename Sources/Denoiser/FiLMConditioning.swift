/// The FiLM scales and shifts of all residual blocks (Perez et al. 2018, equation 2).
///
/// A block's scales and shifts are `W Mish([timestep embedding, observation condition]) + b`: linear in two parts that do
/// not meet before the sum. The timestep's part, with the bias, is computed for every timestep when the network is built;
/// the observation's part once for each observation; a forward pass only adds the two.
struct FiLMConditioning: ~Copyable {
    /// FiLM numbers of all blocks together.
    let count: Int
    private let conditionDim: Int
    private let timesteps: [Int]
    /// [timesteps, count]
    private let timestepPart: FloatBuffer
    /// [maximumConditions, count]
    private let conditionPart: FloatBuffer
    /// [conditionDim, count]
    private let conditionWeight: FloatBuffer

    /// - Parameters:
    ///   - timesteps: the timesteps that will be asked for.
    ///   - embeddings: [timesteps, embeddingDim], each timestep's embedding as the encoder gives it.
    ///   - weights: for each block [blockCount, embeddingDim + conditionDim].
    ///   - biases: for each block [blockCount].
    ///   - maximumConditions: how many conditions are kept at once.
    init(
        timesteps: [Int],
        embeddings: [Float],
        embeddingDim: Int,
        conditionDim: Int,
        weights: [[Float]],
        biases: [[Float]],
        maximumConditions: Int
    ) {
        let inFeatures = embeddingDim + conditionDim
        let bias = biases.flatMap { $0 }
        self.count = bias.count
        self.conditionDim = conditionDim
        self.timesteps = timesteps

        var timestepWeight: [Float] = []
        var conditionWeight = [Float](repeating: 0, count: bias.count * conditionDim)
        var column = 0
        timestepWeight.reserveCapacity(bias.count * embeddingDim)
        for weight in weights {
            for row in 0..<(weight.count / inFeatures) {
                let start = row * inFeatures
                timestepWeight += weight[start..<(start + embeddingDim)]
                for feature in 0..<conditionDim {
                    conditionWeight[feature * bias.count + column] = weight[start + embeddingDim + feature]
                }
                column += 1
            }
        }
        self.conditionWeight = FloatBuffer(conditionWeight)
        self.conditionPart = FloatBuffer(count: maximumConditions * bias.count)
        self.timestepPart = FloatBuffer(count: timesteps.count * bias.count)
        let activated = FloatBuffer(embeddings.map(mish))
        Linear(weight: timestepWeight, bias: bias)(
            activated.pointer,
            rows: timesteps.count,
            into: timestepPart.pointer
        )
    }

    /// Computes the observation's part for `condition` [conditionDim], and keeps it as number `index`.
    func setCondition(_ condition: Span<Float>, at index: Int) {
        precondition(
            condition.count == conditionDim,
            "a condition of this network has \(conditionDim) numbers"
        )
        // Not a product of BLAS, which would bring threads of its own, and allocate, for a large network.
        let part = conditionPart.pointer + index * count
        part.update(repeating: 0, count: count)
        for feature in 0..<conditionDim {
            let value = mish(condition[feature])
            let row = conditionWeight.pointer + feature * count
            for column in 0..<count { part[column] += value * row[column] }
        }
    }

    /// Writes the FiLM numbers [count] for a timestep under the condition last set as number `condition`.
    func write(timestep: Int, condition: Int, into output: UnsafeMutablePointer<Float>) {
        guard let index = timesteps.firstIndex(of: timestep) else {
            preconditionFailure("timestep \(timestep) is not one of those this network was built for")
        }
        let row = timestepPart.pointer + index * count
        let part = conditionPart.pointer + condition * count
        for value in 0..<count { output[value] = row[value] + part[value] }
    }
}

extension FiLMShape {
    /// Scales and shifts one sample's `values` [length, channels] in place.
    ///
    /// - Parameter film: the sample's row of FiLM numbers of all layers.
    func apply(_ film: UnsafePointer<Float>, to values: UnsafeMutablePointer<Float>, length: Int) {
        let numbers = film + offset
        if hasScale {
            for time in 0..<length {
                let row = values + time * channels
                for channel in 0..<channels { row[channel] *= numbers[channel] }
            }
        }
        let shift = hasScale ? numbers + channels : numbers
        for time in 0..<length {
            let row = values + time * channels
            for channel in 0..<channels { row[channel] += shift[channel] }
        }
    }
}
