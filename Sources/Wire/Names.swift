/// A robot's id: 1 to 64 of the ASCII letters, digits, `_`, `-`, `.`, `:` and `/`.
public struct RobotID: Sendable, Hashable, CustomStringConvertible {
    /// The id's text.
    public let text: String

    /// The id, or nil where the text is not one.
    public init?(_ text: String) {
        guard isName(text) else { return nil }
        self.text = text
    }

    /// What an id may be, in words for an error message.
    public static let rule = "1 to 64 ASCII letters, digits, _ - . : or /"

    /// The id's text.
    public var description: String { text }

    /// The first frame of this robot's observations.
    public var observationTopic: [UInt8] { Array("\(Topic.observation)\(text)".utf8) }

    /// The first frame of the chunks for this robot.
    public var chunkTopic: [UInt8] { Array("\(Topic.chunk)\(text)".utf8) }

    /// The first frame of the commands for this robot.
    public var commandTopic: [UInt8] { Array("\(Topic.command)\(text)".utf8) }
}

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

/// An episode's id: an integer from 0 up, or a text of the form that a robot's id has.
public enum EpisodeID: Sendable, Hashable, CustomStringConvertible {
    case number(UInt64)
    case name(String)

    /// The id as text.
    public var description: String {
        switch self {
        case .number(let number): "\(number)"
        case .name(let name): name
        }
    }
}

private func isName(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
                UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "/"):
                true
            default: false
            }
        }
}

private let nameRule = RobotID.rule

extension FieldReader {
    func robot() throws(MessageError) -> RobotID {
        let text = try string("robot")
        guard let robot = RobotID(text) else {
            throw MessageError(
                .outOfRange,
                field: path(of: "robot"),
                "found \"\(printable(text, limit: 80))\", expected \(nameRule)"
            )
        }
        return robot
    }

    func episode() throws(MessageError) -> EpisodeID {
        let value = try value("episode")
        if let number = value.wholeNumber { return .number(number) }
        switch value {
        case .string(let name) where isName(name):
            return .name(name)
        default:
            let isNameable = if case .string = value { true } else { false }
            throw MessageError(
                isNameable ? .outOfRange : .wrongType,
                field: path(of: "episode"),
                "found \(value.summary), expected an integer from 0 up or \(nameRule)"
            )
        }
    }
}

extension MessagePackEncoder {
    func episode(_ episode: EpisodeID) {
        switch episode {
        case .number(let number): unsigned(number)
        case .name(let name): string(name)
        }
    }
}
