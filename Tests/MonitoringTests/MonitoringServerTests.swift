import Foundation
import Testing

@testable import Monitoring

@Suite(.timeLimit(.minutes(10))) struct MonitoringServerTests {
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

    @Test func moreConnectionsThanThereMayBeWait() throws {
        let server = try Server {
            $0.connections = 2
            $0.time = .seconds(600)
        }
        var silent = [try server.client(), try server.client()]
        silent[0].send("GET /met")
        // They were accepted first, in this order.
        let client = try server.client()
        client.send("GET /healthz HTTP/1.1\r\n\r\n")
        #expect(!client.hasAnswer(withinMilliseconds: 300))
        silent.removeLast()
        #expect(client.answer()?.hasSuffix("ok\n") == true)
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
