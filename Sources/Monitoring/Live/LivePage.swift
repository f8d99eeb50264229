import Robotics

/// What the live page needs besides a daemon's snapshots.
public struct LivePage: Sendable {
    /// A dimension of a robot's actions.
    public struct Dimension: Sendable, Hashable {
        /// What people call it.
        public var name: String
        /// The smallest and the largest number that may be said; nil: not limited.
        public var range: ClosedRange<Float>?
        /// Where an observation tells the dimension: the element of ``Robot/feedback``; nil if none does.
        public var element: Int?

        /// A dimension.
        public init(name: String, range: ClosedRange<Float>? = nil, element: Int? = nil) {
            self.name = name
            self.range = range
            self.element = element
        }
    }

    /// What is known of a robot besides what it sends.
    public struct Robot: Sendable, Hashable {
        /// One for each number of an action, in order.
        public var dimensions: [Dimension]
        /// The feature of observations that tells where the robot is; nil if none does.
        public var feedback: String?

        /// A robot.
        public init(dimensions: [Dimension], feedback: String? = nil) {
            self.dimensions = dimensions
            self.feedback = feedback
        }
    }

    /// Carries out an order of a person: of a robot, or with nil of every one; for whom, in words; what has become of it. Must not
    /// wait for anything.
    public typealias CarryOut =
        @Sendable (
            _ order: RobotOrder,
            _ robot: RobotID?,
            _ origin: String,
            _ answer: @escaping @Sendable (Result<OrderOutcome, MessageError>) -> Void
        ) -> Void

    /// What is newest of the robots.
    public var board: LiveBoard
    /// Who may watch and give orders.
    public var access: LiveAccess
    /// What is known of a robot; nil if nothing is.
    public var robot: @Sendable (RobotID) -> Robot?
    /// Carries out orders.
    public var carryOut: CarryOut
    /// Told of requests that are refused, at most one line a second.
    public var warn: @Sendable (String) -> Void

    /// A live page.
    public init(
        board: LiveBoard,
        access: LiveAccess,
        robot: @escaping @Sendable (RobotID) -> Robot? = { _ in nil },
        carryOut: @escaping CarryOut,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.board = board
        self.access = access
        self.robot = robot
        self.carryOut = carryOut
        self.warn = warn
    }
}
