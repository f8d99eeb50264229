/// What a robot may be told to do, dimension by dimension of its actions.
public struct ActionLimits: Sendable, Hashable {
    /// What the number in a dimension stands for.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A place to be at: rest is the last one.
        case position
        /// A speed to have: rest is 0.
        case velocity
    }

    /// The limits of one dimension. What is nil is not limited.
    public struct Dimension: Sendable, Hashable {
        /// What people call it.
        public var name: String
        /// What its number stands for.
        public var kind: Kind
        /// Where a position must be, in the robot's units.
        public var position: ClosedRange<Float>?
        /// The largest speed, in units a second, above 0.
        public var velocity: Float?
        /// The largest gain of speed, in units a second squared, above 0.
        public var acceleration: Float?
        /// The largest loss of speed, in units a second squared, above 0; nil: as `acceleration`.
        public var deceleration: Float?
        /// The largest change of acceleration, in units a second cubed, above 0.
        public var jerk: Float?

        /// A dimension with these limits.
        public init(
            name: String,
            kind: Kind = .position,
            position: ClosedRange<Float>? = nil,
            velocity: Float? = nil,
            acceleration: Float? = nil,
            deceleration: Float? = nil,
            jerk: Float? = nil
        ) {
            self.name = name
            self.kind = kind
            self.position = position
            self.velocity = velocity
            self.acceleration = acceleration
            self.deceleration = deceleration
            self.jerk = jerk
        }
    }

    /// What happens if a command would break a limit.
    public enum Reaction: String, Sendable, Hashable, CaseIterable {
        /// It is changed to the nearest one that does not.
        case clamp
        /// The robot is brought to rest and stopped until somebody resumes it.
        case stop
    }

    /// One for each number of an action, in order.
    public var dimensions: [Dimension]
    /// Where the tool must be; nil if nothing is known of it.
    public var workspace: Workspace?
    /// What happens if a command would break a limit.
    public var onViolation: Reaction

    /// Limits.
    public init(dimensions: [Dimension], workspace: Workspace? = nil, onViolation: Reaction = .clamp) {
        self.dimensions = dimensions
        self.workspace = workspace
        self.onViolation = onViolation
    }

    /// No limits, but for numbers being finite.
    public static func none(actionDim: Int) -> ActionLimits {
        ActionLimits(dimensions: (0..<actionDim).map { Dimension(name: "action[\($0)]") })
    }

    /// Which limit an action, [dimensions.count], breaks, of those that can be told from it alone: position, a velocity that
    /// is the action itself, workspace; nil if it breaks none. A ten-thousandth beyond a bound is rounding.
    public func violation(of action: ArraySlice<Float>) -> String? {
        for (dimension, value) in zip(dimensions, action) {
            guard value.isFinite else { return "\(dimension.name) is \(value), expected a finite number" }
            let allowed = dimension.clamped(value)
            let excess = abs(Double(value) - Double(allowed))
            guard excess <= CommandLimiter.slack * Double(abs(allowed)) else {
                let range = dimension.range
                return "\(dimension.name) is \(value), expected \(range.lowerBound) to \(range.upperBound)"
            }
        }
        if let workspace, !workspace.contains(zip(dimensions, action).map { $0.clamped($1) }) {
            return "the tool is outside the workspace"
        }
        return nil
    }
}

extension ActionLimits.Dimension {
    /// The nearest number that may be said, whatever was said before.
    public func clamped(_ value: Float) -> Float { min(max(value, range.lowerBound), range.upperBound) }

    /// What the number itself may be.
    var range: ClosedRange<Float> {
        switch kind {
        case .position: position ?? -.greatestFiniteMagnitude...Float.greatestFiniteMagnitude
        case .velocity:
            -(velocity ?? .greatestFiniteMagnitude)...(velocity ?? .greatestFiniteMagnitude)
        }
    }
}
