import Glibc
import Testing

@testable import HTTP
@testable import Monitoring

/// A client that writes bytes to a TCP port and reads what comes back.
final class Client {
    struct NotConnected: Error { let error: Int32 }

    private var descriptor: Int32
    /// What has come and was not asked for.
    private var rest = ""
    /// Whether the server cut the connection off, which may cost a client the answer.
    private(set) var wasReset = false

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(descriptor >= 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let descriptor = descriptor
        let connected = withUnsafeBytes(of: &address) { bytes in
            connect(
                descriptor,
                bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(bytes.count)
            )
        }
        guard connected == 0 else { throw NotConnected(error: errno) }
        // A server that does not answer is to fail a test, not to hold it up.
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close() }

    /// Ends the connection; more than once does no harm.
    func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Sends as much as the server takes.
    func send(_ text: String) { send(Array(text.utf8)) }

    /// Sends as much as the server takes, and returns how much that is; negative where the connection has ended.
    @discardableResult func send(_ bytes: [UInt8]) -> Int {
        Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Says that nothing more comes.
    func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Whether something comes, be it the end.
    func hasAnswer(withinMilliseconds milliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, milliseconds) > 0
    }

    /// What comes until a text has come, and no more; nil where it does not come.
    func read(until mark: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            if let range = rest.firstRange(of: mark) {
                defer { rest = String(rest[range.upperBound...]) }
                return String(rest[..<range.upperBound])
            }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            rest += String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    /// Everything until the server closes; nil where it does not.
    func answer() -> String? {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 {
                wasReset = errno == ECONNRESET
                return wasReset ? String(decoding: text, as: UTF8.self) : nil
            }
            if count == 0 { return String(decoding: text, as: UTF8.self) }
            text += buffer[..<count]
        }
    }
}

/// A server on a free port.
final class Server {
    let server: MonitoringServer

    init(
        live: LivePage? = nil,
        _ change: (inout MonitoringServer.Limits) -> Void = { _ in },
        snapshot: @escaping @Sendable () -> DaemonSnapshot = { MonitoringTests.snapshot() }
    ) throws {
        var limits = MonitoringServer.Limits()
        change(&limits)
        server = try MonitoringServer(
            at: try #require(HTTPAddress("0")),
            limits: limits,
            live: live,
            snapshot: snapshot
        )
    }

    deinit { server.stop() }

    func client() throws -> Client { try Client(port: server.address.port) }

    /// The socket with which it listens.
    var listeningDescriptor: Int32? {
        (0..<1024).first { descriptor in
            var (listens, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
            guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0, listens != 0 else {
                return false
            }
            var (address, length) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
            let isNamed = withUnsafeMutableBytes(of: &address) { bytes in
                getsockname(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
            }
            return isNamed == 0 && UInt16(bigEndian: address.sin_port) == server.address.port
        }
    }

    func answer(_ request: String) throws -> String {
        let client = try client()
        client.send(request)
        return try #require(client.answer(), "no answer to \(request.debugDescription)")
    }
}

extension Server {
    /// Keeps the server while `body` runs.
    func retained<Result>(_ body: (Server) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(self) }
    }
}
