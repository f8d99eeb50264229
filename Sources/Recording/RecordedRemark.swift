import Planning
import Robotics
import StrictJSON
import Wire

/// A line of a recording's log, in the form of Foxglove's schema for logs, which viewers have a panel for.
package struct RecordedRemark: Hashable {
    /// How much it matters; the raw values are Foxglove's.
    package enum Level: Int, CaseIterable {
        case unknown, debug, info, warning, error, fatal
    }

    package let level: Level
    /// Whom it is about: a robot's id, or `denoised`.
    package let name: String
    /// What happened, in one line.
    package let message: String

    /// About the daemon.
    package static let daemon = "denoised"

    /// Messages are missing before this line.
    package static func gap(lost: UInt64) -> RecordedRemark {
        RecordedRemark(level: .warning, name: daemon, message: "\(lost) messages were not recorded")
    }

    /// The line as it is recorded.
    ///
    /// - Parameter timeNs: the wall clock, in nanoseconds since 1970 (UTC).
    package func json(timeNs: UInt64) -> [UInt8] {
        JSONBuilder.object { object in
            object.member("timestamp") { Foxglove.write(timeNs: timeNs, to: &$0) }
            object.member("level", level.rawValue)
            object.member("message", message)
            object.member("name", name)
            // Required by the schema; the lines come from no place in a source file.
            object.member("file", "")
            object.member("line", 0)
        }
    }

    package static let schemaName = "foxglove.Log"

    /// The fields of https://docs.foxglove.dev/docs/sdk/schemas/log. The level is of one type, and of the constants that the
    /// published schema lists: viewers show their titles.
    package static var schema: String {
        let bytes = JSONBuilder.object { schema in
            schema.member("title", schemaName)
            schema.member("type", "object")
            schema.member("properties") { properties in
                properties.member("timestamp") { Foxglove.writeTimeSchema(to: &$0) }
                properties.member("level") { type in
                    type.member("type", "integer")
                    type.member("title", "foxglove.LogLevel")
                    type.member("oneOf", objects: Level.allCases) { alternative, level in
                        alternative.member("title", "\(level)".uppercased())
                        alternative.member("const", level.rawValue)
                    }
                }
                for name in ["message", "name", "file"] {
                    properties.member(name) { $0.member("type", "string") }
                }
                properties.member("line") { line in
                    line.member("type", "integer")
                    line.member("minimum", 0)
                }
            }
            schema.member("required", ["timestamp", "level", "message", "name", "file", "line"])
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Finds what is worth a line in the log: what one heartbeat says and the one before did not.
package struct HeartbeatChanges {
    private var states: [String: RobotState] = [:]
    /// By their text without numbers, which change while a warning stays the same: "has not answered for 3 s".
    private var warnings: [String: String] = [:]

    /// Robots whose state is another than in the heartbeat before, and warnings that are new or over.
    ///
    /// A robot that is seen first counts as idle before, so that robots that only ask for predictions fill no log.
    package mutating func remarks(on status: StatusMessage) -> [RecordedRemark] {
        var remarks: [RecordedRemark] = []
        for (name, robot) in status.robots.sorted(by: { $0.key < $1.key })
        where robot.state != states[name] ?? .idle {
            let isTrouble = robot.state != .idle && robot.state != .running
            remarks.append(
                RecordedRemark(
                    level: isTrouble ? .warning : .info,
                    name: name,
                    message: "\(name) is \(robot.state.rawValue): \(robot.reason)"
                )
            )
        }
        states = status.robots.mapValues(\.state)

        let current = Dictionary(
            status.warnings.map { ($0.filter { !$0.isNumber }, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        func add(_ level: RecordedRemark.Level, _ message: String) {
            remarks.append(RecordedRemark(level: level, name: RecordedRemark.daemon, message: message))
        }
        for (key, text) in current.sorted(by: { $0.key < $1.key }) where warnings[key] == nil {
            add(.warning, text)
        }
        for (key, text) in warnings.sorted(by: { $0.key < $1.key }) where current[key] == nil {
            add(.info, "no longer: \(text)")
        }
        warnings = current
        return remarks
    }
}
