import HTTP
import NIOCore
import NIOHTTP1
import Synchronization

/// Serves WebSockets (RFC 6455) at the path `/`, on a thread of its own, in lockstep: a client's message is answered before its next
/// one is taken.
///
/// Everything is bounded: connections, clients, the length of a message and the time it may take, silence, and what waits to be
/// sent. Reading stops while a client has a message too many under way, or does not read. Requests for anything but a WebSocket
/// are answered as by any HTTP server.
package final class WebSocketServer: Sendable {
    /// What clients may take.
    package struct Limits: Sendable {
        /// The longest message, in bytes.
        package var messageBytes: Int
        /// The most clients at a time.
        package var clients = 8
        /// The most connections at a time that are no client's yet, or ask for something else.
        package var otherConnections = 16
        /// From a connection's beginning to the end of the handshake.
        package var handshakeTime = Duration.seconds(5)
        /// From a message's first byte to its last.
        package var messageTime = Duration.seconds(30)
        /// A client that is silent for so long is sent a ping; after as long again it counts as gone. One that does not read for
        /// so long is failed.
        package var silence = Duration.seconds(20)
        /// From the server's close frame to the end of the connection, if the client does not end it.
        package var closingTime = Duration.seconds(2)

        /// The defaults.
        ///
        /// - Parameter messageBytes: the longest message.
        package init(messageBytes: Int) { self.messageBytes = messageBytes }
    }

    private let server: HTTPServer
    private let clients: WebSocketClients

    /// Where it listens, with the port that the system chose if 0 was asked for.
    package var address: HTTPAddress { server.address }

    /// Listens, and begins to serve.
    ///
    /// - Parameters:
    ///   - address: where to listen.
    ///   - limits: what clients may take.
    ///   - thread: the name of the thread; servers that name the same share it.
    ///   - service: what is served.
    /// - Throws: `HTTPServerError` if the address cannot be had.
    package init(
        at address: HTTPAddress,
        limits: Limits,
        thread: String,
        service: any WebSocketService
    ) throws(HTTPServerError) {
        var http = HTTPServer.Limits()
        http.connections = limits.clients + limits.otherConnections
        http.time = limits.handshakeTime
        let clients = WebSocketClients()
        self.clients = clients
        server = try HTTPServer(at: address, limits: http, thread: thread) { channel, http in
            try HTTPServer.addHandlers(
                to: channel,
                http,
                upgrade: WebSocketUpgradeHandler(service: service, limits: limits, clients: clients)
            )
            try channel.pipeline.syncOperations.addHandler(PlainRequestHandler(service: service))
        }
    }

    /// Tells every client that the server goes away (1001), and ends; once, and not on the server's thread.
    package func stop() {
        let goodbyes = server.loop.submit { self.clients.all.map { $0.goAway() } }
        // A client that does not read is cut off.
        let sent = goodbyes.flatMap { EventLoopFuture.andAllComplete($0, on: self.server.loop) }
        let patience = server.loop.scheduleTask(in: .milliseconds(200)) {}
        sent.whenComplete { _ in patience.cancel() }
        _ = try? patience.futureResult.wait()
        server.stop()
    }
}

/// The clients of a server. For its thread alone.
final class WebSocketClients: Sendable {
    private let connections = Mutex<[UInt64: NIOLoopBound<WebSocketConnection>]>([:])
    private let lastID = Atomic<UInt64>(0)

    var count: Int { connections.withLock { $0.count } }

    /// The connections of all clients.
    var all: [WebSocketConnection] { connections.withLock { $0.values.map(\.value) } }

    /// An id that no client has had.
    func newID() -> UInt64 { lastID.wrappingAdd(1, ordering: .relaxed).newValue }

    func add(_ connection: WebSocketConnection, id: UInt64, loop: any EventLoop) {
        connections.withLock { $0[id] = NIOLoopBound(connection, eventLoop: loop) }
    }

    func remove(_ id: UInt64) { connections.withLock { $0[id] = nil } }
}

/// Answers requests for anything but a WebSocket.
final class PlainRequestHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequest
    typealias OutboundOut = HTTPServerResponsePart

    private let service: any WebSocketService

    init(service: any WebSocketService) { self.service = service }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let request = unwrapInboundIn(data)
        let answer = service.answer(request)
        let parts = answer.parts(hasBody: request.method != "HEAD", allocator: context.channel.allocator)
        for part in parts { context.write(wrapOutboundOut(part), promise: nil) }
        context.flush()
    }
}
