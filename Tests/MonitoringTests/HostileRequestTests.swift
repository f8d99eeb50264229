import Foundation
import TestSupport
import Testing

@testable import Monitoring

/// Requests that are odd, ambiguous or malformed get an answer, and the server serves on.
@Suite(.timeLimit(.minutes(10))) struct HostileRequestTests {
    private static let line = "GET /healthz HTTP/1.1\r\n"

    /// The status code of each answer that comes back.
    private func statuses(_ request: [UInt8]) throws -> [String] {
        let server = try Server()
        let client = try server.client()
        client.send(request)
        let answer = try #require(client.answer(), "no end of the connection")
        #expect(try server.answer("GET /healthz HTTP/1.1\r\n\r\n").hasSuffix("ok\n"), "the server serves on")
        return answer.matches(of: #/HTTP/1\.1 (\d{3}) /#).map { String($0.output.1) }
    }

    @Test(arguments: [
        "Content-Length: 4\r\n\r\nbody", "Content-Length: 0\r\n\r\n", "Content-Length: 0004\r\n\r\nbody",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0\r\nTrailer: x\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nnot a chunk\r\n", "Transfer-Encoding: gzip, chunked\r\n\r\n",
        "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n", "Expect: something\r\n\r\n",
    ])
    func aBodyIsPassedOver(rest: String) throws {
        #expect(try statuses(Array((Self.line + rest).utf8)) == ["200"], "\(rest.debugDescription)")
    }

    @Test(arguments: [
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n\u{1}\u{2}",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        "Connection: close\r\n\r\n", "Connection: keep-alive\r\n\r\n", "connection: Close\r\nhost: x\r\n\r\n",
    ])
    func theConnectionEndsWhateverTheClientWants(rest: String) throws {
        #expect(try statuses(Array((Self.line + rest).utf8)) == ["200"], "\(rest.debugDescription)")
    }

    @Test(arguments: [
        line + "\r\n" + line + "\r\n", line + "\r\n" + "garbage\r\n\r\n", line + "\r\n\r\n\r\n",
        line + "Content-Length: 5\r\n\r\n12345" + line + "\r\n",
    ])
    func ofPipelinedRequestsTheFirstIsAnswered(requests: String) throws {
        #expect(try statuses(Array(requests.utf8)) == ["200"], "\(requests.debugDescription)")
    }

    @Test(arguments: [
        "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody",
        "Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody",
        "Content-Length: 4, 4\r\n\r\nbody", "Content-Length: 4 4\r\n\r\nbody", "Content-Length: -1\r\n\r\n",
        "Content-Length: +4\r\n\r\nbody", "Content-Length: 0x4\r\n\r\nbody",
        "Content-Length: four\r\n\r\nbody",
        "Content-Length: 99999999999999999999999\r\n\r\n", "Content-Length:\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 4\r\nTransfer-Encoding: identity\r\n\r\nbody",
        "Transfer-Encoding: identity\r\n\r\n", "Transfer-Encoding: chunked, identity\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n", "Transfer-Encoding : chunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        "Content-Length: 4\r\nTransfer-Encoding\r\n : chunked\r\n\r\nbody",
    ])
    func aBodyWithoutACertainLengthIsRefused(rest: String) throws {
        #expect(try statuses(Array((Self.line + rest).utf8)) == ["400"], "\(rest.debugDescription)")
    }

    @Test(arguments: [
        "A: b\r\n folded\r\n\r\n", "A: b\r\n\tfolded\r\n\r\n", " A: b\r\n\r\n", "A : b\r\n\r\n",
        "no colon\r\n\r\n",
        ": b\r\n\r\n", "A: b\rC: d\r\n\r\n", "A: \u{0}\r\n\r\n", "\u{0}: b\r\n\r\n", "A\u{0}: b\r\n\r\n",
        "A: \u{1b}[2J\r\n\r\n", "A: \u{7f}\r\n\r\n", "(A): b\r\n\r\n", "Ä: b\r\n\r\n", "A: b\r\n\r\r\n",
        "Host: a\r\nHost: b\r\n\r\n", "Host: a\r\nhost: a\r\n\r\n",
    ])
    func malformedHeadersAreRefused(rest: String) throws {
        #expect(try statuses(Array((Self.line + rest).utf8)) == ["400"], "\(rest.debugDescription)")
    }

    @Test(arguments: [
        ("GET /healthz\r\n\r\n", "400"), ("GET /healthz HTTP/0.9\r\n\r\n", "400"),
        ("GET /healthz HTTP/1.2\r\n\r\n", "400"), ("GET /healthz HTTP/2.0\r\n\r\n", "400"),
        ("GET /healthz http/1.1\r\n\r\n", "400"), ("GET /healthz HTTP/1.1 \r\n\r\n", "400"),
        ("GET  /healthz HTTP/1.1\r\n\r\n", "400"), ("GET /healthz  HTTP/1.1\r\n\r\n", "400"),
        (" GET /healthz HTTP/1.1\r\n\r\n", "400"), ("GET\t/healthz HTTP/1.1\r\n\r\n", "400"),
        ("\r\nGET /healthz HTTP/1.1\r\n\r\n", "400"), ("\r\n\r\n", "400"), ("\n\n", "400"),
        ("GET /h\u{0}ealthz HTTP/1.1\r\n\r\n", "400"), ("GET /hé HTTP/1.1\r\n\r\n", "400"),
        ("GET  HTTP/1.1\r\n\r\n", "400"), ("GET ? HTTP/1.1\r\n\r\n", "400"),
        ("OPTIONS * HTTP/1.1\r\n\r\n", "400"), ("CONNECT robot:80 HTTP/1.1\r\nHost: robot\r\n\r\n", "400"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"), ("PRI /metrics HTTP/1.1\r\n\r\n", "405"),
        ("CONNECT /metrics HTTP/1.1\r\n\r\n", "405"), ("BREW /metrics HTTP/1.1\r\n\r\n", "405"),
        ("TRACE /metrics HTTP/1.1\r\n\r\n", "405"), ("SETUP /metrics HTTP/1.1\r\n\r\n", "405"),
        ("POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "405"),
        ("PUT /metrics HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", "405"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "400"),
    ])
    func oddRequestLinesAreAnswered(request: String, status: String) throws {
        #expect(try statuses(Array(request.utf8)) == [status], "\(request.debugDescription)")
    }

    @Test func bareLineFeedsEndLines() throws {
        #expect(try statuses(Array("GET /healthz HTTP/1.1\n\n".utf8)) == ["200"])
        #expect(try statuses(Array("GET /healthz HTTP/1.1\nHost: x\nA: b\n\n".utf8)) == ["200"])
    }

    @Test func textThatIsNotUTF8IsNoMatterInAHeader() throws {
        #expect(
            try statuses(Array((Self.line + "A: ").utf8) + [0xff, 0xfe] + Array("\r\n\r\n".utf8)) == ["200"]
        )
    }

    @Test func encryptionIsRefusedAtOnce() throws {
        // The beginning of a TLS handshake has no line.
        #expect(try statuses([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]) == ["400"])
    }

    @Test func theNumberOfHeadersIsBounded() throws {
        let server = try Server { $0.headers = 10 }
        let line = Self.line
        func request(headers: Int) -> String { line + String(repeating: "A: b\r\n", count: headers) + "\r\n" }
        #expect(try server.answer(request(headers: 10)).hasPrefix("HTTP/1.1 200 "))
        let refused = try server.answer(request(headers: 11))
        #expect(refused.hasPrefix("HTTP/1.1 431 ") && refused.hasSuffix("expected at most 10 headers\n"))
    }

    @Test func aLongTargetIsRefused() throws {
        let target = "/" + String(repeating: "a", count: 10_000)
        #expect(try statuses(Array("GET \(target) HTTP/1.1\r\n\r\n".utf8)) == ["431"])
    }

    // MARK: How a connection ends

    @Test func aClientMaySayThatItSendsNothingMore() throws {
        let server = try Server()
        let client = try server.client()
        client.send(Self.line + "\r\n")
        client.finish()
        #expect(client.answer()?.hasSuffix("\r\n\r\nok\n") == true)
    }

    @Test func aRequestThatEndsEarlyIsRefused() throws {
        let server = try Server()
        let client = try server.client()
        client.send(Self.line + "Host: x")
        client.finish()
        let answer = try #require(client.answer())
        #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.contains("found the end of the connection"))
        let silent = try server.client()
        silent.finish()
        #expect(silent.answer() == "")
    }

    @Test func whatComesAfterTheAnswerDoesNotTakeItBack() throws {
        let server = try Server()
        let client = try server.client()
        client.send("POST /metrics HTTP/1.1\r\nContent-Length: 40000\r\n\r\n")
        #expect(client.hasAnswer(withinMilliseconds: 20_000))
        client.send([UInt8](repeating: 0, count: 40_000))
        client.finish()
        #expect(client.answer()?.hasPrefix("HTTP/1.1 405 ") == true)
        #expect(!client.wasReset)
    }

    @Test func aBodyWithoutEndEndsTheConnection() throws {
        // Its end must not come from the time limit.
        let server = try Server { $0.time = .seconds(600) }
        let client = try server.client()
        client.send("POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        let mebibyte = [UInt8](repeating: 0, count: 1 << 20)
        while client.send(mebibyte) > 0 {}
    }

    @Test func theEndOfTheServerEndsConnections() throws {
        let server = try Server { $0.time = .seconds(600) }
        let clients = [try server.client(), try server.client()]
        clients[0].send(Self.line)
        #expect(try server.answer("GET /healthz HTTP/1.1\r\n\r\n").hasSuffix("ok\n"))
        server.server.stop()
        server.server.stop()
        for client in clients { #expect(client.answer() == "") }
        #expect(throws: Client.NotConnected.self) { try Client(port: server.server.address.port) }
    }

    /// An error of `accept` that NIO does not know makes it close the listening socket.
    @Test func `a listening socket that fails is replaced`() throws {
        let server = try Server()
        let listener = try #require(server.listeningDescriptor)
        shutdown(listener, Int32(SHUT_RDWR))
        eventually(every: .milliseconds(10)) {
            // A client that cannot connect yet is no failure.
            (try? server.client()).flatMap { client in
                client.send("GET /healthz HTTP/1.1\r\n\r\n")
                return client.answer()
            }
        } is: {
            $0?.hasSuffix("ok\n") == true
        }
    }
}
