import FlyingSocks
import Foundation
import Glibc
import Robotics
import Synchronization

/// Why no HTTP server could be started.
public struct MonitoringServerError: Error, CustomStringConvertible {
    /// The address and what the system said.
    public let description: String
}

/// Serves a daemon's metrics and health over HTTP/1.1, on a thread of its own.
///
/// One request a connection. Everything is bounded: the size of a request, the connections, and the time that each may
/// take. A client that is slow or sends garbage therefore delays other clients at most, never the daemon.
public final class MonitoringServer: Sendable {
    /// What a client may take.
    public struct Limits: Sendable {
        /// The longest request line and headers together, in bytes.
        public var headBytes = 8192
        /// The most connections at a time; as many again, and at least 16, wait for their turn.
        public var connections = 16
        /// From a connection's beginning to its end.
        public var time = Duration.seconds(5)

        /// The defaults.
        public init() {}
    }

    /// Where it listens, with the port that the system chose where 0 was asked for.
    public let address: HTTPAddress
    private let listener: Socket
    private let limits: Limits
    private let snapshot: @Sendable () -> DaemonSnapshot
    private let isStopping = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)

    /// Listens, and begins to serve.
    ///
    /// - Parameter snapshot: asked on the server's thread for each request.
    /// - Throws: ``MonitoringServerError`` where the address cannot be had.
    public init(
        at address: HTTPAddress,
        limits: Limits = Limits(),
        snapshot: @escaping @Sendable () -> DaemonSnapshot
    ) throws(MonitoringServerError) {
        do {
            listener = try address.listen(backlog: Int32(clamping: max(limits.connections, 16)))
            switch try listener.sockname() {
            case .ip4(_, let port), .ip6(_, let port):
                self.address = HTTPAddress(host: address.host, port: port)
            case .unix: self.address = address
            }
        } catch {
            throw MonitoringServerError(description: "cannot listen at \(address): \(Self.reason(error))")
        }
        self.limits = limits
        self.snapshot = snapshot
        // The thread holds the server until `stop`.
        let thread = Thread {
            Thread.current.name = "http"
            self.serve()
        }
        thread.start()
    }

    /// Ends the server and waits for its thread; once. Requests under way are cut off.
    public func stop() {
        guard !isStopping.exchange(true, ordering: .acquiringAndReleasing) else { return }
        // Wakes the thread: its listening socket hangs up.
        shutdown(listener.file.rawValue, Int32(SHUT_RDWR))
        ended.wait()
    }

    private static func reason(_ error: any Error) -> String {
        if case .failed(_, _, let message)? = error as? SocketError { message } else { "\(error)" }
    }

    private func serve() {
        var connections: [HTTPConnection] = []
        while !isStopping.load(ordering: .acquiring) {
            let isFull = connections.count >= limits.connections
            var descriptors = connections.map(\.pollDescriptor)
            if !isFull {
                descriptors.append(pollfd(fd: listener.file.rawValue, events: Int16(POLLIN), revents: 0))
            }
            let nowNs = Clock.monotonicNs()
            let dueNs = connections.map(\.deadlineNs).min()
            let timeout = dueNs.map { Int32(clamping: ($0 - min($0, nowNs)) / 1_000_000 + 1) } ?? -1
            if poll(&descriptors, nfds_t(descriptors.count), timeout) < 0 {
                guard errno == EINTR else { break }
                continue
            }
            for index in connections.indices where descriptors[index].revents != 0 {
                connections[index].advance(answer: answer)
            }
            let endNs = Clock.monotonicNs()
            connections.removeAll { $0.closeIfOver(nowNs: endNs) }
            if !isFull, descriptors.last?.revents != 0 { accept(into: &connections) }
        }
        for connection in connections { connection.close() }
        try? listener.close()
        ended.signal()
    }

    private func answer(_ request: HTTPRequest) -> HTTPAnswer {
        MonitoringPages.answer(request, snapshot: snapshot)
    }

    private func accept(into connections: inout [HTTPConnection]) {
        while connections.count < limits.connections {
            do {
                let socket = Socket(file: try listener.accept().file)
                guard (try? socket.setFlags(.nonBlocking)) != nil else {
                    try? socket.close()
                    continue
                }
                connections.append(HTTPConnection(socket: socket, limits: limits, nowNs: Clock.monotonicNs()))
            } catch {
                // Out of descriptors, the listener stays ready: without a pause the thread would spin.
                if error as? SocketError != .blocked { usleep(50_000) }
                return
            }
        }
    }
}
