/// Turns what a robot is asked to do into what it may be told, command by command.
///
/// Every result is finite and within position and workspace, and no position moves faster than its velocity. Acceleration is
/// kept as well, save where the workspace holds the robot where it is. A target that keeps every limit is passed on
/// unchanged. One that does not is followed as fast as the limits allow, and met at its own speed: a target that stands still
/// is not overshot.
///
/// Sums are in double precision, in which no difference of two `Float`s over an interval overflows.
public struct CommandLimiter: Sendable {
    /// A command that keeps the limits.
    public struct Command: Sendable, Hashable {
        /// What to tell the robot, [actionDim].
        public let action: [Float]
        /// Which limit changed it; nil where it is what was asked.
        public let violation: String?
    }

    /// One dimension of the motion.
    fileprivate struct Motion: Sendable {
        /// The last number, before it was rounded to a `Float`.
        var last: Double?
        /// The speed of a position over the last interval, or the last number of a velocity.
        var velocity = 0.0
        /// The last target, within the range.
        var target: Double?
    }

    private let limits: ActionLimits
    private let period: Double
    private var motions: [Motion]
    private var last: [Float]?

    /// A part of a limit that arithmetic may exceed without being told of.
    static let slack = 1e-4

    /// A limiter that knows of no motion yet: the first command may be anywhere within position and workspace.
    ///
    /// - Parameter period: the time from one command to the next where none is left out, in seconds, above 0.
    public init(_ limits: ActionLimits, period: Float) {
        precondition(period > 0 && period.isFinite, "period is \(period)")
        self.limits = limits
        self.period = Double(period)
        motions = Array(repeating: Motion(), count: limits.dimensions.count)
    }

    /// The last command; nil where there has been none since the motion began.
    public var lastAction: [Float]? { last }

    /// Whether the last command left the robot at rest, as far as the limits know of motion.
    public var isAtRest: Bool { motions.allSatisfy { $0.velocity == 0 } }

    /// Begins a motion at rest: at `action` where the robot's place is known, else wherever the first command is.
    ///
    /// A place outside the limits is taken as it is. A robot there gets commands only where one leads back inside at once
    /// without being too fast.
    public mutating func begin(at action: [Float]?) {
        precondition(action == nil || action?.count == motions.count, "an action of another size")
        last = action.flatMap { $0.allSatisfy(\.isFinite) ? $0 : nil }
        for (index, dimension) in limits.dimensions.enumerated() {
            // The rest of a speed is 0, wherever the robot is.
            if dimension.kind == .velocity { last?[index] = 0 }
            motions[index] = Motion(last: last.map { Double($0[index]) })
        }
    }

    /// The next command.
    ///
    /// - Parameters:
    ///   - target: What is asked, [actionDim].
    ///   - interval: The time since the last command, in seconds, above 0.
    /// - Returns: nil where there is no command that keeps the limits: the target is not finite, the first one is outside the
    ///   workspace, or the robot is outside and cannot be inside after `interval`.
    public mutating func next(towards target: [Float], after interval: Float) -> Command? {
        precondition(target.count == motions.count, "an action of another size")
        guard interval > 0, interval.isFinite, target.allSatisfy(\.isFinite) else { return nil }
        var moved = motions
        var violation: String?
        for (index, dimension) in limits.dimensions.enumerated() {
            guard
                let limit = moved[index].move(
                    towards: Double(target[index]),
                    dimension,
                    interval: Double(interval),
                    period: period
                )
            else { return nil }
            if case .changed(let name) = limit, violation == nil {
                violation =
                    "\(dimension.name): \(name) limit; asked for \(target[index]), kept to \(moved[index].rounded)"
            }
        }
        if let workspace = limits.workspace, !workspace.contains(moved.map(\.rounded)) {
            guard isHeld(&moved, in: workspace) else { return nil }
            violation = violation ?? "the tool would leave the workspace"
        }
        take(moved)
        return Command(action: moved.map(\.rounded), violation: violation)
    }

    /// The next command on the way to rest, as fast as the limits allow.
    ///
    /// - Returns: nil where no motion has begun, or where it began outside the limits and is still there.
    public mutating func brake(after interval: Float) -> Command? {
        guard last != nil, interval > 0, interval.isFinite else { return nil }
        var moved = motions
        for (index, dimension) in limits.dimensions.enumerated() {
            guard moved[index].brake(dimension, interval: Double(interval)) else { return nil }
        }
        if let workspace = limits.workspace, !workspace.contains(moved.map(\.rounded)) {
            guard isHeld(&moved, in: workspace) else { return nil }
        }
        take(moved)
        return Command(action: moved.map(\.rounded), violation: nil)
    }

    /// Puts every position back to where it was. Returns whether that is in the workspace.
    private func isHeld(_ moved: inout [Motion], in workspace: Workspace) -> Bool {
        guard last != nil else { return false }
        for (index, dimension) in limits.dimensions.enumerated() where dimension.kind == .position {
            moved[index].last = motions[index].last
            moved[index].velocity = 0
        }
        return workspace.contains(moved.map(\.rounded))
    }

    private mutating func take(_ moved: [Motion]) {
        motions = moved
        last = moved.map(\.rounded)
    }
}

extension CommandLimiter.Motion {
    enum Limit {
        case kept
        case changed(String)
    }

    /// The number as it is sent.
    var rounded: Float { Float(last ?? 0) }

    /// Moves on by an interval. Returns the first limit that changed where to, or nil where no limit can be kept.
    mutating func move(
        towards asked: Double,
        _ dimension: ActionLimits.Dimension,
        interval: Double,
        period: Double
    ) -> Limit? {
        let range = dimension.doubleRange
        let inRange = min(max(asked, range.lowerBound), range.upperBound)
        var limit = Limit.kept
        func changes(_ found: Double, _ kept: Double, scale: Double, _ name: String) {
            guard case .kept = limit, abs(found - kept) > CommandLimiter.slack * max(scale, abs(kept)) else {
                return
            }
            limit = .changed(name)
        }
        changes(asked, inRange, scale: 0, dimension.kind == .position ? "position" : "velocity")
        switch dimension.kind {
        case .velocity:
            var value = inRange
            if let acceleration = dimension.acceleration {
                let change = Double(acceleration) * interval
                value = min(max(inRange, velocity - change), velocity + change)
                changes(inRange, value, scale: change, "acceleration")
            }
            (last, velocity, target) = (value, value, inRange)
        case .position:
            guard let last else {
                (self.last, velocity, target) = (inRange, 0, inRange)
                break
            }
            let top = dimension.velocity.map(Double.init) ?? .infinity
            let wanted = (inRange - last) / interval
            var speed = min(max(wanted, -top), top)
            changes(wanted, speed, scale: top, "velocity")
            if let acceleration = dimension.acceleration.map(Double.init) {
                let before = speed
                let change = acceleration * interval
                // Where the robot is not on the target's way, it comes in at the target's speed.
                if let target, target != last || abs(speed - velocity) > change {
                    let targetSpeed = min(max((inRange - target) / interval, -top), top)
                    let behind = inRange - last - targetSpeed * interval
                    let approach = Self.stoppable(within: abs(behind), acceleration, interval, period)
                    speed = min(max(targetSpeed + (behind < 0 ? -approach : approach), -top), top)
                    if abs(speed - wanted) < 1e-12 * max(abs(wanted), change) { speed = wanted }
                }
                // It must be possible to stop before the end of the range.
                speed = min(
                    speed,
                    Self.stoppable(within: range.upperBound - last, acceleration, interval, period)
                )
                speed = max(
                    speed,
                    -Self.stoppable(within: last - range.lowerBound, acceleration, interval, period)
                )
                speed = min(max(speed, velocity - change), velocity + change)
                changes(before, speed, scale: change, "acceleration")
            }
            // The target itself where nothing is in its way: last + speed * interval may differ by rounding.
            let reached = speed == wanted ? inRange : last + speed * interval
            guard arrive(at: reached, dimension, interval: interval, speed: speed) else { return nil }
            target = inRange
        }
        return limit
    }

    /// Slows down for an interval. Returns false where no motion has begun, or where it began outside its range and is there.
    mutating func brake(_ dimension: ActionLimits.Dimension, interval: Double) -> Bool {
        guard let last else { return false }
        target = nil
        let change = dimension.acceleration.map { Double($0) * interval } ?? .infinity
        let speed = velocity > 0 ? max(velocity - change, 0) : min(velocity + change, 0)
        switch dimension.kind {
        case .velocity:
            (self.last, velocity) = (speed, speed)
        case .position:
            // To come to rest is no reason to begin to move.
            guard dimension.doubleRange.contains(last) else { return false }
            let reached = last + speed * interval
            guard arrive(at: reached, dimension, interval: interval, speed: speed) else { return false }
            // What is left of a motion after rounding.
            if self.last == last { velocity = 0 }
        }
        return true
    }

    /// Goes to the nearest place in the range. Returns false, having done nothing, where the robot is outside its range, and
    /// inside is further than it may go from rest.
    private mutating func arrive(
        at place: Double,
        _ dimension: ActionLimits.Dimension,
        interval: Double,
        speed: Double
    ) -> Bool {
        guard let last else { return false }
        let range = dimension.doubleRange
        let value = min(max(place, range.lowerBound), range.upperBound)
        if !range.contains(last) {
            let top = dimension.velocity.map(Double.init) ?? .infinity
            let fastest = min(top, dimension.acceleration.map { Double($0) * interval } ?? .infinity)
            guard abs(value - last) <= fastest * interval else { return false }
        }
        velocity = value == place ? speed : (value - last) / interval
        self.last = value
        return true
    }

    /// The largest speed for the next interval from which one can stop within a distance, where each of the periods that
    /// follow takes off as much as `acceleration` allows.
    ///
    /// With u = acceleration * period, a speed of (n + f) u, n a whole number and 0 <= f < 1, goes on for (n - 1 + f) u,
    /// (n - 2 + f) u, ..., f u. In units of u * period, with r = interval / period, all that is
    /// (n + f) r + n (n - 1) / 2 + n f, which is solved for n, then for f.
    private static func stoppable(
        within distance: Double,
        _ acceleration: Double,
        _ interval: Double,
        _ period: Double
    ) -> Double {
        guard distance > 0 else { return 0 }
        let unit = acceleration * period
        let (left, ratio) = (distance / (unit * period), interval / period)
        let half = ratio - 0.5
        let whole = ((half * half + 2 * left).squareRoot() - half).rounded(.down)
        // Beyond, a whole number of units is not told from the next.
        guard whole < 1e6 else { return ((half * half + 2 * left).squareRoot() - half - 1) * unit }
        let part = (left - whole * ratio - whole * (whole - 1) / 2) / (whole + ratio)
        return max(whole + part, 0) * unit
    }
}

extension ActionLimits.Dimension {
    fileprivate var doubleRange: ClosedRange<Double> { Double(range.lowerBound)...Double(range.upperBound) }
}
