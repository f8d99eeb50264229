import HTTP
import NIOCore

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

        fileprivate func http(hasStreams: Bool) -> HTTPServer.Limits {
            var http = HTTPServer.Limits()
            http.headBytes = headBytes
            http.headers = headers
            http.connections = connections + (hasStreams ? streams : 0)
            http.time = time
            return http
        }
    }

    /// Where it listens, with the port that the system chose if 0 was asked for.
    public var address: HTTPAddress { server.address }
    private let server: HTTPServer

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
        let live = page.map { LiveServer($0, mostStreams: limits.streams) }
        do throws(HTTPServerError) {
            server = try HTTPServer(
                at: address,
                limits: limits.http(hasStreams: live != nil),
                thread: "http"
            ) { channel, limits in
                try HTTPServer.addHandlers(to: channel, limits)
                try channel.pipeline.syncOperations.addHandler(PageHandler(live: live, snapshot: snapshot))
            }
        } catch {
            throw MonitoringServerError(description: error.description)
        }
    }

    /// Ends the server, and waits until it has ended; once, and not on the server's thread. Requests under way are cut off.
    public func stop() { server.stop() }

    /// Adds what a connection's bytes go through between the socket and the page.
    static func addHandlers(to channel: any Channel, _ limits: Limits) throws {
        try HTTPServer.addHandlers(to: channel, limits.http(hasStreams: false))
    }
}
