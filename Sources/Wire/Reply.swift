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
            let timeNs = fields.optional("time_ns") == nil ? nil : try fields.unsigned("time_ns")
            let (monotonicNs, wallNs) = try (fields.unsigned("monotonic_ns"), fields.unsigned("wall_ns"))
            return (number, .pong(timeNs: timeNs, monotonicNs: monotonicNs, wallNs: wallNs))
        case "reset":
            return (number, .reset(robot: try fields.robot(), forgotten: try fields.bool("forgotten")))
        case "chunk":
            return (number, .chunk(try RobotChunk.table.read(fields)))
        case "stop":
            return (number, .stop(try StopReply(fields)))
        case "resume":
            return (number, .resume(robots: try fields.count("robots"), keeping: try Keeping(fields)))
        case "error":
            let field = fields.optional("field") == nil ? nil : try fields.string("field")
            let error = try ErrorMessage(
                code: fields.string("code"),
                field: field,
                message: fields.string("message")
            )
            return (number, .error(error))
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
    /// ``RobotChunk/encode(request:finish:)``, which completes its timing.
    public func encoded(number: UInt64?) -> [UInt8] {
        let encoder = MessagePackEncoder()
        var entries = MessagePackMap()
        if let number { _ = entries.append("request", .unsigned(number)) }
        switch self {
        case .info(let info):
            encoder.message(type, request: number, InfoMessage.table, of: info)
            return encoder.bytes
        case .pong(let timeNs, let monotonicNs, let wallNs):
            if let timeNs { _ = entries.append("time_ns", .unsigned(timeNs)) }
            _ = entries.append("monotonic_ns", .unsigned(monotonicNs))
            _ = entries.append("wall_ns", .unsigned(wallNs))
        case .reset(let robot, let forgotten):
            _ = entries.append("robot", .string(robot.text))
            _ = entries.append("forgotten", .bool(forgotten))
        case .chunk(var chunk):
            return chunk.encode(request: number)
        case .stop(let stop):
            stop.append(to: &entries)
        case .resume(let robots, let keeping):
            _ = entries.append("robots", .unsigned(UInt64(robots)))
            keeping.append(to: &entries)
        case .error(let error):
            _ = entries.append("code", .string(error.code))
            _ = entries.append("message", .string(error.message))
            if let field = error.field { _ = entries.append("field", .string(field)) }
        }
        encoder.message(type, entries)
        return encoder.bytes
    }
}

extension Reply.Keeping {
    /// Reads what a reply says; daemons of before say nothing and keep nothing.
    init(_ fields: FieldReader) throws(MessageError) {
        if fields.optional("problem") != nil {
            self = .failed(try fields.string("problem"))
        } else {
            let isKept = fields.optional("kept") == nil ? false : try fields.bool("kept")
            self = isKept ? .kept : .forgotten
        }
    }

    func append(to entries: inout MessagePackMap) {
        _ = entries.append("kept", .bool(self == .kept))
        if case .failed(let problem) = self { _ = entries.append("problem", .string(problem)) }
    }
}

/// An `error` reply. The code is text, for a daemon may know more codes than its client.
public struct ErrorMessage: Error, Sendable, Hashable, CustomStringConvertible {
    /// The reason: a raw value of ``MessageError/Code``.
    public var code: String
    /// The field that was wrong, where it was one.
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
