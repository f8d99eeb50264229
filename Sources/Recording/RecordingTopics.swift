import Robotics
import Wire

/// The kinds of messages in a recording. The raw value is the end of its topics, but for frames, whose topics end with the camera.
package enum RecordedKind: String, CaseIterable, Sendable {
    /// The first message: ``RecordingSession``.
    case session
    /// Messages are missing here.
    case gap
    /// What a camera saw: ``RecordedFrame``.
    case frame
    case observation
    case chunk
    /// The time that a chunk took, by stage.
    case latency
    case reset
    /// A chunk that nobody got.
    case unsent
    case command
    case status
    /// What happened, in words: ``RecordedRemark``.
    case log

    private static let prefix = "denoised."

    /// The kind whose schema has a name; nil for schemas of somebody else.
    package init?(schemaName: String) {
        guard let kind = Self.allCases.first(where: { $0.schemaName == schemaName }) else { return nil }
        self = kind
    }

    /// The name of its schema. Viewers know those of Foxglove's own schemas.
    package var schemaName: String {
        switch self {
        case .log: RecordedRemark.schemaName
        case .frame: RecordedFrame.schemaName
        default: Self.prefix + rawValue
        }
    }

    /// The topic of messages of this kind; `robot` is nil for what concerns no robot.
    package func topic(of robot: RobotID?) -> String { robot.map { "/\($0)/\(rawValue)" } ?? "/\(rawValue)" }

    /// The JSON Schema of its messages.
    ///
    /// - Parameter policy: whose observations are recorded; nil if that is not known.
    package func schema(for policy: PolicyDescription?) -> String {
        func text(_ title: String, _ fields: [FieldDescription]) -> String {
            RecordedSchema(fields, policy: policy).text(title: title)
        }
        switch self {
        case .session: return text("How the daemon was set up", RecordingSession.table.descriptions)
        case .gap: return text("Messages that were not recorded", RecordedGap.table.descriptions)
        case .frame: return RecordedFrame.schema
        case .observation:
            return text("An observation that was accepted", RecordedObservation.table.descriptions)
        case .chunk: return text("An action chunk that was sent", RecordedChunkMessage.table.descriptions)
        case .latency:
            return text("What a chunk took, in milliseconds", RecordedLatency.table.descriptions)
        case .reset: return text("The robot was forgotten", RecordedRobot.reset.descriptions)
        case .unsent: return text("A chunk was planned and not sent", RecordedRobot.unsent.descriptions)
        case .command:
            return text("What the robot was told to do at one tick", RobotCommand.recorded.descriptions)
        case .status: return text("The daemon's heartbeat", StatusMessage.recorded.descriptions)
        case .log: return RecordedRemark.schema
        }
    }
}
