import ForeignText
import Robotics

/// What a client asks of the daemon's request socket.
public enum Request: Sendable, Hashable {
    /// What runs here?
    case info
    /// Are you there? The time stamp, where given, comes back with the answer.
    case ping(timeNs: UInt64?)
    /// Forget the robot's history; with an episode, only if it is that episode's.
    case reset(robot: RobotID, episode: EpisodeID?)
    /// Answer this observation with its chunk.
    case predict(RobotObservation)
    /// Stop the robot, or every robot, until it is resumed.
    case stop(robot: RobotID?)
    /// Let the robot, or every robot, move again, unless it was stopped after the stop of number `seen`. Nil: the newest stop
    /// must have come over the same connection.
    case resume(robot: RobotID?, seen: UInt64? = nil)

    /// The request's `type`.
    public var type: String {
        switch self {
        case .info: "info"
        case .ping: "ping"
        case .reset: "reset"
        case .predict: "predict"
        case .stop: "stop"
        case .resume: "resume"
        }
    }

    /// Reads a request. The number that the client gave it is returned even where the rest cannot be used, so that
    /// an error can be sent to it.
    public static func decode(
        _ bytes: [UInt8],
        limits: MessagePackLimits = .standard
    ) -> (number: UInt64?, request: Result<Request, MessageError>) {
        var number: UInt64?
        do throws(MessageError) {
            let envelope = try Envelope(bytes, limits: limits)
            let fields = envelope.fields
            if fields.optional("request") != nil { number = try fields.unsigned("request") }
            switch envelope.type {
            case "info":
                return (number, .success(.info))
            case "ping":
                let timeNs = fields.optional("time_ns") == nil ? nil : try fields.unsigned("time_ns")
                return (number, .success(.ping(timeNs: timeNs)))
            case "reset":
                let robot = try fields.robot()
                let episode = fields.optional("episode") == nil ? nil : try fields.episode()
                return (number, .success(.reset(robot: robot, episode: episode)))
            case "predict":
                return (number, .success(.predict(try RobotObservation.table.read(fields))))
            case "stop":
                return (number, .success(.stop(robot: try fields.optionalRobot())))
            case "resume":
                let seen = fields.optional("stop") == nil ? nil : try fields.unsigned("stop")
                return (number, .success(.resume(robot: try fields.robotOrAll(), seen: seen)))
            default:
                throw MessageError(
                    .unknownType,
                    field: "type",
                    "found \"\(printable(envelope.type, limit: 32))\", "
                        + "expected info, ping, reset, predict, stop or resume"
                )
            }
        } catch {
            return (number, .failure(error))
        }
    }

    /// The message as sent, with the number by which the client will know the answer.
    public func encoded(number: UInt64? = nil) -> [UInt8] {
        let encoder = MessagePackEncoder()
        if case .predict(let observation) = self {
            encoder.message(type, request: number, RobotObservation.table, of: observation)
            return encoder.bytes
        }
        var entries = MessagePackMap()
        if let number { _ = entries.append("request", .unsigned(number)) }
        switch self {
        case .info, .predict: break
        case .ping(let timeNs):
            if let timeNs { _ = entries.append("time_ns", .unsigned(timeNs)) }
        case .reset(let robot, let episode):
            _ = entries.append("robot", .string(robot.text))
            switch episode {
            case .number(let number): _ = entries.append("episode", .unsigned(number))
            case .name(let name): _ = entries.append("episode", .string(name))
            case nil: break
            }
        case .stop(let robot):
            if let robot { _ = entries.append("robot", .string(robot.text)) }
        case .resume(let robot, let seen):
            if let robot {
                _ = entries.append("robot", .string(robot.text))
            } else {
                _ = entries.append("all", .bool(true))
            }
            if let seen { _ = entries.append("stop", .unsigned(seen)) }
        }
        encoder.message(type, entries)
        return encoder.bytes
    }
}

extension FieldReader {
    fileprivate func optionalRobot() throws(MessageError) -> RobotID? {
        optional("robot") == nil ? nil : try robot()
    }

    /// The robot; nil where the message says `all`. A message that lost its robot on the way must not set every robot in
    /// motion.
    fileprivate func robotOrAll() throws(MessageError) -> RobotID? {
        guard optional("robot") == nil, optional("all") != nil else { return try robot() }
        guard try bool("all") else {
            throw MessageError(.outOfRange, field: path(of: "all"), "found false, expected true, or a robot")
        }
        return nil
    }
}

extension MessagePackEncoder {
    func message(_ type: String, _ entries: MessagePackMap) {
        message(type, fields: entries.count)
        entries.forEach { key, value in
            string(key)
            self.value(value)
        }
    }
}
