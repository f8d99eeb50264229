import HTTP
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@testable import WebSockets

/// Sends each message back, in the order in which a test lets it.
private final class Echo: WebSocketService {
    struct State {
        var begun: [WebSocketClient] = []
        var ended: [UInt64] = []
        var taken: [(message: [UInt8], isText: Bool, client: WebSocketClient, previous: UInt64?)] = []
        var faults: [WebSocketFault] = []
    }

    let state = Mutex(State())
    private let answersAtOnce: Bool

    init(answersAtOnce: Bool) { self.answersAtOnce = answersAtOnce }

    var ended: [UInt64] { state.withLock { $0.ended } }
    var taken: [[UInt8]] { state.withLock { $0.taken.map(\.message) } }
    var faults: [WebSocketFault] { state.withLock { $0.faults } }

    func refusal(of request: HTTPRequestHead, from peer: String) -> HTTPRefusal? {
        request.headers["X-Stranger"].isEmpty ? nil : .unauthorized("a stranger at \(peer)")
    }

    func answer(_ request: HTTPRequest) -> HTTPAnswer { HTTPAnswer(.ok, "\(request.path)\n") }

    func begin(_ client: WebSocketClient) -> [UInt8] {
        state.withLock { $0.begun.append(client) }
        return Array("hello".utf8)
    }

    func take(_ message: [UInt8], isText: Bool, from client: WebSocketClient, previousTotalNs: UInt64?) {
        state.withLock { $0.taken.append((message, isText, client, previousTotalNs)) }
        if message == Array("fail".utf8) {
            client.fail("as you wish")
        } else if answersAtOnce {
            client.answer(message)
        }
    }

    func refuse(_ fault: WebSocketFault, of client: WebSocketClient) -> String {
        state.withLock { $0.faults.append(fault) }
        return "refused"
    }

    func end(_ client: WebSocketClient) { state.withLock { $0.ended.append(client.id) } }
}

/// A server on a free port.
private final class Server {
    let echo: Echo
    let server: WebSocketServer

    init(answersAtOnce: Bool = true, _ change: (inout WebSocketServer.Limits) -> Void = { _ in }) throws {
        var limits = WebSocketServer.Limits(messageBytes: 100_000)
        change(&limits)
        echo = Echo(answersAtOnce: answersAtOnce)
        server = try WebSocketServer(
            at: try #require(HTTPAddress("0")),
            limits: limits,
            thread: "websockets",
            service: echo
        )
    }

    deinit { server.stop() }

    func raw(
        request: String = "GET / HTTP/1.1",
        _ headers: [String] = RawWebSocket.handshake,
        more: [UInt8] = []
    ) throws -> RawWebSocket {
        try RawWebSocket(port: server.address.port, request: request, headers: headers, more: more)
    }

    /// A client that is let in, and has been greeted.
    func client() throws -> RawWebSocket {
        let client = try raw()
        try #require(client.status == 101, "\(client.answer)")
        try #require(client.read()?.text == "hello")
        return client
    }
}

@Suite(.timeLimit(.minutes(10))) struct WebSocketTests {
    // MARK: Handshake

    @Test func handshakeIsAnswered() throws {
        let server = try Server()
        let client = try server.raw()
        #expect(client.status == 101)
        // The key and the answer of RFC 6455, section 1.3.
        #expect(client.answer.lowercased().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="))
        #expect(client.read() == .init(opcode: 2, payload: Array("hello".utf8)))
    }

    @Test(arguments: [
        ("GET / HTTP/1.1", ["Origin: http://localhost"], 403), ("GET / HTTP/1.1", ["X-Stranger: 1"], 401),
        ("GET /other HTTP/1.1", [], 404), ("POST / HTTP/1.1", [], 405), ("GET / HTTP/1.0", [], 400),
    ])
    func handshakeIsRefused(request: String, more: [String], status: Int) throws {
        let server = try Server()
        let client = try server.raw(request: request, RawWebSocket.handshake + more)
        #expect(client.status == status, "\(client.answer)")
        #expect(try server.client().status == 101, "the server goes on")
        #expect(server.echo.state.withLock { $0.begun.count } == 1)
    }

    @Test(arguments: ["Sec-WebSocket-Key", "Sec-WebSocket-Version"])
    func incompleteHandshakeIsRefused(header: String) throws {
        let server = try Server()
        let client = try server.raw(RawWebSocket.handshake.filter { !$0.hasPrefix(header) })
        #expect(client.status == 400, "\(client.answer)")
        let other = try server.raw(
            RawWebSocket.handshake.map {
                $0.hasPrefix("Sec-WebSocket-Version") ? "Sec-WebSocket-Version: 12" : $0
            }
        )
        #expect(other.status == 400, "\(other.answer)")
    }

    @Test func bytesBeforeTheAnswerAreRefused() throws {
        let server = try Server()
        #expect(try server.raw(more: RawWebSocket.frame(2, [1])).status == 400)
    }

    @Test func otherRequestsAreAnsweredAsUsual() throws {
        let server = try Server()
        let plain = try server.raw(request: "GET /page HTTP/1.1", ["Host: localhost"])
        #expect(plain.status == 200)
        #expect(String(decoding: plain.rest(), as: UTF8.self) == "/page\n")
    }

    @Test func handshakeHasItsTime() throws {
        let server = try Server { $0.handshakeTime = .milliseconds(200) }
        let silent = try server.raw(request: "")
        #expect(silent.rest().isEmpty, "the server ends the connection")
        let client = try server.client()
        #expect(!client.hasMore(withinMilliseconds: 400), "who is let in may stay")
    }

    @Test func clientsAreBounded() throws {
        let server = try Server { $0.clients = 2 }
        let (first, _second) = try (server.client(), server.client())
        defer { withExtendedLifetime(_second) {} }
        #expect(try server.raw().status == 503)
        #expect(try server.raw(request: "GET /healthz HTTP/1.1", ["Host: localhost"]).status == 200)
        first.disconnect()
        eventually { server.echo.ended.count == 1 }
        #expect(try server.client().status == 101)
    }

    // MARK: Messages

    @Test(arguments: [0, 1, 2, 3, 4, 5, 125, 126, 127, 65_535, 65_536, 100_000])
    func messagesOfAnyLengthAreTaken(length: Int) throws {
        let server = try Server()
        let client = try server.client()
        let message = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        client.send(.binary, message)
        #expect(client.read() == .init(opcode: 2, payload: message))
        #expect(server.echo.state.withLock { $0.taken.map(\.isText) } == [false])
    }

    @Test func fragmentsAreOneMessage() throws {
        let server = try Server()
        let client = try server.client()
        client.send(.text, Array("ab".utf8), isLast: false)
        client.send(.ping, [7, 8])
        client.send(.continuation, [], isLast: false)
        client.send(.continuation, Array("cde".utf8))
        #expect(client.read() == .init(opcode: 10, payload: [7, 8]), "a ping within a message")
        #expect(client.read()?.text == "abcde")
        #expect(server.echo.state.withLock { $0.taken.map(\.isText) } == [true])
    }

    @Test func bytesComeAsTheyLike() throws {
        let server = try Server()
        let client = try server.client()
        for byte in RawWebSocket.frame(2, Array("slowly".utf8)) { client.write([byte]) }
        #expect(client.read()?.text == "slowly")
    }

    @Test func messagesAreTakenOneByOne() throws {
        let server = try Server(answersAtOnce: false)
        let client = try server.client()
        client.write((0..<5).flatMap { RawWebSocket.frame(2, [$0]) })
        eventually { server.echo.taken.count == 1 }
        client.send(.ping, [1])
        #expect(!client.hasMore(withinMilliseconds: 200), "while a message waits, nothing is read")
        #expect(server.echo.taken == [[0]])
        var pongs = 0
        for index in 0..<5 {
            eventually { server.echo.taken.count == index + 1 }
            let taken = server.echo.state.withLock { $0.taken[index] }
            #expect((taken.previous == nil) == (index == 0))
            taken.client.answer([UInt8(10 + index)])
            var frame = client.read()
            if frame?.isA(.pong) == true {
                pongs += 1
                frame = client.read()
            }
            #expect(frame?.payload == [UInt8(10 + index)])
        }
        if pongs == 0 { #expect(client.read()?.isA(.pong) == true) }
        #expect(server.echo.taken == [[0], [1], [2], [3], [4]])
    }

    @Test func pingIsAnsweredWhileAMessageIs() throws {
        let server = try Server(answersAtOnce: false)
        let client = try server.client()
        client.send(.binary, [1])
        client.send(.ping, [2])
        #expect(client.read() == .init(opcode: 10, payload: [2]))
    }

    @Test func clientThatSendsAndDoesNotReadHasToWait() throws {
        let server = try Server()
        let client = try server.raw()
        client.shrinkReceiveBuffer()
        let frame = RawWebSocket.frame(2, [UInt8](repeating: 5, count: 90_000))
        // So much as the buffers of both sides hold, and no more, is ever taken.
        var sent = 0
        while sent < 1000, client.write(frame, withinMilliseconds: 300) { sent += 1 }
        #expect(sent < 1000, "the client is never held up")
        #expect(server.echo.taken.count < 200)
        #expect(try server.client().status == 101, "others are served")
    }

    // MARK: What is against the rules

    static let faults: [(name: String, bytes: [UInt8], code: Int)] = [
        ("no mask", RawWebSocket.frame(2, [1], isMasked: false), 1002),
        ("reserved bits", RawWebSocket.frame(2, [1], reserved: 4), 1002),
        ("unknown kind", RawWebSocket.frame(3, [1]), 1002),
        ("unknown control", RawWebSocket.frame(11, [1]), 1002),
        ("continuation of nothing", RawWebSocket.frame(0, [1]), 1002),
        (
            "a message within another",
            RawWebSocket.frame(2, [1], isLast: false) + RawWebSocket.frame(2, [1]), 1002
        ),
        ("fragmented ping", RawWebSocket.frame(9, [1], isLast: false), 1002),
        ("long ping", RawWebSocket.frame(9, [UInt8](repeating: 0, count: 126)), 1002),
        ("too long", RawWebSocket.frame(2, [], announced: 100_001), 1009),
        ("endless", RawWebSocket.frame(2, [], announced: .max), 1009),
        ("negative length", RawWebSocket.frame(2, [], announced: .min), 1009),
        (
            "too long in fragments",
            RawWebSocket.frame(2, [UInt8](repeating: 0, count: 60_000), isLast: false)
                + RawWebSocket.frame(0, [UInt8](repeating: 0, count: 60_000)), 1009
        ),
    ]

    @Test(arguments: faults.indices)
    func faultEndsTheConnection(index: Int) throws {
        let fault = Self.faults[index]
        let server = try Server { $0.closingTime = .milliseconds(300) }
        let client = try server.client()
        client.write(fault.bytes)
        let text = client.read()
        #expect(text?.isA(.text) == true && text?.text == "refused", "\(fault.name)")
        #expect(client.read()?.closeCode == fault.code, "\(fault.name)")
        #expect(client.read() == nil, "the server ends the connection")
        #expect(server.echo.faults.count == 1)
        #expect(server.echo.ended.count == 1)
        #expect(server.echo.taken.isEmpty)
        #expect(try server.client().status == 101, "the server goes on")
    }

    @Test func garbageIsRefused() throws {
        let server = try Server { $0.closingTime = .milliseconds(300) }
        let client = try server.client()
        client.write([UInt8](repeating: 0xff, count: 1000))
        #expect(client.read()?.isA(.text) == true)
        #expect(client.read()?.closeCode == 1009)
        #expect(server.echo.ended.count == 1)
    }

    // MARK: Ends

    @Test func failureIsATextAndACloseFrame() throws {
        let server = try Server()
        let client = try server.client()
        client.send(.binary, Array("fail".utf8))
        #expect(client.read() == .init(opcode: 1, payload: Array("as you wish".utf8)))
        #expect(client.read()?.closeCode == 1011)
        client.send(.binary, [1])
        client.send(.close, [0x03, 0xf3])
        #expect(client.read() == nil)
        #expect(server.echo.taken.count == 1, "what comes after is passed over")
        #expect(server.echo.ended.count == 1)
    }

    @Test func clientMayClose() throws {
        let server = try Server()
        let client = try server.client()
        client.send(.close, [0x03, 0xe8, 0x62])
        #expect(client.read()?.closeCode == 1000)
        #expect(client.read() == nil)
        #expect(server.echo.ended.count == 1)
        let bare = try server.client()
        bare.send(.close)
        #expect(bare.read() == .init(opcode: 8, payload: []))
        #expect(bare.read() == nil)
    }

    @Test func clientThatGoesIsForgotten() throws {
        let server = try Server(answersAtOnce: false)
        let gone = try server.client()
        gone.send(.binary, [1])
        eventually { server.echo.taken.count == 1 }
        gone.disconnect()
        eventually { server.echo.ended.count == 1 }
        server.echo.state.withLock { $0.taken[0].client }.answer([2])
        let half = try server.client()
        half.finish()
        #expect(half.read() == nil)
        eventually { server.echo.ended.count == 2 }
        #expect(try server.client().status == 101)
    }

    @Test func silentClientIsPingedAndThenLeft() throws {
        let server = try Server {
            $0.silence = .milliseconds(400)
            $0.closingTime = .milliseconds(100)
        }
        let client = try server.client()
        #expect(client.read() == .init(opcode: 9, payload: []))
        client.send(.pong)
        #expect(client.read() == .init(opcode: 9, payload: []), "who answers may stay")
        #expect(server.echo.faults.isEmpty)
        #expect(client.read()?.isA(.text) == true)
        #expect(client.read()?.closeCode == 1008)
        #expect(server.echo.faults == [.silent])
    }

    @Test(arguments: [0, 1])
    func messageHasItsTime(fragments: Int) throws {
        let server = try Server {
            $0.messageTime = .milliseconds(400)
            $0.closingTime = .milliseconds(100)
        }
        let client = try server.client()
        if fragments > 0 { client.send(.binary, [1], isLast: false) } else { client.write([0x82]) }
        // Signs of life do not help.
        for _ in 0..<8 where fragments > 0 { client.send(.ping, [3]) }
        var frame = client.read()
        while frame?.isA(.pong) == true { frame = client.read() }
        #expect(frame?.isA(.text) == true)
        #expect(client.read()?.closeCode == 1008)
        #expect(server.echo.faults == [.tooSlow])
    }

    @Test func serverSaysThatItGoes() throws {
        let server = try Server()
        let client = try server.client()
        server.server.stop()
        #expect(client.read()?.closeCode == 1001)
        #expect(client.read() == nil)
        #expect(server.echo.ended.count == 1)
    }

    @Test func addressThatIsTakenIsTold() throws {
        let server = try Server()
        let error = #expect(throws: HTTPServerError.self) {
            try WebSocketServer(
                at: server.server.address,
                limits: .init(messageBytes: 1),
                thread: "websockets",
                service: Echo(answersAtOnce: true)
            )
        }
        #expect(error?.description.contains("Address already in use") == true)
    }
}
