/// Turns what a robot is asked to do into what it may be told, command by command.
///
/// Position and workspace are never left. Velocity and acceleration are kept as well, save where a position at its very
/// edge, or the workspace, could not be kept otherwise. Every result is finite.
public struct CommandLimiter: Sendable {
    /// A command that keeps the limits.
    public struct Command: Sendable, Hashable {
        /// What to tell the robot, [actionDim].
        public let action: [Float]
        /// Which limit changed it; nil where it is what was asked.
        public let violation: String?
    }

    private let limits: ActionLimits
    private var last: [Float]?
    private var velocity: [Float]

    /// A part of a limit that arithmetic may exceed without being told of.
    private static let slack: Float = 1e-4

    /// A limiter that knows of no motion yet: the first command may be anywhere within position and workspace.
    public init(_ limits: ActionLimits) {
        self.limits = limits
        velocity = Array(repeating: 0, count: limits.dimensions.count)
    }

    /// The last command; nil where there has been none since the motion began.
    public var lastAction: [Float]? { last }

    /// Whether the last command left the robot at rest, as far as the limits know of motion.
    public var isAtRest: Bool { velocity.allSatisfy { $0 == 0 } }

    /// Begins a motion at rest: at `action` where the robot's place is known, else wherever the first command is.
    public mutating func begin(at action: [Float]?) {
        precondition(action == nil || action?.count == velocity.count, "an action of another size")
        last = action.flatMap { $0.allSatisfy(\.isFinite) ? $0 : nil }
        for index in velocity.indices { velocity[index] = 0 }
    }

    /// The next command.
    ///
    /// - Parameters:
    ///   - target: What is asked, [actionDim].
    ///   - interval: The time since the last command, in seconds, above 0.
    /// - Returns: nil where there is no command that keeps the limits: the target is not finite, or the first one is outside
    ///   the workspace.
    public mutating func next(towards target: [Float], after interval: Float) -> Command? {
        precondition(target.count == velocity.count, "an action of another size")
        guard target.allSatisfy(\.isFinite) else { return nil }
        var action = target
        var violation: String?
        for (index, dimension) in limits.dimensions.enumerated() {
            let (value, limit) = dimension.limited(
                target[index],
                last: last?[index],
                velocity: velocity[index],
                interval: interval
            )
            action[index] = value
            if let limit, violation == nil {
                violation = "\(dimension.name): \(limit) limit; asked for \(target[index]), kept to \(value)"
            }
        }
        if let workspace = limits.workspace, !workspace.contains(action) {
            guard let last else { return nil }
            violation = violation ?? "the tool would leave the workspace"
            action = last
        }
        take(action, after: interval)
        return Command(action: action, violation: violation)
    }

    /// The next command on the way to rest, as fast as the limits allow.
    ///
    /// - Returns: nil where no motion has begun.
    public mutating func brake(after interval: Float) -> Command? {
        guard let last else { return nil }
        var action = last
        for (index, dimension) in limits.dimensions.enumerated() {
            action[index] = dimension.braked(
                last: last[index],
                velocity: velocity[index],
                interval: interval
            )
        }
        if let workspace = limits.workspace, !workspace.contains(action) { action = last }
        take(action, after: interval)
        return Command(action: action, violation: nil)
    }

    private mutating func take(_ action: [Float], after interval: Float) {
        for (index, dimension) in limits.dimensions.enumerated() {
            switch dimension.kind {
            case .position: velocity[index] = last.map { (action[index] - $0[index]) / interval } ?? 0
            case .velocity: velocity[index] = action[index]
            }
            // What is left of a motion after rounding.
            if abs(velocity[index]) < 1e-6 * (dimension.velocity ?? 1) { velocity[index] = 0 }
        }
        last = action
    }

    fileprivate static func exceeds(_ found: Float, _ kept: Float, scale: Float) -> Bool {
        abs(found - kept) > slack * max(scale, abs(kept))
    }
}

extension ActionLimits.Dimension {
    /// A number brought within the limits, and the first limit that changed it.
    fileprivate func limited(
        _ target: Float,
        last: Float?,
        velocity: Float,
        interval: Float
    ) -> (value: Float, limit: String?) {
        let inRange = min(max(target, range.lowerBound), range.upperBound)
        var limit: String?
        if CommandLimiter.exceeds(target, inRange, scale: 0) {
            limit = kind == .position ? "position" : "velocity"
        }
        switch kind {
        case .velocity:
            guard let acceleration else { return (inRange, limit) }
            let change = acceleration * interval
            let value = min(max(inRange, velocity - change), velocity + change)
            if CommandLimiter.exceeds(inRange, value, scale: change) { limit = limit ?? "acceleration" }
            return (min(max(value, range.lowerBound), range.upperBound), limit)
        case .position:
            guard let last else { return (inRange, limit) }
            let wanted = (inRange - last) / interval
            var speed = wanted
            if let top = self.velocity {
                speed = min(max(speed, -top), top)
                if CommandLimiter.exceeds(wanted, speed, scale: top) { limit = limit ?? "velocity" }
            }
            if let acceleration {
                let change = acceleration * interval
                let before = speed
                // It must be possible to stop before the end of the range.
                speed = min(speed, stoppable(within: range.upperBound - last, acceleration, interval))
                speed = max(speed, -stoppable(within: last - range.lowerBound, acceleration, interval))
                speed = min(max(speed, velocity - change), velocity + change)
                if CommandLimiter.exceeds(before, speed, scale: change) { limit = limit ?? "acceleration" }
            }
            // The target itself where nothing is in its way: last + speed * interval may differ by rounding.
            let value = speed == wanted ? inRange : last + speed * interval
            return (min(max(value, range.lowerBound), range.upperBound), limit)
        }
    }

    /// The number after `interval` of braking.
    fileprivate func braked(last: Float, velocity: Float, interval: Float) -> Float {
        let change = acceleration.map { $0 * interval } ?? .infinity
        let speed = velocity > 0 ? max(velocity - change, 0) : min(velocity + change, 0)
        switch kind {
        case .position: return min(max(last + speed * interval, range.lowerBound), range.upperBound)
        case .velocity: return speed
        }
    }

    /// The largest speed for the next interval from which one can stop within a distance, slowing down by `acceleration`
    /// from one interval to the next: v T + v^2 / (2 a) - v T / 2 <= distance, solved for v.
    private func stoppable(within distance: Float, _ acceleration: Float, _ interval: Float) -> Float {
        guard distance > 0 else { return 0 }
        guard distance < .greatestFiniteMagnitude else { return .greatestFiniteMagnitude }
        let half = acceleration * interval / 2
        return (half * half + 2 * acceleration * distance).squareRoot() - half
    }
}
