import MCAP
import Robotics
import StrictJSON
import Wire

/// What a recording's messages say of how chunks were made: what reports are made from.
package enum RecordedTiming: Sendable {
    case session(RecordingSession)
    /// Messages are missing here.
    case gap(lost: UInt64)
    /// A chunk, without its actions and times.
    case chunk(RobotChunk)
    /// The time that the robot's chunk with this number took, stage by stage.
    case latency(robot: String, sequence: UInt64, RobotChunk.Stages)

    /// Reads a message; nil for one that says nothing of chunks.
    ///
    /// - Throws: ``RecordedMessageError``.
    package init?(_ message: RecordedMessage) throws(RecordedMessageError) {
        switch RecordedKind(schemaName: message.schema) {
        case .session: self = .session(try RecordingSession.table.read(message))
        case .gap: self = .gap(lost: try RecordedGap.table.read(message).lost)
        case .chunk: self = .chunk(try RecordedChunkMessage.timed.read(message).chunk)
        case .latency: self = try Self.latency(of: message)
        default: return nil
        }
    }

    /// A recording has the stages in milliseconds, for plots.
    private static func latency(of message: RecordedMessage) throws(RecordedMessageError) -> RecordedTiming {
        let object = try JSONObject(of: message)
        func nanoseconds(_ name: String) throws(RecordedMessageError) -> UInt64? {
            guard let value = object["\(name)_ms"] else { return nil }
            guard let milliseconds = value.double, (0...1e9).contains(milliseconds) else {
                throw RecordedMessageError(
                    message,
                    field: "\(name)_ms",
                    "found \(value.summary), expected milliseconds from 0 to 1e9"
                )
            }
            return UInt64((milliseconds * 1e6).rounded())
        }
        func required(_ name: String) throws(RecordedMessageError) -> UInt64 {
            guard let time = try nanoseconds(name) else {
                throw RecordedMessageError(message, field: "\(name)_ms", "the field is missing")
            }
            return time
        }
        guard let sequence = object["sequence"]?.wholeNumber else {
            throw RecordedMessageError(
                message,
                field: "sequence",
                "found \(object["sequence"]?.summary ?? "nothing"), expected an integer from 0 up"
            )
        }
        let stages = RobotChunk.Stages(
            decode: try required("decode"),
            queue: try required("queue"),
            vision: try nanoseconds("vision"),
            condition: try required("condition"),
            sample: try required("sample"),
            encode: try required("encode"),
            total: try required("total")
        )
        // The topic is /<robot>/latency.
        let robot = message.topic.split(separator: "/").first.map(String.init) ?? ""
        return .latency(robot: robot, sequence: sequence, stages)
    }
}

extension RecordedChunkMessage {
    /// What a report reads.
    fileprivate static let timed: MessageTable<RecordedChunkMessage> = {
        let names: Set = [
            "robot", "episode", "sequence", "first_step", "solver", "steps", "method", "window", "tolerance",
            "iterations", "evaluations", "quality", "coarse_steps", "passes",
        ]
        return table.selecting { names.contains($0.name) }
    }()
}
