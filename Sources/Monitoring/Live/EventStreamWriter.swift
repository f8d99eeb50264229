import Glibc
import HTTP
import NIOCore
import NIOHTTP1
import Robotics

/// Writes an event stream to a connection for as long as its client reads.
///
/// Nothing is written while the connection holds more than the system takes at once, and a client that has read nothing for
/// ``patience`` is cut off. So what waits for a client is one turn's events at most. For the channel's event loop alone.
final class EventStreamWriter {
    /// How long a client may read nothing.
    static let patience = TimeAmount.seconds(5)
    /// How long the client's system may acknowledge nothing, in milliseconds.
    private static let acknowledgedWithinMs = 10_000
    /// What the system keeps for a client that does not read, in bytes.
    private static let systemBytes = 256 << 10

    private let server: LiveServer
    private let robot: RobotID?
    private let snapshot: @Sendable () -> DaemonSnapshot
    private var stream: EventStream
    private var nextTurn: Scheduled<Void>?
    private var isOpen = false
    /// Turns since the client has read.
    private var idleTurns: Int64 = 0

    init(_ robot: RobotID?, server: LiveServer, snapshot: @escaping @Sendable () -> DaemonSnapshot) {
        (self.robot, self.server, self.snapshot) = (robot, server, snapshot)
        stream = EventStream(
            robot: robot,
            facts: robot.flatMap(server.page.robot),
            takesOrders: server.page.access.takesOrders
        )
    }

    /// Begins the stream, whose connection then has all the time that it likes.
    func begin(_ context: ChannelHandlerContext, _ write: @escaping (HTTPServerResponsePart) -> Void) {
        isOpen = true
        if let robot { server.page.board.watch(robot) }
        let pipeline = context.pipeline.syncOperations
        if let deadline = try? pipeline.context(handlerType: DeadlineHandler.self) {
            pipeline.removeHandler(context: deadline, promise: nil)
        }
        bound(context.channel)
        var headers = HTTPHeaders([("Content-Type", EventStream.contentType)])
        headers.add(contentsOf: HTTPHeaders(HTTPAnswer.commonHeaders))
        write(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)))
        context.flush()
        turn(context, write)
    }

    /// Ends the stream; more than once does no harm.
    func end() {
        guard isOpen else { return }
        isOpen = false
        nextTurn?.cancel()
        nextTurn = nil
        if let robot { server.page.board.unwatch(robot) }
        server.endStream()
    }

    private func turn(_ context: ChannelHandlerContext, _ write: @escaping (HTTPServerResponsePart) -> Void) {
        guard isOpen else { return }
        let period = TimeAmount.nanoseconds(Int64(EventStream.periodNs))
        nextTurn = context.eventLoop.assumeIsolated().scheduleTask(in: period) { self.turn(context, write) }
        tell(context, write)
    }

    private func tell(_ context: ChannelHandlerContext, _ write: (HTTPServerResponsePart) -> Void) {
        guard context.channel.isWritable else {
            idleTurns += 1
            let idle = TimeAmount.nanoseconds(idleTurns * Int64(EventStream.periodNs))
            if idle >= Self.patience { context.close(promise: nil) }
            return
        }
        idleTurns = 0
        let events = stream.due(
            robot.flatMap(server.page.board.newest),
            nowNs: context.eventLoop.now.uptimeNanoseconds,
            thumbnails: server.thumbnails,
            snapshot: snapshot
        )
        guard !events.isEmpty else { return }
        write(.body(.byteBuffer(context.channel.allocator.buffer(string: events))))
        context.flush()
    }

    /// Has the system keep little for a client that does not read, and end a connection whose client is gone. A channel without a
    /// socket has no such options.
    private func bound(_ channel: any Channel) {
        let options = channel.syncOptions
        try? options?.setOption(.socketOption(.so_sndbuf), value: Self.systemBytes)
        try? options?.setOption(
            .tcpOption(.init(rawValue: TCP_USER_TIMEOUT)),
            value: Self.acknowledgedWithinMs
        )
    }
}
