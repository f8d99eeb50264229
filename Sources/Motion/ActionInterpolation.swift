/// What a robot carries out between two control steps.
public enum ActionInterpolation: String, Sendable, Hashable, CaseIterable {
    /// The action of the step that has begun, to its end.
    case hold
    /// On a straight line from the step's action to the next one's.
    case linear
    /// On a cubic through the actions, with continuous velocity and no overshoot: between two steps every dimension stays
    /// between its values there. The slopes are those of Fritsch and Butland, *A Method for Constructing Local Monotone Piecewise
    /// Cubic Interpolants*, SIAM Journal on Scientific and Statistical Computing 5, 1984: the harmonic mean of the slopes on
    /// both sides, 0 at a turning point.
    case cubic

    /// How many steps after the one that has begun must not change any more for the motion to stay continuous when a chunk takes
    /// over: the step that is being approached, and for the cubic the one after it, which bends the way there.
    public var lookahead: Int {
        switch self {
        case .hold: 0
        case .linear: 1
        case .cubic: 2
        }
    }
}

extension ActionPlan {
    /// What to carry out at a time in control steps, where step k begins at time k and its action is reached.
    ///
    /// - Parameters:
    ///   - time: in control steps since the episode's start.
    ///   - interpolation: what is carried out between two steps; after the last action of the plan, that one is held for its
    ///     step.
    /// - Returns: the action, [actionDim], in the robot's units; nil if the plan has none for the step that `time` lies in.
    public func action(at time: Double, interpolation: ActionInterpolation) -> [Float]? {
        guard time >= 0, time < Double(UInt64.max), let here = action(at: UInt64(time))?.values else {
            return nil
        }
        let step = UInt64(time)
        let part = Float(time - Double(step))
        guard interpolation != .hold, part > 0, let next = values(at: step + 1, like: here) else {
            return here
        }
        if interpolation == .linear { return zip(here, next).map { $0 + part * ($1 - $0) } }

        let before = step > 0 ? values(at: step - 1, like: here) : nil
        let after = values(at: step + 2, like: here)
        return here.indices.map { dimension in
            let slope = next[dimension] - here[dimension]
            return Self.cubic(
                from: here[dimension],
                slope: before.map { Self.tangent(here[dimension] - $0[dimension], slope) } ?? slope,
                to: next[dimension],
                slope: after.map { Self.tangent(slope, $0[dimension] - next[dimension]) } ?? slope,
                at: part
            )
        }
    }

    private func values(at step: UInt64, like other: [Float]) -> [Float]? {
        guard let values = action(at: step)?.values, values.count == other.count else { return nil }
        return values
    }

    /// The slope at a knot from those of the segments before and after it.
    private static func tangent(_ before: Float, _ after: Float) -> Float {
        guard before != 0, after != 0, (before < 0) == (after < 0) else { return 0 }
        return 2 * before / (1 + before / after)
    }

    /// The cubic with these values and slopes at 0 and 1 (Hermite's form).
    private static func cubic(
        from start: Float,
        slope startSlope: Float,
        to end: Float,
        slope endSlope: Float,
        at part: Float
    ) -> Float {
        let rest = 1 - part
        let value =
            start * rest * rest * (1 + 2 * part) + end * part * part * (1 + 2 * rest)
            + part * rest * (startSlope * rest - endSlope * part)
        // Rounding may leave the interval by a last digit.
        return min(max(value, min(start, end)), max(start, end))
    }
}
