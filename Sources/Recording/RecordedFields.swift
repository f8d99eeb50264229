import ForeignText
import MCAP
import Planning
import Robotics
import StrictJSON

/// Why a message of a recording cannot be used.
public struct RecordedMessageError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The message's topic.
    public let topic: String
    /// Its number in its topic.
    public let number: UInt32
    /// The field that is wrong; nil for the whole message.
    public let field: String?
    /// What was found and what was expected.
    public let problem: String

    /// One line: the message, the field, what is wrong.
    public var description: String {
        "\(topic.quoted) number \(number): " + (field.map { "\($0): \(problem)" } ?? problem)
    }
}

/// Reads the fields of a recorded message; each error names the message and the field.
package struct RecordedFields {
    private let topic: String
    private let number: UInt32
    private let path: String
    private let object: JSONObject

    /// - Throws: ``RecordedMessageError`` for what is no JSON object.
    package init(_ message: RecordedMessage) throws(RecordedMessageError) {
        topic = message.topic
        number = message.sequence
        path = ""
        func failure(_ problem: String) -> RecordedMessageError {
            RecordedMessageError(topic: message.topic, number: message.sequence, field: nil, problem: problem)
        }
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONValue(parsing: message.data)
        } catch {
            throw failure("not JSON: \(error.problem) (byte \(error.offset))")
        }
        guard case .object(let object) = value else {
            throw failure("found \(value.summary), expected an object")
        }
        self.object = object
    }

    private init(topic: String, number: UInt32, path: String, object: JSONObject) {
        self.topic = topic
        self.number = number
        self.path = path
        self.object = object
    }

    package func error(_ field: String, _ problem: String) -> RecordedMessageError {
        RecordedMessageError(topic: topic, number: number, field: path + field, problem: problem)
    }

    package func has(_ name: String) -> Bool { object[name] != nil }

    package func string(_ name: String) throws(RecordedMessageError) -> String {
        let value = try value(name)
        // Control characters would reach the terminal of whoever replays.
        guard case .string(let text) = value,
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else {
            throw wrong(name, value, "a string without control characters")
        }
        return text
    }

    /// One of a closed list of texts.
    package func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String
    ) throws(RecordedMessageError) -> Choice {
        let text = try string(name)
        guard let choice = Choice(rawValue: text) else {
            let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw error(name, "found \"\(printable(text, limit: 32))\", expected one of \(choices)")
        }
        return choice
    }

    package func bool(_ name: String) throws(RecordedMessageError) -> Bool {
        let value = try value(name)
        guard case .boolean(let flag) = value else { throw wrong(name, value, "true or false") }
        return flag
    }

    package func unsigned(_ name: String) throws(RecordedMessageError) -> UInt64 {
        let value = try value(name)
        guard let number = value.unsigned else {
            throw wrong(name, value, "a whole number from 0 to 2^64 - 1")
        }
        return number
    }

    package func count(_ name: String) throws(RecordedMessageError) -> Int {
        let value = try value(name)
        guard case .integer(let count) = value, count >= 0 else {
            throw wrong(name, value, "a whole number from 0 up")
        }
        return count
    }

    package func number(_ name: String) throws(RecordedMessageError) -> Double {
        let value = try value(name)
        guard let number = value.double else { throw wrong(name, value, "a number") }
        return number
    }

    package func object(_ name: String) throws(RecordedMessageError) -> RecordedFields {
        let value = try value(name)
        guard case .object(let object) = value else { throw wrong(name, value, "an object") }
        return RecordedFields(topic: topic, number: number, path: "\(path)\(name).", object: object)
    }

    package func objects(_ name: String) throws(RecordedMessageError) -> [RecordedFields] {
        var objects: [RecordedFields] = []
        for value in try list(name) {
            guard case .object(let object) = value else { throw wrong(name, value, "a list of objects") }
            objects.append(
                RecordedFields(topic: topic, number: number, path: "\(path)\(name).", object: object)
            )
        }
        return objects
    }

    package func robot() throws(RecordedMessageError) -> RobotID {
        let text = try string("robot")
        guard let robot = RobotID(text) else {
            throw error("robot", "found \(text.quoted), expected a robot's id")
        }
        return robot
    }

    /// An episode's id. Format 2 has it as text with `episode_type`, format 1 as a number or a string.
    package func episode() throws(RecordedMessageError) -> EpisodeID {
        let value = try value("episode")
        guard has("episode_type") else {
            if let number = value.unsigned { return .number(number) }
            if let name = Self.name(value) { return name }
            throw wrong("episode", value, "an episode's id")
        }
        let type = try string("episode_type")
        switch type {
        case "integer":
            let text = try string("episode")
            // As it was written: no sign and no zeros in front.
            if let number = UInt64(text), "\(number)" == text { return .number(number) }
            throw wrong("episode", value, "the text of a whole number from 0 to 2^64 - 1")
        case "string":
            if let name = Self.name(value) { return name }
            throw wrong("episode", value, "an episode's name")
        default:
            throw error("episode_type", "found \(type.quoted), expected \"integer\" or \"string\"")
        }
    }

    /// An episode's name has the form of a robot's id.
    private static func name(_ value: JSONValue) -> EpisodeID? {
        guard case .string(let name) = value, RobotID(name) != nil else { return nil }
        return .name(name)
    }

    /// An object of lists of numbers.
    package func features(_ name: String) throws(RecordedMessageError) -> [String: [Float]] {
        try features(try value(name), of: name)
    }

    /// A list of those.
    package func featureList(_ name: String) throws(RecordedMessageError) -> [[String: [Float]]] {
        var list: [[String: [Float]]] = []
        for value in try self.list(name) { list.append(try features(value, of: name)) }
        return list
    }

    private func features(
        _ value: JSONValue,
        of name: String
    ) throws(RecordedMessageError) -> [String: [Float]] {
        guard case .object(let object) = value else { throw wrong(name, value, "an object") }
        var features: [String: [Float]] = [:]
        for (feature, value) in object.members {
            guard case .array(let numbers) = value else { throw wrong(name, value, "lists of numbers") }
            features[feature] = try floats(numbers, of: name)
        }
        return features
    }

    /// The numbers of several actions, one action after the other: in format 2 a list of numbers, `action_dim` for each action,
    /// in format 1 a list of lists.
    package func rows(_ name: String) throws(RecordedMessageError) -> [Float] {
        let values = try list(name)
        guard case .array? = values.first else {
            let numbers = try floats(values, of: name)
            guard !numbers.isEmpty else { return [] }
            let actionDim = try count("action_dim")
            guard actionDim > 0, numbers.count.isMultiple(of: actionDim) else {
                throw error(
                    name,
                    "found \(numbers.count) numbers, expected whole actions of action_dim \(actionDim)"
                )
            }
            return numbers
        }
        var numbers: [Float] = []
        for row in values {
            guard case .array(let row) = row else { throw wrong(name, row, "a list of lists of numbers") }
            numbers += try floats(row, of: name)
        }
        return numbers
    }

    private func list(_ name: String) throws(RecordedMessageError) -> [JSONValue] {
        let value = try value(name)
        guard case .array(let values) = value else { throw wrong(name, value, "a list") }
        return values
    }

    private func floats(_ values: [JSONValue], of name: String) throws(RecordedMessageError) -> [Float] {
        var numbers: [Float] = []
        numbers.reserveCapacity(values.count)
        for value in values {
            guard let double = value.double, Float(double).isFinite else {
                throw wrong(name, value, "numbers of 32 bits")
            }
            numbers.append(Float(double))
        }
        return numbers
    }

    private func value(_ name: String) throws(RecordedMessageError) -> JSONValue {
        guard let value = object[name] else { throw error(name, "the field is missing") }
        return value
    }

    private func wrong(_ name: String, _ found: JSONValue, _ expected: String) -> RecordedMessageError {
        error(name, "found \(found.summary), expected \(expected)")
    }
}

extension JSONValue {
    fileprivate var unsigned: UInt64? {
        switch self {
        case .integer(let number): UInt64(exactly: number)
        case .unsigned(let number): number
        default: nil
        }
    }

    fileprivate var double: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .unsigned(let number): Double(number)
        case .number(let number): number
        default: nil
        }
    }
}
