import CKernels

/// The FiLM scales and shifts of all residual blocks (Perez et al. 2018, equation 2).
///
/// A block's scales and shifts are `W Mish([timestep embedding, observation condition]) + b`: linear in two terms that do
/// not meet before the sum. The timestep's term, with the bias, is computed for every timestep when the network is built;
/// the observation's term once for each observation; a forward pass only adds the two.
package struct FiLMConditioning: ~Copyable {
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
    /// The numbers of a batch's entries, [maximumBatch, count], and a vector more, which kernels may read and ignore.
    private let rows: FloatBuffer

    /// The first entry's numbers; those of the others follow, `count` apart.
    var numbers: UnsafePointer<Float> { UnsafePointer(rows.pointer) }

    /// - Parameters:
    ///   - timesteps: the timesteps that will be asked for.
    ///   - embeddings: [timesteps, embeddingDim], each timestep's embedding as the encoder gives it.
    ///   - weights: for each block [blockCount, embeddingDim + conditionDim].
    ///   - biases: for each block [blockCount].
    ///   - maximumBatch: the most entries of a batch.
    ///   - maximumConditions: how many conditions are kept at once.
    package init(
        timesteps: [Int],
        embeddings: [Float],
        embeddingDim: Int,
        conditionDim: Int,
        weights: [[Float]],
        biases: [[Float]],
        maximumBatch: Int,
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
        self.rows = FloatBuffer(count: maximumBatch * bias.count + Int(dn_lanes))
        let activated = FloatBuffer(embeddings.map(mish))
        Linear(weight: timestepWeight, bias: bias)(
            activated.pointer,
            rows: timesteps.count,
            into: timestepPart.pointer
        )
    }

    /// Computes the observation's term for `condition` [conditionDim], and keeps it as number `index`.
    package func setCondition(_ condition: Span<Float>, at index: Int) {
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

    /// Writes an entry's FiLM numbers: those for a timestep under the condition last set as number `condition`.
    ///
    /// - Parameter entry: below `maximumBatch`.
    package func write(timestep: Int, condition: Int, entry: Int) {
        guard let index = timesteps.firstIndex(of: timestep) else {
            preconditionFailure("timestep \(timestep) is not one of those this network was built for")
        }
        let row = timestepPart.pointer + index * count
        let part = conditionPart.pointer + condition * count
        let output = rows.pointer + entry * count
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
