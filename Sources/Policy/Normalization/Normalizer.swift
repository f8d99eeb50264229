/// Brings observations and actions to the network's scale, and the network's actions to the robot's units.
struct Normalizer: Sendable, Hashable {
    /// From the robot's units to the network's scale: one map for each observed feature, in condition order.
    let inputs: [AffineMap]
    /// From the network's scale to the robot's units, for the dimensions of an action.
    let actionUnnormalization: AffineMap

    /// Writes what the network is conditioned on. Allocates nothing.
    ///
    /// - Parameter condition: [nObsSteps, features]; receives the history's observations, normalised, oldest first.
    func normalize(_ history: ObservationHistory, into condition: inout [Float]) {
        history.copy(into: &condition)
        var index = 0
        for _ in 0..<history.nObsSteps {
            for feature in inputs {
                for dimension in 0..<feature.count {
                    condition[index] = feature.apply(to: condition[index], dimension: dimension)
                    index += 1
                }
            }
        }
    }

    /// The value on the network's scale of an action's number in the robot's units.
    func normalizedAction(_ value: Float, dimension: Int) -> Float {
        actionUnnormalization.inverse(value, dimension: dimension)
    }

    /// Brings a prediction to the robot's units. Allocates nothing.
    ///
    /// - Parameter prediction: [rows, actionDim], on the network's scale. Not to be used if an error is thrown.
    /// - Throws: `ActionChunkError.notFinite` for the first number that is not finite.
    func unnormalize(_ prediction: inout MutableSpan<Float>) throws(ActionChunkError) {
        actionUnnormalization.apply(to: &prediction)
        for index in prediction.indices where !prediction[index].isFinite {
            throw .notFinite(what: "predicted action", index: index, value: prediction[index])
        }
    }

    /// The largest difference of two predictions on the network's scale; dimensions that never moved do not count.
    ///
    /// - Parameters:
    ///   - prediction: [k, actionDim], in the robot's units.
    ///   - reference: likewise, for the same steps.
    func deviation(of prediction: [Float], from reference: [Float]) -> Float {
        prediction.indices.reduce(0) { largest, index in
            let scale = Float(actionUnnormalization.scale[index % actionUnnormalization.count])
            return max(largest, scale > 0 ? abs(prediction[index] - reference[index]) / scale : 0)
        }
    }
}
