import ForeignText
import Robotics

/// What a client asks of the daemon's request socket.
public enum Request: Sendable, Hashable {
    /// What runs here?
    case info
    /// Are you there? The time stamp, if given, comes back with the answer.
    case ping(timeNs: UInt64?)
    /// Forget the robot's history; with an episode, only if it is that episode's. With a policy's name, have that drive it. With a
    /// session, only if no other one speaks for the robot.
    case reset(robot: RobotID, episode: EpisodeID?, policy: String? = nil, session: UInt64? = nil)
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

    /// Reads a request. The number that the client gave it is returned even if the rest cannot be used, so that
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
                return (number, .success(.ping(timeNs: try PingFields.table.read(fields).timeNs)))
            case "reset":
                let reset = try ResetFields.table.read(fields)
                return (
                    number,
                    .success(
                        .reset(
                            robot: reset.robot,
                            episode: reset.episode,
                            policy: reset.policy,
                            session: reset.session
                        )
                    )
                )
            case "predict":
                return (number, .success(.predict(try RobotObservation.table.read(fields))))
            case "stop":
                return (number, .success(.stop(robot: try StopFields.table.read(fields).robot)))
            case "resume":
                let resume = try ResumeFields.table.read(fields)
                return (number, .success(.resume(robot: resume.robot, seen: resume.seen)))
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
        switch self {
        case .info: encoder.begin(type, request: number, fields: 0)
        case .ping(let timeNs):
            encoder.message(type, request: number, PingFields.table, of: PingFields(timeNs: timeNs))
        case .reset(let robot, let episode, let policy, let session):
            let reset = ResetFields(robot: robot, episode: episode, policy: policy, session: session)
            encoder.message(type, request: number, ResetFields.table, of: reset)
        case .predict(let observation):
            encoder.message(type, request: number, RobotObservation.table, of: observation)
        case .stop(let robot):
            encoder.message(type, request: number, StopFields.table, of: StopFields(robot: robot))
        case .resume(let robot, let seen):
            let resume = ResumeFields(robot: robot, seen: seen)
            encoder.message(type, request: number, ResumeFields.table, of: resume)
        }
        return encoder.bytes
    }
}
