import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Why no HTTP server could be started.
package struct HTTPServerError: Error, CustomStringConvertible {
    /// The address and what the system said.
    package let description: String
}

/// Listens for HTTP/1.1, on a thread of its own, and gives one request of each connection to a page.
///
/// Everything is bounded: the size of a request, the connections, and the time that each may take. A client that is slow or sends
/// garbage therefore delays other clients at most.
package final class HTTPServer: Sendable {
    /// What a client may take.
    package struct Limits: Sendable {
        /// The longest request line and headers together, in bytes.
        package var headBytes = 8192
        /// The most headers.
        package var headers = 100
        /// The most connections at a time; as many again, and at least 16, wait for their turn.
        package var connections = 16
        /// From a connection's beginning to its end, unless a handler takes ``DeadlineHandler`` away.
        package var time = Duration.seconds(5)

        /// The defaults.
        package init() {}
    }

    /// Between two attempts to accept a connection, or to listen, if the system has refused.
    private static let pause = TimeAmount.milliseconds(50)
    private static let bytesAtATime = 4096

    /// Where it listens, with the port that the system chose if 0 was asked for.
    package let address: HTTPAddress
    /// Its thread's loop.
    package let loop: any EventLoop
    private let limits: Limits
    private let addHandlers: @Sendable (any Channel, Limits) throws -> Void
    private let listener = Mutex<(any Channel)?>(nil)
    private let isStopping = Atomic(false)

    /// Listens, and begins to serve.
    ///
    /// - Parameters:
    ///   - address: where to listen.
    ///   - limits: what a client may take.
    ///   - thread: the name of the thread; servers that name the same share it.
    ///   - addHandlers: adds a connection's handlers, from ``addHandlers(to:_:)`` to the page; called on the thread.
    /// - Throws: ``HTTPServerError`` if the address cannot be had.
    package init(
        at address: HTTPAddress,
        limits: Limits,
        thread: String,
        addHandlers: @escaping @Sendable (any Channel, Limits) throws -> Void
    ) throws(HTTPServerError) {
        let listener: any Channel
        do {
            loop = try HTTPThread.loop(named: thread)
            listener = try Self.bootstrap(loop, limits, addHandlers).bind(to: address.socketAddress).wait()
        } catch {
            let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
            throw HTTPServerError(description: "cannot listen at \(address): \(reason)")
        }
        let port = listener.localAddress?.port.flatMap { UInt16(exactly: $0) }
        self.address = HTTPAddress(host: address.host, port: port ?? address.port)
        (self.limits, self.addHandlers) = (limits, addHandlers)
        keepListening(listener)
    }

    /// Ends the server, and waits until it has ended; once, and not on the server's thread. Requests under way are cut off.
    package func stop() {
        guard !isStopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        guard let listener = listener.withLock({ $0 }) else { return }
        listener.close(promise: nil)
        // It never fails.
        try? listener.closeFuture.wait()
    }

    /// Adds what a connection's bytes go through between the socket and the page, which gets an ``HTTPRequest``.
    ///
    /// - Parameter upgrade: sees the parts of a request before it becomes one, and may take the connection for another protocol.
    package static func addHandlers(
        to channel: any Channel,
        _ limits: Limits,
        upgrade: (any ChannelHandler)? = nil
    ) throws {
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderFieldSize = limits.headBytes
        decoderLimits.maxHeaderListSize = limits.headBytes
        decoderLimits.maxHeaderFieldCount = limits.headers
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(DeadlineHandler(time: TimeAmount(limits.time)))
        try pipeline.addHandler(RequestHeadHandler(mostBytes: limits.headBytes))
        try pipeline.configureHTTPServerPipeline(
            withPipeliningAssistance: false,
            withErrorHandling: false,
            withOutboundHeaderValidation: true,
            withEncoderConfiguration: .init(),
            withDecoderLimitConfiguration: decoderLimits
        )
        if let upgrade { try pipeline.addHandler(upgrade) }
        try pipeline.addHandler(ExchangeHandler(mostHeaders: limits.headers))
    }

    private static func bootstrap(
        _ loop: any EventLoop,
        _ limits: Limits,
        _ addHandlers: @escaping @Sendable (any Channel, Limits) throws -> Void
    ) -> ServerBootstrap {
        ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: Int32(clamping: max(limits.connections, 16)))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let accept = AcceptPauseHandler(pause: pause)
                    let count = ConnectionCountHandler(most: limits.connections)
                    try channel.pipeline.syncOperations.addHandlers(accept, count)
                }
            }
            // A client may say that it sends nothing more, and wait for its answer.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: bytesAtATime)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try addHandlers(channel, limits) }
            }
    }

    /// Listens anew when the listening socket fails: NIO closes it after errors of `accept` that it does not know.
    private func keepListening(_ channel: any Channel) {
        listener.withLock { $0 = channel }
        // `stop` may have come before there was a listener to close.
        if isStopping.load(ordering: .acquiring) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in self.listenAnew() }
    }

    private func listenAnew() {
        guard !isStopping.load(ordering: .acquiring) else { return }
        loop.scheduleTask(in: Self.pause) {
            guard !self.isStopping.load(ordering: .acquiring) else { return }
            let address = try self.address.socketAddress
            let bootstrap = Self.bootstrap(self.loop, self.limits, self.addHandlers)
            bootstrap.bind(to: address).whenComplete { result in
                switch result {
                case .success(let channel): self.keepListening(channel)
                case .failure: self.listenAnew()
                }
            }
        }
    }
}
