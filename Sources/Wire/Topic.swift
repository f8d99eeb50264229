import Robotics

/// What the topics of published messages begin with; the robot's id follows.
public enum Topic {
    /// The prefix of observations.
    public static let observation = "observation."
    /// The prefix of chunks.
    public static let chunk = "chunk."
    /// The prefix of commands.
    public static let command = "command."
    /// The whole topic of the heartbeat.
    public static let status = "status"
}

extension RobotID {
    /// The first frame of this robot's observations.
    public var observationTopic: [UInt8] { Array("\(Topic.observation)\(text)".utf8) }

    /// The first frame of the chunks for this robot.
    public var chunkTopic: [UInt8] { Array("\(Topic.chunk)\(text)".utf8) }

    /// The first frame of the commands for this robot.
    public var commandTopic: [UInt8] { Array("\(Topic.command)\(text)".utf8) }
}
