/// What a person wants of a robot.
public enum RobotOrder: Sendable, Hashable {
    /// It is brought to rest, and nothing more is sent until somebody resumes it.
    case stop
    /// It is brought to rest and kept there by commands until somebody resumes it. One that is at rest is stopped.
    case hold
    /// It may move again.
    ///
    /// `seen`: the number of the newest stop that whoever asks has seen. A robot that was stopped later stays stopped.
    case resume(seen: UInt64)

    /// The order in one word.
    public var word: String {
        switch self {
        case .stop: "stop"
        case .hold: "hold"
        case .resume: "resume"
        }
    }
}

/// What has become of a ``RobotOrder``.
public struct OrderOutcome: Sendable, Hashable {
    /// How many robots have changed their state.
    public var robots: Int
    /// The robot's state afterwards; nil if the order was for every robot.
    public var state: RobotState?
    /// What led to the state, for people; empty if the order was for every robot.
    public var reason: String
    /// The number of the newest stop, of the robot or of any.
    public var stop: UInt64
    /// Whether a restart of the daemon knows of it.
    public var isKept: Bool
    /// Why it does not, in words; nil if it does, or if the daemon has no file to keep it in.
    public var problem: String?

    /// An outcome.
    public init(
        robots: Int,
        state: RobotState? = nil,
        reason: String = "",
        stop: UInt64,
        isKept: Bool = false,
        problem: String? = nil
    ) {
        self.robots = robots
        self.state = state
        self.reason = reason
        self.stop = stop
        self.isKept = isKept
        self.problem = problem
    }
}
