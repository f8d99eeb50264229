import ForeignText
import Foundation
import Robotics
import StrictJSON

/// A message of a camera server: pictures of some of its cameras.
///
/// LeRobot's `lerobot.cameras.zmq.image_server` sends one JSON object a message:
/// `{"timestamps": {"front": 1785500000.25}, "images": {"front": "<JPEG in base64>"}}`. A camera without a new picture is left out,
/// so both objects may be empty. Other members are ignored.
struct CameraServerMessage: Sendable, Equatable {
    /// A picture as it came.
    struct Picture: Sendable, Equatable {
        /// The JPEG file.
        let jpeg: [UInt8]
        /// When it was taken, in seconds of the server's clock, which may be any; nil: the server does not tell.
        let timestamp: Double?
    }

    /// The most values in a message: far more than a server has cameras.
    private static let mostValues = 4096

    /// The pictures of the cameras that were asked for.
    let pictures: [String: Picture]
    /// The names of all cameras with a picture, as the message has them.
    let names: [String]

    /// - Parameters:
    ///   - bytes: the message.
    ///   - wanted: the names of the cameras whose pictures are taken; the others' are not looked into.
    /// - Throws: `MessageError` `bad_camera_message` that names the member, what was found and what is expected.
    init(parsing bytes: [UInt8], wanted: Set<String>) throws(MessageError) {
        let document: JSONValue
        do throws(JSONSyntaxError) {
            document = try JSONValue(parsing: bytes, maximumValues: Self.mostValues)
        } catch {
            throw MessageError(.badCameraMessage, "no JSON: at byte \(error.offset), \(error.problem)")
        }
        guard case .object(let message) = document else {
            throw MessageError(.badCameraMessage, "found \(document.summary), expected an object with images")
        }
        let images = try Self.object("images", in: message)
        guard let images else {
            throw MessageError(
                .badCameraMessage,
                field: "images",
                "missing, expected an object of JPEG files in base64, by camera"
            )
        }
        let timestamps = try Self.object("timestamps", in: message)
        var pictures: [String: Picture] = [:]
        for (name, value) in images.members where wanted.contains(name) {
            pictures[name] = Picture(
                jpeg: try Self.file(value, of: name),
                timestamp: try Self.timestamp(timestamps?[name], of: name)
            )
        }
        self.pictures = pictures
        names = images.members.map(\.name)
    }

    private static func object(_ name: String, in message: JSONObject) throws(MessageError) -> JSONObject? {
        guard let value = message[name] else { return nil }
        guard case .object(let object) = value else {
            throw MessageError(
                .badCameraMessage,
                field: name,
                "found \(value.summary), expected an object, by camera"
            )
        }
        return object
    }

    private static func file(_ value: JSONValue, of name: String) throws(MessageError) -> [UInt8] {
        let field = "images.\(printable(name, limit: 64))"
        guard case .string(let text) = value else {
            throw MessageError(
                .badCameraMessage,
                field: field,
                "found \(value.summary), expected a JPEG file in base64"
            )
        }
        // Strict: no line breaks, and padded.
        guard let data = Data(base64Encoded: text), !data.isEmpty else {
            throw MessageError(
                .badCameraMessage,
                field: field,
                "found \(text.utf8.count) characters that are no base64, expected a JPEG file in it"
            )
        }
        return [UInt8](data)
    }

    private static func timestamp(_ value: JSONValue?, of name: String) throws(MessageError) -> Double? {
        guard let value, !value.isNull else { return nil }
        guard let seconds = value.double else {
            throw MessageError(
                .badCameraMessage,
                field: "timestamps.\(printable(name, limit: 64))",
                "found \(value.summary), expected a number of seconds"
            )
        }
        return seconds
    }
}
