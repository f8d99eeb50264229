import ForeignText
import Robotics
import Transport
import Wire

/// A message to the observation socket: `[topic, observation]`, or the observation alone.
///
/// A publisher that keeps the newest message only (ZMQ_CONFLATE) sends the last frame and no topic.
struct ObservationFrames {
    /// What the frames must be, for errors.
    private static let expected =
        "expected the topic \(Topic.observation)<robot> and the observation, or the observation alone"
    /// The longest topic that a robot has, in bytes.
    private static let longestTopic = Topic.observation.utf8.count + 64

    /// Whose allowance of messages it draws on: the topic, or that of the robot it names. Empty for an observation without a topic
    /// in which no robot is found.
    let sender: [UInt8]
    /// The bytes of all frames.
    let bytes: Int
    private let topic: [UInt8]?
    private let body: [UInt8]

    /// - Parameter longestObservation: the most bytes that an observation may have.
    /// - Throws: `MessageError` `bad_frames` and `too_large`.
    init(_ message: ReceivedMessage, longestObservation: Int) throws(MessageError) {
        let last = message.frames.count - 1
        guard last <= 1 else { throw MessageError(.badFrames, "more than 2 frames, \(Self.expected)") }
        let topic = last == 1 ? message.frames[0] : nil
        if let topic { try Self.check(topic, bytes: message.frameBytes[0]) }
        guard !message.isLeftOut(last) else {
            throw .tooLong(message.frameBytes[last], limit: longestObservation)
        }
        let body = message.frames[last]
        guard topic != nil || Self.beginsMap(body) else {
            let isTopic = body.starts(with: Topic.observation.utf8)
            let found =
                isTopic ? "the topic alone" : "one frame of \(body.count) bytes that is no MessagePack map"
            throw MessageError(.badFrames, "\(found), \(Self.expected)")
        }
        self.topic = topic
        self.body = body
        sender = topic ?? RobotID.peek(in: body.span)?.observationTopic ?? []
        bytes = message.frameBytes.reduce(0, +)
    }

    /// The observation.
    /// - Throws: `MessageError` if it cannot be read, or the topic is another robot's.
    func decode(limits: MessagePackLimits) throws(MessageError) -> RobotObservation {
        let observation = try RobotObservation(decoding: body, limits: limits)
        if let topic, topic != observation.robot.observationTopic {
            throw MessageError(
                .badFrames,
                "the topic is \"\(Self.text(topic))\", expected \(Topic.observation)\(observation.robot), "
                    + "as the robot's id requires"
            )
        }
        return observation
    }

    private static func check(_ topic: [UInt8], bytes: Int) throws(MessageError) {
        guard bytes <= longestTopic else {
            throw MessageError(
                .badFrames,
                "the topic has \(bytes) bytes, a robot's at most \(longestTopic); \(expected)"
            )
        }
        guard topic.starts(with: Topic.observation.utf8) else {
            throw MessageError(.badFrames, "the topic is \"\(text(topic))\", \(expected)")
        }
    }

    private static func text(_ topic: [UInt8]) -> String {
        printable(String(decoding: topic, as: UTF8.self), limit: longestTopic)
    }

    private static func beginsMap(_ body: [UInt8]) -> Bool {
        guard let first = body.first else { return false }
        return (0x80...0x8f).contains(first) || first == 0xde || first == 0xdf
    }
}
