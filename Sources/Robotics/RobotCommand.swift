/// What a robot is to do at one tick of its control: published under the topic `command.<robot>`.
public struct RobotCommand: Sendable, Hashable {
    /// Whose command it is.
    public var robot: RobotID
    /// The episode of the observations that the chunk in force was planned from.
    public var episode: EpisodeID
    /// Counts the ticks from control step 0 of the episode on, at the rate of commands.
    public var tick: UInt64
    /// The control step that the tick falls on; between two steps where commands are more frequent than those.
    public var step: Double
    /// When the command is meant to take effect, in nanoseconds of the robot's own clock.
    public var timeNs: UInt64
    /// The action in the robot's units, [actionDim], within the robot's limits.
    public var action: [Float]
    /// The sequence number of the observation that the chunk in force answers.
    public var sequence: UInt64
    /// What the robot is told to do.
    public enum State: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
        /// It carries out a chunk.
        case running
        /// It is brought to rest and kept there.
        case holding

        /// As messages write it.
        public var description: String { rawValue }
    }

    /// Whether it carries out a chunk or is brought to rest.
    public var state: State
    /// Whether the limits changed the action.
    public var isLimited: Bool
    /// The daemon's monotonic clock when the command was packed, in nanoseconds.
    public var publishedNs: UInt64
    /// The daemon's wall clock (since 1970, UTC) at the same moment, in nanoseconds.
    public var wallNs: UInt64

    /// A command.
    public init(
        robot: RobotID,
        episode: EpisodeID,
        tick: UInt64,
        step: Double,
        timeNs: UInt64,
        action: [Float],
        sequence: UInt64,
        state: State,
        isLimited: Bool,
        publishedNs: UInt64,
        wallNs: UInt64
    ) {
        self.robot = robot
        self.episode = episode
        self.tick = tick
        self.step = step
        self.timeNs = timeNs
        self.action = action
        self.sequence = sequence
        self.state = state
        self.isLimited = isLimited
        self.publishedNs = publishedNs
        self.wallNs = wallNs
    }
}
