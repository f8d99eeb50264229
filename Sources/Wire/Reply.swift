import ForeignText
import Robotics

/// What the daemon answers on its request socket.
public enum Reply: Sendable, Hashable {
    /// To `info`.
    case info(InfoMessage)
    /// To `ping`: the client's time stamp, and the daemon's monotonic and wall clocks, in nanoseconds.
    case pong(timeNs: UInt64?, monotonicNs: UInt64, wallNs: UInt64)
    /// To `reset`: whether there was a history to forget.
    case reset(robot: RobotID, forgotten: Bool)
    /// To `predict`.
    case chunk(RobotChunk)
    /// To `stop`.
    case stop(StopReply)
    /// To `resume`: how many robots were released, and whether that outlives the daemon.
    case resume(robots: Int, keeping: Keeping = .forgotten)
    /// To anything that was not done.
    case error(ErrorMessage)

    /// Whether a stop, or its end, outlives the daemon.
    public enum Keeping: Sendable, Hashable {
        /// It is on the disk.
        case kept
        /// The daemon has no file to keep it in.
        case forgotten
        /// It has not been written, for this reason.
        case failed(String)
    }

    /// The reply's `type`.
    public var type: String {
        switch self {
        case .info: "info"
        case .pong: "pong"
        case .reset: "reset"
        case .chunk: "chunk"
        case .stop: "stop"
        case .resume: "resume"
        case .error: "error"
        }
    }

    /// Reads a reply.
    public static func decode(
        _ bytes: [UInt8],
        limits: MessagePackLimits = .standard
    ) throws(MessageError) -> (number: UInt64?, reply: Reply) {
        let envelope = try Envelope(bytes, limits: limits)
        let fields = envelope.fields
        let number = fields.optional("request") == nil ? nil : try fields.unsigned("request")
        switch envelope.type {
        case "info":
            return (number, .info(try InfoMessage.table.read(fields)))
        case "pong":
            let pong = try PongFields.table.read(fields)
            return (
                number, .pong(timeNs: pong.timeNs, monotonicNs: pong.monotonicNs, wallNs: pong.wallNs)
            )
        case "reset":
            let reset = try ResetReplyFields.table.read(fields)
            return (number, .reset(robot: reset.robot, forgotten: reset.isForgotten))
        case "chunk":
            return (number, .chunk(try RobotChunk.table.read(fields)))
        case "stop":
            return (number, .stop(try StopReply.table.read(fields)))
        case "resume":
            let resume = try ResumeReplyFields.table.read(fields)
            return (number, .resume(robots: resume.robots, keeping: resume.keeping))
        case "error":
            return (number, .error(try ErrorMessage.table.read(fields)))
        default:
            throw MessageError(
                .unknownType,
                field: "type",
                "found \"\(printable(envelope.type, limit: 32))\", "
                    + "expected info, pong, reset, chunk, stop, resume or error"
            )
        }
    }

    /// The message as sent, with the number that the client gave its request. A chunk is packed by
    /// `RobotChunk.encode(request:finish:)`, which completes its timing.
    public func encoded(number: UInt64?) -> [UInt8] {
        let encoder = MessagePackEncoder()
        switch self {
        case .info(let info): encoder.message(type, request: number, InfoMessage.table, of: info)
        case .pong(let timeNs, let monotonicNs, let wallNs):
            let pong = PongFields(timeNs: timeNs, monotonicNs: monotonicNs, wallNs: wallNs)
            encoder.message(type, request: number, PongFields.table, of: pong)
        case .reset(let robot, let forgotten):
            let reset = ResetReplyFields(robot: robot, isForgotten: forgotten)
            encoder.message(type, request: number, ResetReplyFields.table, of: reset)
        case .chunk(var chunk): return chunk.encode(request: number)
        case .stop(let stop): encoder.message(type, request: number, StopReply.table, of: stop)
        case .resume(let robots, let keeping):
            let resume = ResumeReplyFields(robots: robots, keeping: keeping)
            encoder.message(type, request: number, ResumeReplyFields.table, of: resume)
        case .error(let error): encoder.message(type, request: number, ErrorMessage.table, of: error)
        }
        return encoder.bytes
    }
}

/// An `error` reply. The code is text, for a daemon may know more codes than its client.
public struct ErrorMessage: Error, Sendable, Hashable, CustomStringConvertible {
    /// The reason: a raw value of `MessageError.Code`.
    public var code: String
    /// The field that was wrong, if it was one.
    public var field: String?
    /// What was found and what was expected.
    public var message: String

    /// An error with these contents.
    public init(code: String, field: String? = nil, message: String) {
        self.code = code
        self.field = field
        self.message = message
    }

    /// What the daemon tells a client about an error.
    public init(_ error: MessageError) {
        self.init(code: error.code.rawValue, field: error.field, message: error.message)
    }

    /// The code, the field and the message.
    public var description: String {
        if let field { "\(code): \(field): \(message)" } else { "\(code): \(message)" }
    }
}
