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
        let members = try Self.members(of: document, "the file", named: Keys.allCases.map(\.rawValue))
        guard case .integer(Self.version) = members[0] else {
            throw Damage(problem: "version: found \(members[0].summary), expected \(Self.version)")
        }
        everyRobot = members[1] == .null ? nil : try Self.stop(members[1], "every_robot")
        guard case .object(let robots) = members[2], robots.members.count <= Self.mostRobots else {
            throw Damage(
                problem:
                    "robots: found \(members[2].summary), expected an object of at most \(Self.mostRobots)"
            )
        }
        for (name, value) in robots.members {
            self.robots[try Self.robot(name, "robots")] = try Self.stop(value, "robots.\(name)")
        }
        guard case .array(let released) = members[3], released.count <= Self.mostRobots else {
            throw Damage(
                problem:
                    "released: found \(members[3].summary), expected a list of at most \(Self.mostRobots)"
            )
        }
        for value in released {
            guard case .string(let name) = value else {
                throw Damage(problem: "released: found \(value.summary), expected robots' ids")
            }
            self.released.insert(try Self.robot(name, "released"))
        }
        guard everyRobot != nil || self.released.isEmpty, self.released.isDisjoint(with: self.robots.keys)
        else {
            throw Damage(problem: "released: found robots that are stopped, or no stop to be released from")
        }
    }

    private static func members(
        of value: JSONValue,
        _ path: String,
        named names: [String]
    ) throws(Damage) -> [JSONValue] {
        guard case .object(let object) = value else {
            throw Damage(problem: "\(path): found \(value.summary), expected an object")
        }
        if let unknown = object.members.first(where: { !names.contains($0.name) }) {
            throw Damage(
                problem: "\(path): found \(unknown.name.quoted), expected \(names.joined(separator: ", "))"
            )
        }
        var values: [JSONValue] = []
        for name in names {
            guard let value = object[name] else { throw Damage(problem: "\(path): \(name) is missing") }
            values.append(value)
        }
        return values
    }

    private static func robot(_ name: String, _ path: String) throws(Damage) -> RobotID {
        guard let robot = RobotID(name) else {
            throw Damage(problem: "\(path): found \(name.quoted), expected a robot's id")
        }
        return robot
    }

    private static func stop(_ value: JSONValue, _ path: String) throws(Damage) -> Stop {
        let members = try members(of: value, path, named: ["state", "reason", "time"])
        guard case .string(let state) = members[0], state == stopped || state == faulted else {
            throw Damage(problem: "\(path).state: found \(members[0].summary), expected stopped or faulted")
        }
        guard case .string(let reason) = members[1], case .string(let time) = members[2] else {
            throw Damage(problem: "\(path): found a reason or a time that is no string")
        }
        return Stop(isFault: state == faulted, reason: reason, time: time)
    }
}
