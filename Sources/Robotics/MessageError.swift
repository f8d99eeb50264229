/// Why a message was not accepted.
public struct MessageError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The reason, as one of a closed list; its raw value is what `error` replies and counters carry.
    public enum Code: String, Sendable, Hashable, CaseIterable, Codable {
        /// The message has more bytes or values than is accepted.
        case tooLarge = "too_large"
        /// Arrays and maps nest too deep.
        case tooDeep = "too_deep"
        /// The bytes are not one MessagePack value of the types that the protocol uses.
        case notMessagePack = "not_messagepack"
        /// The wrong number of ZeroMQ frames, or a topic that does not go with the message.
        case badFrames = "bad_frames"
        /// `v` is not the version spoken here.
        case unsupportedVersion = "unsupported_version"
        /// `type` is not one that is understood here.
        case unknownType = "unknown_type"
        /// A field that must be there is not.
        case missingField = "missing_field"
        /// A field has the wrong MessagePack type.
        case wrongType = "wrong_type"
        /// A field has the right type and a value that is not accepted.
        case outOfRange = "out_of_range"
        /// A number that is to be finite is not.
        case notFinite = "not_finite"
        /// An array has the wrong data type, rank or number of elements.
        case badArray = "bad_array"
        /// A camera's frame is no picture of the format that it names, is not whole, or is of a kind that is not read.
        case badImage = "bad_image"
        /// A camera server sent something else than its JSON; counted and sent to nobody.
        case badCameraMessage = "bad_camera_message"
        /// An observation lacks a feature of the policy.
        case missingFeature = "missing_feature"
        /// An observation has a feature that the policy does not know.
        case unknownFeature = "unknown_feature"
        /// The observation is older than one that has been received in its episode.
        case stale
        /// The robot's clock went back: a later observation has an earlier time stamp.
        case clockBackwards = "clock_backwards"
        /// Another process speaks for the robot.
        case robotTaken = "robot_taken"
        /// The robot sends more messages than are read.
        case rateLimited = "rate_limited"
        /// The robot is stopped, and nothing is planned for it until it is resumed.
        case stopped
        /// A robot that is to be resumed was stopped after the stop that the request has seen.
        case newerStop = "newer_stop"
        /// Too many requests wait already.
        case busy
        /// The robot was reset before its chunk was there.
        case reset
        /// The daemon runs several policies, and the robot has named none.
        case noPolicy = "no_policy"
        /// The daemon runs no policy of that name, or one that cannot drive this robot.
        case unknownPolicy = "unknown_policy"
        /// The daemon is ending.
        case stopping
        /// The request carries no token, or another than the daemon's; or a connection's key is not among those that are let in,
        /// which is counted and sent to nobody.
        case unauthorized
        /// The request is understood and never done.
        case forbidden
        /// The policy failed on an observation that had been accepted.
        case planner
    }

    /// The reason.
    public var code: Code
    /// The field, as a path from the message's top (`observation.observation.state.shape`); nil for the whole message.
    public var field: String?
    /// The value found and what was expected, in words.
    public var message: String

    /// An error about one field, or, without `field`, about the whole message.
    public init(_ code: Code, field: String? = nil, _ message: String) {
        self.code = code
        self.field = field
        self.message = message
    }

    /// The field, the value found and what was expected.
    public var description: String {
        if let field { "\(field): \(message)" } else { message }
    }
}
