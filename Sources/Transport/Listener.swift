import Clocks
import Robotics
import Wire

/// Receives what a daemon publishes under some topics, for the thread that made it.
public final class Listener {
    private let socket: ZeroMQSocket
    private let limits: MessagePackLimits

    /// What a daemon publishes.
    public enum Publication: Sendable, Hashable {
        case chunk(RobotChunk)
        case command(RobotCommand)
        case status(StatusMessage)
    }

    /// Connects to the endpoint at which a daemon publishes.
    ///
    /// - Parameters:
    ///   - topics: prefixes of topics, as `RobotID.commandTopic` and `Topic.status`.
    ///   - endpoint: as libzmq writes it, for example `tcp://127.0.0.1:5556`.
    ///   - context: that the socket belongs to.
    ///   - security: the keys for a daemon that asks for them.
    ///   - limits: what a message may hold.
    public init(
        topics: [[UInt8]],
        endpoint: String,
        context: ZeroMQContext,
        security: CurveClientKeys? = nil,
        limits: MessagePackLimits = .standard
    ) throws(ZeroMQError) {
        self.limits = limits
        var options = ZeroMQSocket.Options()
        options.maximumFrameBytes = limits.messageBytes
        options.security = security.map { .client($0) } ?? .none
        socket = try ZeroMQSocket(.subscribe, context: context, options: options)
        for topic in topics { try socket.subscribe(to: topic) }
        _ = try socket.connect(endpoint)
    }

    /// The next message, or nil if none has come by the deadline.
    /// - Throws: ``RobotClientError`` for a message that cannot be read, and if the socket failed.
    public func next(until deadline: MonotonicTime) throws(RobotClientError) -> Publication? {
        while true {
            let frames: [[UInt8]]?
            do throws(ZeroMQError) {
                let left = max(deadline - .now(), .zero)
                guard try ZeroMQSocket.wait(for: [socket], timeout: left)[0] else { return nil }
                frames = try socket.receive(maximumFrames: 2)
            } catch {
                throw .socket(error)
            }
            guard let frames, frames.count == 2 else { continue }
            do throws(MessageError) {
                switch frames[0] {
                case let topic where topic.starts(with: Topic.chunk.utf8):
                    return .chunk(try RobotChunk(decoding: frames[1], limits: limits))
                case let topic where topic.starts(with: Topic.command.utf8):
                    return .command(try RobotCommand(decoding: frames[1], limits: limits))
                case Array(Topic.status.utf8):
                    return .status(try StatusMessage(decoding: frames[1], limits: limits))
                default: continue
                }
            } catch {
                throw .message(error)
            }
        }
    }
}
