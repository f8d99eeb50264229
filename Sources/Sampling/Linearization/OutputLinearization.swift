/// A linear model of the network at each step: how the clean sample x_0 follows the sample x, near the trajectories that a
/// policy samples.
///
/// dx_0 = gain dx, with one gain for all elements, or with a matrix over the horizon for each action dimension. The model
/// also has the size of its error. The gain is near 0 in noisy steps, where the observation decides x_0, and near 1 in the
/// last ones, where the sample decides. A matrix also tells slow changes of a sample, which x_0 follows early, from fast
/// ones. With the model an output that was evaluated at a guess of x stays useful when the guess moves.
public struct OutputLinearization: Hashable, Sendable, Codable {
    /// dx_0 / dx, not negative; shape [numInferenceSteps].
    public let gains: [Float]
    /// Largest error of dx_0 for each unit of the largest element of dx, without rounding; positive; shape
    /// [numInferenceSteps].
    public let errors: [Float]
    /// Largest change of x_0 through rounding in the network, measured with a negligible displacement; shape
    /// [numInferenceSteps].
    public let rounding: [Float]
    /// Distance of x_0 from the mean of the x_0 of the two neighbouring steps, in the largest element; not negative; shape
    /// [numInferenceSteps].
    public let volatility: [Float]
    /// Matrices dx_0 / dx over the horizon, the same for every action dimension; shape [numInferenceSteps, horizon,
    /// horizon], a row for each element of x_0. Empty if the gains are used.
    public let matrices: [Float]

    /// The rows and columns of a matrix; 0 without.
    var horizon: Int {
        gains.isEmpty ? 0 : Int(Double(matrices.count / gains.count).squareRoot())
    }

    /// Creates a linearisation. All arrays but `matrices` have one number for each step.
    public init(
        gains: [Float],
        errors: [Float],
        rounding: [Float],
        volatility: [Float],
        matrices: [Float] = []
    ) {
        precondition(
            [errors.count, rounding.count, volatility.count].allSatisfy { $0 == gains.count },
            "\(gains.count) gains, \(errors.count) errors, \(rounding.count) roundings, \(volatility.count) volatilities"
        )
        self.gains = gains
        self.errors = errors
        self.rounding = rounding
        self.volatility = volatility
        self.matrices = matrices
        precondition(
            matrices.count == gains.count * horizon * horizon,
            "\(matrices.count) numbers are not \(gains.count) square matrices"
        )
    }

    /// By how much x_0 is expected to change in a step whose x changes by `displacement`; both [horizon, actionDim].
    @inline(__always)
    func expectX0Change(step: Int, displacement: [Float], into change: inout [Float]) {
        guard !matrices.isEmpty else {
            for element in displacement.indices { change[element] = gains[step] * displacement[element] }
            return
        }
        let horizon = horizon
        let actionDim = displacement.count / horizon
        for row in 0..<horizon {
            for dimension in 0..<actionDim {
                var sum: Float = 0
                for column in 0..<horizon {
                    sum +=
                        matrices[(step * horizon + row) * horizon + column]
                        * displacement[column * actionDim + dimension]
                }
                change[row * actionDim + dimension] = sum
            }
        }
    }

    /// The model of the steps from `first` on.
    func suffix(from first: Int) -> OutputLinearization {
        guard first > 0 else { return self }
        return OutputLinearization(
            gains: Array(gains[first...]),
            errors: Array(errors[first...]),
            rounding: Array(rounding[first...]),
            volatility: Array(volatility[first...]),
            matrices: matrices.isEmpty ? [] : Array(matrices[(first * horizon * horizon)...])
        )
    }

    /// The model before any measurement: x_0 does not follow x, may be off as much as x is, and has unbounded volatility.
    static func unknown(steps: Int) -> OutputLinearization {
        OutputLinearization(
            gains: [Float](repeating: 0, count: steps),
            errors: [Float](repeating: 1, count: steps),
            rounding: [Float](repeating: 0, count: steps),
            volatility: [Float](repeating: .infinity, count: steps)
        )
    }
}
