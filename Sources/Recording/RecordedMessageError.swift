import MCAP
import Robotics
import StrictJSON
import Wire

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

    init(_ message: RecordedMessage, field: String? = nil, _ problem: String) {
        topic = message.topic
        number = message.sequence
        self.field = field
        self.problem = problem
    }

    /// One line: the message, the field, what is wrong.
    public var description: String {
        "\(topic.quoted) number \(number): " + (field.map { "\($0): \(problem)" } ?? problem)
    }
}

extension JSONObject {
    /// The object that a recorded message is.
    init(of message: RecordedMessage) throws(RecordedMessageError) {
        let value: JSONValue
        do throws(JSONSyntaxError) {
            value = try JSONValue(parsing: message.data)
        } catch {
            throw RecordedMessageError(message, "not JSON: \(error.problem) (byte \(error.offset))")
        }
        guard case .object(let object) = value else {
            throw RecordedMessageError(message, "found \(value.summary), expected an object")
        }
        self = object
    }
}

extension MessageTable {
    /// Reads a recorded message.
    func read(_ message: RecordedMessage) throws(RecordedMessageError) -> Message {
        let object = try JSONObject(of: message)
        do throws(MessageError) {
            return try read(FieldReader(RecordedForm.message(object, fields: descriptions)))
        } catch {
            throw RecordedMessageError(message, field: error.field, error.message)
        }
    }
}
