/// Brings observations and actions to the network's scale, and the network's actions to the robot's units.
struct Normalizer: Sendable, Hashable {
    /// From the robot's units to the network's scale: one map for each observed feature, in condition order.
    let inputs: [AffineMap]
    /// Numbers of a step that come from cameras. They stand behind the first feature, the robot's state.
    let visionCount: Int
    /// From the network's scale to the robot's units, for the dimensions of an action.
    let actionUnnormalization: AffineMap

    /// Numbers of a step: state, what cameras see, environment state.
    var stepCount: Int { inputs.reduce(visionCount) { $0 + $1.count } }

    /// The numbers of a step that come from cameras.
    func visionRange(step: Int) -> Range<Int> {
        let first = step * stepCount + inputs[0].count
        return first..<first + visionCount
    }

    /// Writes the numbers that the network is conditioned on, but for those that come from cameras. Allocates nothing.
    ///
    /// - Parameter condition: [nObsSteps, stepCount]; receives the history's observations, normalised, oldest first.
    func normalize(_ history: ObservationHistory, into condition: inout [Float]) {
        precondition(condition.count == history.nObsSteps * stepCount, "a condition of another size")
        var index = 0
        for step in 0..<history.nObsSteps {
            var number = 0
            for (place, feature) in inputs.enumerated() {
                for dimension in 0..<feature.count {
                    condition[index] = feature.apply(
                        to: history.number(number, step: step),
                        dimension: dimension
                    )
                    index += 1
                    number += 1
                }
                if place == 0 { index += visionCount }
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
