/// Turns what a robot is asked to do into what it may be told, command by command.
///
/// Every result is finite and within position and workspace, and no position moves faster than its velocity. Acceleration,
/// deceleration and jerk are kept as well, unless the workspace holds the robot in place. A target that keeps every limit is
/// passed on unchanged. One that does not is followed as fast as the limits allow, and met at its own speed: a target that
/// stands still is not overshot.
///
/// Limits hold by the time that passes between two commands, which the caller gives with each of them.
///
/// Sums are in double precision, in which no difference of two `Float`s over an interval overflows.
public struct CommandLimiter: Sendable {
    /// A command that keeps the limits.
    public struct Command: Sendable, Hashable {
        /// What to tell the robot, [actionDim].
        public let action: [Float]
        /// Which limit changed it; nil if it is what was asked.
        public let violation: String?
    }

    private let limits: ActionLimits
    private let axes: [AxisLimits]
    private var motions: [AxisMotion]
    private var last: [Float]?

    /// The fraction of a limit by which arithmetic may exceed it without being told of.
    static let slack = 1e-4

    /// A limiter that knows of no motion yet: the first command may be anywhere within position and workspace.
    ///
    /// - Parameters:
    ///   - limits: what commands must keep.
    ///   - period: the shortest time from one command to the next, in seconds, above 0. The limiter counts on no
    ///     shorter one when it decides how fast a robot may go and still stop before the end of its range.
    public init(_ limits: ActionLimits, period: Double) {
        precondition(period > 0 && period.isFinite, "period is \(period)")
        self.limits = limits
        axes = limits.dimensions.map { AxisLimits($0, period: period) }
        motions = Array(repeating: AxisMotion(at: nil), count: limits.dimensions.count)
    }

    /// The last command; nil if there has been none since the motion began.
    public var lastAction: [Float]? { last }

    /// Whether the last command left the robot at rest, as far as the limits know of motion.
    public var isAtRest: Bool { zip(motions, axes).allSatisfy { $0.isAtRest($1) } }

    /// Begins a motion at rest: at `action` if the robot's place is known, else wherever the first command is.
    ///
    /// A place outside the limits is taken as it is. A robot there gets commands only if one leads back inside at once
    /// without being too fast.
    public mutating func begin(at action: [Float]?) {
        precondition(action == nil || action?.count == motions.count, "an action of another size")
        last = action.flatMap { $0.allSatisfy(\.isFinite) ? $0 : nil }
        for (index, axis) in axes.enumerated() {
            // The rest of a speed is 0, wherever the robot is.
            if axis.kind == .velocity { last?[index] = 0 }
            motions[index] = AxisMotion(at: last.map { Double($0[index]) })
        }
    }

    /// Ends the motion at the last command, at once: no command went out for so long that the robot stands.
    public mutating func rest() {
        for (index, axis) in axes.enumerated() { motions[index].rest(axis) }
        last = last.map { _ in motions.map(\.rounded) }
    }

    /// The next command.
    ///
    /// - Parameters:
    ///   - target: What is asked, [actionDim].
    ///   - interval: The time since the last command, in seconds, above 0.
    /// - Returns: nil if there is no command that keeps the limits: the target is not finite, the first one is outside the
    ///   workspace, or the robot is outside and cannot be inside after `interval`.
    public mutating func next(towards target: [Float], after interval: Double) -> Command? {
        precondition(target.count == motions.count, "an action of another size")
        guard interval > 0, interval.isFinite, target.allSatisfy(\.isFinite) else { return nil }
        var moved = motions
        var violation: String?
        for (index, axis) in axes.enumerated() {
            switch moved[index].move(towards: Double(target[index]), within: axis, interval: interval) {
            case .impossible: return nil
            case .kept: break
            case .changed(let name):
                guard violation == nil else { continue }
                violation =
                    "\(limits.dimensions[index].name): \(name) limit; "
                    + "asked for \(target[index]), kept to \(moved[index].rounded)"
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
    /// - Returns: nil if no motion has begun, or if it began outside the limits and is still there.
    public mutating func brake(after interval: Double) -> Command? {
        guard last != nil, interval > 0, interval.isFinite else { return nil }
        var moved = motions
        for (index, axis) in axes.enumerated() {
            guard moved[index].brake(within: axis, interval: interval) else { return nil }
        }
        if let workspace = limits.workspace, !workspace.contains(moved.map(\.rounded)) {
            guard isHeld(&moved, in: workspace) else { return nil }
        }
        take(moved)
        return Command(action: moved.map(\.rounded), violation: nil)
    }

    /// Puts every position back to where it was. Returns whether that is in the workspace.
    private func isHeld(_ moved: inout [AxisMotion], in workspace: Workspace) -> Bool {
        guard last != nil else { return false }
        for (index, axis) in axes.enumerated() where axis.kind == .position {
            moved[index].hold(at: motions[index])
        }
        return workspace.contains(moved.map(\.rounded))
    }

    private mutating func take(_ moved: [AxisMotion]) {
        motions = moved
        last = moved.map(\.rounded)
    }
}
