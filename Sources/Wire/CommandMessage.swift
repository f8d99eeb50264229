/// What a robot is to do at one tick of its control: published under the topic `command.<robot>`.
public struct CommandMessage: Sendable, Hashable {
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
    /// `running`, or `holding`: the robot is brought to rest and kept there.
    public var state: String
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
        state: String,
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

    /// Reads a published command.
    public init(decoding bytes: [UInt8], limits: MessagePackLimits = .standard) throws(MessageError) {
        let envelope = try Envelope(bytes, limits: limits)
        try envelope.expect("command")
        let fields = envelope.fields
        robot = try fields.robot()
        episode = try fields.episode()
        tick = try fields.unsigned("tick")
        step = try fields.double("step")
        timeNs = try fields.unsigned("time_ns")
        let (elements, shape) = try NumericArray.decode(fields.value("action"), field: "action")
        guard shape.count == 1 else {
            throw MessageError(.badArray, field: "action.shape", "found \(shape), expected [action_dim]")
        }
        action = elements
        sequence = try fields.unsigned("sequence")
        state = try fields.string("state")
        isLimited = try fields.bool("limited")
        publishedNs = try fields.unsigned("published_ns")
        wallNs = try fields.unsigned("wall_ns")
    }

    /// The message as published.
    ///
    /// - Parameter arrayKeys: how the keys of arrays are packed.
    public func encoded(arrayKeys: ArrayKeys = .binary) -> [UInt8] {
        let encoder = MessagePackEncoder()
        encoder.message("command", fields: 11)
        encoder.string("robot")
        encoder.string(robot.text)
        encoder.string("episode")
        encoder.episode(episode)
        encoder.string("tick")
        encoder.unsigned(tick)
        encoder.string("step")
        encoder.float(step)
        encoder.string("time_ns")
        encoder.unsigned(timeNs)
        encoder.string("action")
        NumericArray.encode(action, shape: [action.count], keys: arrayKeys, to: encoder)
        encoder.string("sequence")
        encoder.unsigned(sequence)
        encoder.string("state")
        encoder.string(state)
        encoder.string("limited")
        encoder.bool(isLimited)
        encoder.string("published_ns")
        encoder.unsigned(publishedNs)
        encoder.string("wall_ns")
        encoder.unsigned(wallNs)
        return encoder.bytes
    }
}
