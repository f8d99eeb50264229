/// How a robot is.
public struct RobotStatus: Sendable, Hashable {
    /// Its state.
    public var state: RobotState
    /// What led to the state.
    public var reason: String
    /// For how long it has been in that state, in nanoseconds.
    public var forNs: UInt64
    /// The episode of its newest observation.
    public var episode: EpisodeID
    /// The sequence number of its newest observation.
    public var sequence: UInt64
    /// The time since its newest observation, in nanoseconds.
    public var silentNs: UInt64
    /// Chunks published for it.
    public var chunks: UInt64
    /// Commands published for it.
    public var commands: UInt64
    /// Of those, and of its chunks, how many its limits changed or held back.
    public var limitViolations: UInt64
    /// The name of the policy that drives it, if the daemon runs several and the robot has named one.
    public var policy: String?

    /// A robot's status.
    public init(
        state: RobotState,
        reason: String,
        forNs: UInt64,
        episode: EpisodeID,
        sequence: UInt64,
        silentNs: UInt64,
        chunks: UInt64,
        commands: UInt64,
        limitViolations: UInt64
    ) {
        self.state = state
        self.reason = reason
        self.forNs = forNs
        self.episode = episode
        self.sequence = sequence
        self.silentNs = silentNs
        self.chunks = chunks
        self.commands = commands
        self.limitViolations = limitViolations
    }
}
