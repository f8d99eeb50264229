import Fields
import Foundation
import Robotics
import StrictJSON

/// Why a robot may not move until somebody resumes it.
package struct Stop: Sendable, Hashable {
    /// Whether the policy failed; else somebody or something stopped the robot.
    package let isFault: Bool
    /// What led to it, for people: one line of at most ``longestReason`` characters.
    package let reason: String
    /// When, in UTC, for people.
    package let time: String

    package static let longestReason = 200

    /// A stop at a time that is text already.
    package init(isFault: Bool = false, reason: String, time: String) {
        self.isFault = isFault
        self.reason = Self.line(reason)
        self.time = Self.line(time)
    }

    /// A stop at a time of the wall clock, in nanoseconds since 1970.
    package init(isFault: Bool = false, reason: String, wallNs: UInt64) {
        let date = Date(timeIntervalSince1970: Double(wallNs / 1_000_000_000))
        self.init(isFault: isFault, reason: reason, time: date.formatted(.iso8601))
    }

    /// Text that came from elsewhere must neither forge a line of the log nor fill it.
    private static func line(_ text: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(longestReason) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: scalars.append(" ")
            default: scalars.append(scalar)
            }
        }
        return String(scalars)
    }
}

/// Which robots are stopped: what outlives the daemon, as the text of a state file.
package struct Stops: Sendable, Hashable {
    /// The stop of every robot, also of those heard later; nil if there is none.
    package var everyRobot: Stop?
    /// The robots with a stop of their own.
    package var robots: [RobotID: Stop] = [:]
    /// The robots that were resumed one by one while every robot is stopped. Empty without ``everyRobot``.
    package var released: Set<RobotID> = []

    /// Stops of these robots; of none unless told otherwise.
    package init(everyRobot: Stop? = nil, robots: [RobotID: Stop] = [:], released: Set<RobotID> = []) {
        self.everyRobot = everyRobot
        self.robots = robots
        self.released = released
    }

    /// Why a text is not a state file's.
    package struct Damage: Error {
        package let problem: String
    }

    package static let version = 1
    /// The most robots that a text may name; the most that a daemon keeps are fewer.
    package static let mostRobots = 4096
}

// MARK: As text

extension Stops {
    private struct Text: Encodable {
        struct Entry: Encodable {
            let state: String
            let reason: String
            let time: String

            init(_ stop: Stop) {
                state = stop.isFault ? Stops.faulted : Stops.stopped
                reason = stop.reason
                time = stop.time
            }
        }

        let version: Int
        let every_robot: Entry?
        let robots: [String: Entry]
        let released: [String]

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: Keys.self)
            try values.encode(version, forKey: .version)
            // Also if it is nil: a member that is missing was lost.
            try values.encode(every_robot, forKey: .everyRobot)
            try values.encode(robots, forKey: .robots)
            try values.encode(released, forKey: .released)
        }
    }

    private enum Keys: String, CodingKey, CaseIterable {
        case version
        case everyRobot = "every_robot"
        case robots
        case released
    }

    private static let stopped = "stopped"
    private static let faulted = "faulted"

    /// The text of a state file: JSON, a line for each fact.
    package func text() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let text = Text(
            version: Self.version,
            every_robot: everyRobot.map(Text.Entry.init),
            robots: Dictionary(uniqueKeysWithValues: robots.map { ($0.key.text, Text.Entry($0.value)) }),
            released: released.map(\.text).sorted()
        )
        return try encoder.encode(text) + Data("\n".utf8)
    }

    /// Reads the text of a state file. Every member must be there and none else: what is not understood could be a stop.
    ///
    /// - Throws: ``Damage`` that names the member, the value found and what was expected.
    package init(text: [UInt8]) throws(Damage) {
        let document: JSONValue
        do throws(JSONSyntaxError) {
            document = try JSONValue(parsing: text, maximumValues: 16 * Self.mostRobots)
        } catch {
            throw Damage(problem: "not JSON: \(error.problem) (byte \(error.offset))")
        }
        let file = FieldReader(document, of: StateText())
        try file.checkNames(Keys.allCases.map(\.rawValue))
        let version = try file.required(Keys.version.rawValue)
        guard try version.unsigned() == UInt64(Self.version) else {
            throw version.error(.outOfRange, expected: "\(Self.version)")
        }
        let every = try file.required(Keys.everyRobot.rawValue)
        everyRobot = every.node.isNull ? nil : try Self.stop(every)
        let robots = try file.required(Keys.robots.rawValue)
        let stops = try robots.members()
        guard stops.count <= Self.mostRobots else {
            throw robots.error(.outOfRange, expected: "an object of at most \(Self.mostRobots)")
        }
        for (name, stop) in stops {
            guard let robot = RobotID(name) else {
                throw robots.error(.outOfRange, found: name.quoted, expected: RobotID.rule)
            }
            self.robots[robot] = try Self.stop(stop)
        }
        for name in try file.required(Keys.released.rawValue).elements(0...Self.mostRobots) {
            guard let robot = RobotID(try name.string()) else {
                throw name.error(.outOfRange, expected: RobotID.rule)
            }
            self.released.insert(robot)
        }
        guard everyRobot != nil || self.released.isEmpty, self.released.isDisjoint(with: self.robots.keys)
        else {
            throw Damage(problem: "released: found robots that are stopped, or no stop to be released from")
        }
    }

    private static func stop(_ stop: FieldReader<StateText>) throws(Damage) -> Stop {
        try stop.checkNames(["state", "reason", "time"])
        let state = try stop.required("state")
        guard [stopped, faulted].contains(try state.string()) else {
            throw state.error(.outOfRange, expected: "\(stopped) or \(faulted)")
        }
        return Stop(
            isFault: state.node.text == faulted,
            reason: try stop.string("reason"),
            time: try stop.string("time")
        )
    }
}

/// The text of a state file as a source of fields.
private struct StateText: FieldSource {
    typealias Node = JSONValue

    static var words: FieldWords { .json }
    static var null: FieldNull { .value }

    func failure(_ problem: FieldProblem) -> Stops.Damage {
        Stops.Damage(problem: "\(problem.field ?? "the file"): \(problem.message)")
    }
}
