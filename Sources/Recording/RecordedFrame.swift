import Foundation
import MCAP
import Robotics
import StrictJSON

/// What a camera saw, as a recording has it: a compressed picture, in the form of Foxglove's schema for those, which viewers show as
/// an image.
///
/// Two fields are ours: `number`, by which observations refer to the frame, and `lossy`.
public struct RecordedFrame: Sendable, Hashable {
    /// Tells the frames of a recording apart.
    public var number: UInt64
    /// The compressed picture.
    public var picture: [UInt8]
    /// How it is compressed.
    public var format: CameraFrame.Format
    /// Whether it is not what the policy saw: pixels came, and the compression changed them.
    public var isLossy: Bool

    /// A frame.
    public init(number: UInt64, picture: [UInt8], format: CameraFrame.Format, isLossy: Bool) {
        self.number = number
        self.picture = picture
        self.format = format
        self.isLossy = isLossy
    }
}

/// Whose camera a frame comes from.
struct FrameSource: Hashable {
    let robot: RobotID
    /// The camera's name in the policy.
    let camera: String

    /// The channel of its frames.
    var topic: String { "/\(robot)/\(camera)" }
    /// The name of the camera's frame of reference.
    var frameID: String { "\(robot)/\(camera)" }
}

extension RecordedFrame {
    static let schemaName = "foxglove.CompressedImage"

    private enum Field {
        static let format = "format"
        static let data = "data"
        static let number = "number"
        static let lossy = "lossy"
    }

    /// The fields of https://docs.foxglove.dev/docs/sdk/schemas/compressed-image, and ours.
    static let schema = RecordedSchema.object([
        .init("timestamp", .time, meaning: "the daemon's wall clock when it had taken the observation"),
        .init(
            "frame_id",
            .string,
            meaning: "the frame of reference: the robot's id, a slash, the camera's name"
        ),
        .init(
            Field.format,
            .choice(CameraFrame.Format.allCases.map(\.rawValue)),
            meaning: "how the picture is compressed"
        ),
        .init(Field.data, .base64, meaning: "the picture"),
        .init(
            Field.number,
            .unsigned,
            meaning: "tells the frames of a recording apart; observations refer to it"
        ),
        .init(
            Field.lossy,
            .boolean,
            meaning: "whether pixels came, which the compression changed; if not, this is what the policy saw"
        ),
    ]).text(title: schemaName)

    /// The frame as it is recorded.
    ///
    /// - Parameter timeNs: the wall clock, in nanoseconds since 1970 (UTC).
    func json(of source: FrameSource, timeNs: UInt64) -> RecordedJSON {
        let data = JSONBuilder.object { object in
            object.member("timestamp") { Foxglove.write(timeNs: timeNs, to: &$0) }
            object.member("frame_id", source.frameID)
            object.member(Field.format, format.rawValue)
            object.member(Field.data, base64: picture)
            object.member(Field.number, number)
            object.member(Field.lossy, isLossy)
        }
        return RecordedJSON(kind: .frame, topic: source.topic, data: data)
    }

    /// Reads a frame; nil for an image that somebody else has put into the file, which has no number.
    ///
    /// - Throws: ``RecordedMessageError``. The picture is not looked into.
    init?(_ message: RecordedMessage) throws(RecordedMessageError) {
        let object = try JSONObject(of: message)
        guard let number = object[Field.number] else { return nil }
        func wrong(_ field: String, _ expected: String) -> RecordedMessageError {
            guard let found = object[field] else {
                return RecordedMessageError(message, field: field, "the field is missing")
            }
            return RecordedMessageError(message, field: field, "found \(found.summary), expected \(expected)")
        }
        guard let number = number.wholeNumber else {
            throw wrong(Field.number, "an integer from 0 to \(UInt64.max)")
        }
        guard let format = object[Field.format]?.text.flatMap(CameraFrame.Format.init) else {
            let formats = CameraFrame.Format.allCases.map(\.rawValue).joined(separator: ", ")
            throw wrong(Field.format, "one of \(formats)")
        }
        guard let isLossy = object[Field.lossy]?.flag else { throw wrong(Field.lossy, "true or false") }
        guard let picture = object[Field.data]?.text.flatMap({ Data(base64Encoded: $0) }), !picture.isEmpty
        else { throw wrong(Field.data, "a picture in base64") }
        self.init(number: number, picture: [UInt8](picture), format: format, isLossy: isLossy)
    }
}

extension JSONBuilder {
    /// A member that is a string: the bytes in base64.
    fileprivate mutating func member(_ name: String, base64 bytes: [UInt8]) {
        // No character of base64 needs an escape.
        member(name, json: Array("\"\(Data(bytes).base64EncodedString())\"".utf8))
    }
}
