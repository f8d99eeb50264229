import Foundation
import Glibc
import Testing

@testable import Monitoring

/// A client that writes bytes to a TCP port and reads what comes back.
private final class Client {
    private let descriptor: Int32

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
        try #require(connected == 0)
        // A server that does not answer is to fail a test, not to hold it up.
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Sends as much as the server takes.
    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Everything until the server closes; nil where it does not.
    func answer() -> String? {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 { return errno == ECONNRESET ? String(decoding: text, as: UTF8.self) : nil }
            if count == 0 { return String(decoding: text, as: UTF8.self) }
            text += buffer[..<count]
        }
    }
}

/// A server on a free port.
private final class Server {
    let server: MonitoringServer

    init(_ change: (inout MonitoringServer.Limits) -> Void = { _ in }) throws {
        var limits = MonitoringServer.Limits()
        change(&limits)
        server = try MonitoringServer(at: try #require(HTTPAddress("0")), limits: limits) { snapshot() }
    }

    deinit { server.stop() }

    func client() throws -> Client { try Client(port: server.address.port) }

    func answer(_ request: String) throws -> String {
        let client = try client()
        client.send(request)
        return try #require(client.answer(), "no answer to \(request.debugDescription)")
    }
}

@Suite(.timeLimit(.minutes(1))) struct MonitoringServerTests {
    @Test func metricsAreServed() throws {
        let server = try Server()
        let answer = try server.answer("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        let parts = answer.split(separator: "\r\n\r\n", maxSplits: 1)
        try #require(parts.count == 2)
        let head = parts[0].components(separatedBy: "\r\n")
        #expect(head[0] == "HTTP/1.1 200 OK")
        #expect(head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"))
        #expect(head.contains("Content-Length: \(parts[1].utf8.count)"))
        #expect(head.contains("Connection: close"))
        #expect(try PrometheusParser(String(parts[1])).value("denoised_chunks_total") == 12)
        let headers = try server.answer("HEAD /metrics HTTP/1.0\r\n\r\n")
        #expect(headers == parts[0] + "\r\n\r\n")
    }

    @Test(arguments: [
        ("GET /nowhere HTTP/1.1\r\n\r\n", "404"), ("DELETE /metrics HTTP/1.1\r\n\r\n", "405"),
        ("garbage\r\n\r\n", "400"), ("\u{0}\u{1}\n\n", "400"),
        ("GET /healthz HTTP/1.1\r\nContent-Length: 99999\r\n\r\nbody", "200"),
    ])
    func statusFits(request: String, status: String) throws {
        #expect(try Server().answer(request).hasPrefix("HTTP/1.1 \(status) "))
    }

    @Test func aRequestMayComeInPieces() throws {
        let client = try Server().retained { server in
            let client = try server.client()
            for character in "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" { client.send(String(character)) }
            return client.answer()
        }
        #expect(client?.hasSuffix("\r\n\r\nok\n") == true)
    }

    @Test func aHeaderWithoutEndIsRefused() throws {
        let server = try Server { $0.headBytes = 100 }
        let line = "GET /healthz HTTP/1.1\r\nX: "
        let fits = line + String(repeating: "x", count: 100 - line.utf8.count - 4) + "\r\n\r\n"
        #expect(try server.answer(fits).hasPrefix("HTTP/1.1 200 "))
        #expect(try server.answer("x" + fits).hasPrefix("HTTP/1.1 431 "))
        #expect(try server.answer(line + String(repeating: "x", count: 50_000)).hasPrefix("HTTP/1.1 431 "))
    }

    @Test func aSilentClientIsClosedAndHoldsNobodyUp() throws {
        let server = try Server {
            $0.connections = 3
            $0.time = .milliseconds(200)
        }
        // As many as there may be, and one that waits for its turn.
        let silent = try (0..<3).map { _ in try server.client() }
        silent[1].send("GET /met")
        #expect(try server.answer("GET /healthz HTTP/1.1\r\n\r\n").hasSuffix("ok\n"))
        for client in silent { #expect(client.answer() == "") }
    }

    @Test func manyClientsGetAnAnswerEach() throws {
        let server = try Server { $0.connections = 2 }
        let clients = try (0..<20).map { _ in
            let client = try server.client()
            client.send("GET /healthz HTTP/1.1\r\n\r\n")
            return client
        }
        for client in clients { #expect(client.answer()?.hasSuffix("ok\n") == true) }
    }

    @Test func aTakenAddressIsNamed() throws {
        let server = try Server()
        let error = #expect(throws: MonitoringServerError.self) {
            try MonitoringServer(at: server.server.address) { snapshot() }
        }
        let text = try #require(error).description
        #expect(text == "cannot listen at \(server.server.address): Address already in use")
    }
}

extension Server {
    /// Keeps the server while `body` runs.
    fileprivate func retained<Result>(_ body: (Server) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(self) }
    }
}
