import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Why no HTTP server could be started.
public struct MonitoringServerError: Error, CustomStringConvertible {
    /// The address and what the system said.
    public let description: String
}

/// Serves a daemon's metrics, its health and the live page over HTTP/1.1, on a thread of its own.
///
/// One request a connection. Everything is bounded: the size of a request, the connections, and the time that each may
/// take. A client that is slow or sends garbage therefore delays other clients at most, never the daemon.
public final class MonitoringServer: Sendable {
    /// What a client may take.
    public struct Limits: Sendable {
        /// The longest request line and headers together, in bytes.
        public var headBytes = 8192
        /// The most headers.
        public var headers = 100
        /// The most connections at a time; as many again, and at least 16, wait for their turn.
        public var connections = 16
        /// The most event streams of the live page at a time, besides the connections.
        public var streams = 8
        /// From a connection's beginning to its end, unless it is an event stream.
        public var time = Duration.seconds(5)

        /// The defaults.
        public init() {}
    }

    /// Between two attempts to accept a connection, or to listen, if the system has refused.
    private static let pause = TimeAmount.milliseconds(50)
    private static let bytesAtATime = 4096

    /// Where it listens, with the port that the system chose if 0 was asked for.
    public let address: HTTPAddress
    private let limits: Limits
    private let snapshot: @Sendable () -> DaemonSnapshot
    private let live: LiveServer?
    private let loop: any EventLoop
    private let listener = Mutex<(any Channel)?>(nil)
    private let isStopping = Atomic(false)

    /// Listens, and begins to serve.
    ///
    /// - Parameters:
    ///   - address: where to listen.
    ///   - limits: what a client may take.
    ///   - live: what the live page needs; nil: it is not served.
    ///   - snapshot: asked on the server's thread for each request, and by event streams; must not wait.
    /// - Throws: ``MonitoringServerError`` if the address cannot be had.
    public init(
        at address: HTTPAddress,
        limits: Limits = Limits(),
        live page: LivePage? = nil,
        snapshot: @escaping @Sendable () -> DaemonSnapshot
    ) throws(MonitoringServerError) {
        let listener: any Channel
        let live = page.map { LiveServer($0, mostStreams: limits.streams) }
        do {
            loop = try HTTPThread.loop()
            listener = try Self.bootstrap(loop, limits, live, snapshot).bind(to: address.socketAddress).wait()
        } catch {
            throw Self.error(address, error)
        }
        let port = listener.localAddress?.port.flatMap { UInt16(exactly: $0) }
        self.address = HTTPAddress(host: address.host, port: port ?? address.port)
        (self.limits, self.live, self.snapshot) = (limits, live, snapshot)
        keepListening(listener)
    }

    /// Ends the server, and waits until it has ended; once, and not on the server's thread. Requests under way are cut off.
    public func stop() {
        guard !isStopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        guard let listener = listener.withLock({ $0 }) else { return }
        listener.close(promise: nil)
        // It never fails.
        try? listener.closeFuture.wait()
    }

    private static func error(_ address: HTTPAddress, _ error: any Error) -> MonitoringServerError {
        let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
        return MonitoringServerError(description: "cannot listen at \(address): \(reason)")
    }
}

extension MonitoringServer {
    private static func bootstrap(
        _ loop: any EventLoop,
        _ limits: Limits,
        _ live: LiveServer?,
        _ snapshot: @escaping @Sendable () -> DaemonSnapshot
    ) -> ServerBootstrap {
        ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: Int32(clamping: max(limits.connections, 16)))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let accept = AcceptPauseHandler(pause: pause)
                    let count = ConnectionCountHandler(
                        most: limits.connections + (live == nil ? 0 : limits.streams)
                    )
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
                channel.eventLoop.makeCompletedFuture {
                    try addHandlers(to: channel, limits)
                    try channel.pipeline.syncOperations.addHandler(
                        PageHandler(live: live, snapshot: snapshot)
                    )
                }
            }
    }

    /// Adds what a connection's bytes go through between the socket and the page.
    static func addHandlers(to channel: any Channel, _ limits: Limits) throws {
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
        try pipeline.addHandler(ExchangeHandler(mostHeaders: limits.headers))
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
            let bootstrap = Self.bootstrap(self.loop, self.limits, self.live, self.snapshot)
            bootstrap.bind(to: address).whenComplete { result in
                switch result {
                case .success(let channel): self.keepListening(channel)
                case .failure: self.listenAnew()
                }
            }
        }
    }
}
