import Foundation
import Glibc
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Robotics
import Synchronization
import TestSupport
import Testing

@testable import HTTP
@testable import Monitoring

/// The live page over real sockets.
@Suite(.timeLimit(.minutes(10))) struct LivePageTests {
    private static let host = "Host: 127.0.0.1:9464\r\n"

    /// The status code, the headers in lower case, and the body.
    private func parsed(_ answer: String) throws -> (status: Int, headers: [String: String], body: String) {
        let parts = answer.components(separatedBy: "\r\n\r\n")
        let lines = parts[0].components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        try #require(words.count >= 2, "\(answer.debugDescription)")
        let headers = lines.dropFirst().map { line -> (String, String) in
            let pair = line.components(separatedBy: ": ")
            return (pair[0].lowercased(), pair.dropFirst().joined(separator: ": "))
        }
        return (
            try #require(Int(words[1])), Dictionary(headers) { "\($0), \($1)" },
            parts.dropFirst().joined(separator: "\r\n\r\n")
        )
    }

    private func order(
        _ target: String,
        _ headers: String = "Denoised-Order: x\r\n",
        method: String = "POST"
    ) -> String {
        "\(method) /orders/\(target) HTTP/1.1\r\n\(Self.host)\(headers)Content-Length: 0\r\n\r\n"
    }

    // MARK: Files

    @Test(arguments: [
        ("/", "text/html"), ("/live.js", "text/javascript"), ("/live.css", "text/css"),
        ("/charts.js", "text/javascript"),
        ("/scene.js", "text/javascript"), ("/connection.js", "text/javascript"),
        ("/elements.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
    ])
    func filesAreServedWithStrictHeaders(path: String, type: String) throws {
        let server = try Server(live: LivePageLog().page())
        let (status, headers, body) = try parsed(server.answer("GET \(path) HTTP/1.1\r\nHost: any\r\n\r\n"))
        #expect(status == 200 && !body.isEmpty)
        #expect(headers["content-type"] == "\(type); charset=utf-8")
        #expect(
            headers["content-security-policy"]
                == "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
                + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        #expect(headers["x-content-type-options"] == "nosniff" && headers["cache-control"] == "no-store")
        #expect(headers["referrer-policy"] == "no-referrer" && headers["x-frame-options"] == "DENY")
        #expect(headers["access-control-allow-origin"] == nil)
        #expect(try parsed(server.answer("HEAD \(path) HTTP/1.1\r\n\r\n")).body == "")
        #expect(try parsed(server.answer("POST \(path) HTTP/1.1\r\n\r\n")).status == 405)
    }

    /// The policy lets no other script, style or host in, so the files must do without.
    @Test func theFilesNeedNothingElse() throws {
        for path in [
            "/", "/live.js", "/live.css", "/charts.js", "/scene.js", "/connection.js", "/elements.js",
            "/icon.svg",
        ] {
            let text = try #require(LiveFiles.answer(to: path)).body
            let hosts = text.matches(of: #/(https?:)?\/\/[\w.]+/#).map { String($0.output.0) }
                .filter { $0.hasPrefix("http") && $0 != "http://www.w3.org" }
            #expect(hosts.isEmpty, "\(path)")
            for word in [
                " style=\"", "onclick=\"", "innerHTML", "insertAdjacentHTML", "eval(", "document.write",
                "javascript:",
            ] {
                #expect(!text.contains(word), "\(word) in \(path)")
            }
            let imports = text.matches(of: #/(?:from |src=|href=)"(\/|\.\/)([^"]*)"/#).map {
                "/" + $0.output.2
            }
            for file in imports where !["/metrics", "/healthz"].contains(file) {
                #expect(LiveFiles.answer(to: file) != nil, "\(file) of \(path)")
            }
        }
    }

    @Test func withoutALivePageThereIsNone() throws {
        let server = try Server()
        for target in ["GET /", "GET /events", "GET /live.js", "GET /orders/stop"] {
            #expect(try parsed(server.answer("\(target) HTTP/1.1\r\n\(Self.host)\r\n")).status == 404)
        }
        #expect(try parsed(server.answer(order("stop?robot=arm1"))).status == 405)
    }

    // MARK: Orders

    static let orderCases: [(String, RobotOrder, String?)] = [
        ("stop?robot=arm1", .stop, "arm1"), ("hold?robot=ns%2Farm%3A1", .hold, "ns/arm:1"),
        ("stop?robot=..", .stop, ".."), ("stop?robot=%2E%2E%2Fstop", .stop, "../stop"),
        ("stop?robot=all", .stop, "all"),
        ("stop?robot=%61%72%6d%31", .stop, "arm1"), ("stop?robots=all", .stop, nil),
    ]

    @Test(arguments: orderCases)
    func ordersReachTheDaemon(target: String, expected: RobotOrder, robot: String?) throws {
        let log = LivePageLog()
        let server = try Server(live: log.page())
        let (status, headers, body) = try parsed(server.answer(order(target)))
        #expect(status == 200 && headers["content-type"] == "application/json")
        #expect(
            body
                == #"{"robots":1,"state":"stopped","reason":"a \"stop\"","stop":"1800000000000000001","kept":false}"#
                + "\n"
        )
        #expect(log.orders == [.init(order: expected, robot: try robot.map { try id($0) })])
        #expect(log.orderers.first?.wholeMatch(of: #/the live page, 127\.0\.0\.1:\d+/#) != nil)
        #expect(log.warnings.isEmpty)
    }

    @Test func aResumeSaysWhichStopWasSeen() throws {
        let log = LivePageLog()
        let server = try Server(live: log.page())
        let seen = "Denoised-Order: resume\r\nDenoised-Stop: 1800000000000000001\r\n"
        #expect(try parsed(server.answer(order("resume?robot=arm1", seen))).status == 200)
        #expect(try parsed(server.answer(order("resume?robots=all", seen))).status == 200)
        let order = RobotOrder.resume(seen: 1_800_000_000_000_000_001)
        #expect(log.orders == [.init(order: order, robot: try id("arm1")), .init(order: order, robot: nil)])
        for stop in [
            "", "Denoised-Stop: x\r\n", "Denoised-Stop: -1\r\n", "Denoised-Stop: 1\r\nDenoised-Stop: 2\r\n",
        ] {
            let refused = try server.answer(self.order("resume?robot=arm1", "Denoised-Order: x\r\n" + stop))
            #expect(try parsed(refused).status == 400, "\(stop)")
        }
        #expect(log.orders.count == 2)
    }

    @Test(arguments: [
        "stop", "stop?", "stop?robot=", "stop?robot=a%20b", "stop?robot=a%2", "stop?robot=%zz",
        "stop?robot=%ff", "stop?robot=%00",
        "stop?robot=a&robot=b", "stop?robot=a&robots=all", "stop?robots=ALL", "stop?robots=arm1",
        "stop?Robot=a", "stop?robot=a+b",
        "stop?robot=%3Cimg%20src%3Dx%3E", "stop?robot=%252E", "hold?robots=all",
        "stop?robot=\(String(repeating: "a", count: 65))",
    ])
    func aTargetThatNamesNoRobotIsRefused(target: String) throws {
        let log = LivePageLog()
        let (status, _, body) = try parsed(Server(live: log.page()).answer(order(target)))
        #expect(status == 400 && body.hasPrefix("expected "), "\(body)")
        #expect(log.orders.isEmpty)
    }

    @Test(arguments: [
        ("stop/..", 404), ("", 404), ("Stop?robot=arm1", 404), ("stop/?robot=arm1", 404),
        ("../stop?robot=arm1", 404),
        ("start?robot=arm1", 404),
    ])
    func otherTargetsAreNone(target: String, expected: Int) throws {
        let log = LivePageLog()
        let server = try Server(live: log.page())
        let get = try parsed(server.answer(order(target, method: "GET"))).status
        #expect(get == expected)
        _ = try server.answer(order(target))
        #expect(log.orders.isEmpty)
    }

    @Test(arguments: ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
    func ordersArePosted(method: String) throws {
        let log = LivePageLog()
        let (status, headers, _) = try parsed(
            Server(live: log.page()).answer(order("stop?robot=arm1", method: method))
        )
        // Also what a browser asks before another server's page may send a header of its own: it gets no leave.
        #expect(status == 405 && headers["allow"] == "POST")
        #expect(headers.keys.allSatisfy { !$0.hasPrefix("access-control") })
        #expect(log.orders.isEmpty)
    }

    @Test(arguments: [
        "", "Denoised-Order: x\r\nOrigin: http://evil.example\r\n",
        "Denoised-Order: x\r\nSec-Fetch-Site: cross-site\r\n",
        "Denoised-Order: x\r\nOrigin: null\r\n",
    ])
    func anotherServersPageGivesNoOrder(headers: String) throws {
        let log = LivePageLog()
        let server = try Server(live: log.page())
        #expect(
            try parsed(server.answer(order("resume?robots=all", headers + "Denoised-Stop: 1\r\n"))).status
                == 403
        )
        #expect(log.orders.isEmpty)
        #expect(
            log.warnings.count == 1 && log.warnings[0].contains("POST /orders/resume was refused: expected")
        )
        // A flood of them is told of once a second.
        for _ in 0..<20 { _ = try server.answer(order("stop?robots=all", headers)) }
        #expect(log.warnings.count <= 3)
    }

    @Test func aRebindingNameSeesAndOrdersNothing() throws {
        let log = LivePageLog()
        let server = try Server(live: log.page())
        for request in [
            "GET /events HTTP/1.1\r\nHost: evil.example:9464\r\n\r\n",
            "POST /orders/stop?robot=arm1 HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nDenoised-Order: x\r\n\r\n",
        ] { #expect(try parsed(server.answer(request)).status == 403) }
        #expect(log.orders.isEmpty)
    }

    @Test func withATokenOnlyTheTokenCounts() throws {
        let log = LivePageLog()
        let token = LiveAccess.newToken()
        let server = try Server(live: log.page(LiveAccess(.token(token))))
        let right = "Authorization: Bearer \(token)\r\nDenoised-Order: x\r\n"
        for headers in ["Denoised-Order: x\r\n", right.replacing(token, with: LiveAccess.newToken())] {
            let (status, found, _) = try parsed(server.answer(order("stop?robot=arm1", headers)))
            #expect(status == 401 && found["www-authenticate"] == "Bearer")
        }
        #expect(try parsed(server.answer("GET /events HTTP/1.1\r\n\(Self.host)\r\n")).status == 401)
        #expect(log.orders.isEmpty)
        #expect(log.warnings.allSatisfy { !$0.contains(token) })
        #expect(try parsed(server.answer(order("stop?robot=arm1", right))).status == 200)
        // The page itself, and what Prometheus reads, are for everybody.
        #expect(try parsed(server.answer("GET / HTTP/1.1\r\n\r\n")).status == 200)
        #expect(try parsed(server.answer("GET /metrics HTTP/1.1\r\n\r\n")).status == 200)
    }

    @Test(arguments: [
        (MessageError.Code.newerStop, 409), (.busy, 503), (.stopping, 503), (.forbidden, 403),
    ])
    func aRefusalOfTheDaemonIsTold(code: MessageError.Code, status: Int) throws {
        let log = LivePageLog()
        let server = try Server(
            live: log.page(answer: .failure(MessageError(code, field: "stop", "a <b>reason</b>")))
        )
        let answer = try parsed(server.answer(order("stop?robot=arm1")))
        #expect(answer.status == status)
        #expect(answer.body == #"{"error":"\#(code.rawValue)","message":"stop: a <b>reason</b>"}"# + "\n")
    }

    /// A body means nothing: it is passed over, as for every request.
    @Test func aBodyIsPassedOver() throws {
        let log = LivePageLog()
        let server = try Server(live: log.page())
        let answer = try server.answer(
            "POST /orders/stop?robot=arm1 HTTP/1.1\r\n\(Self.host)Denoised-Order: x\r\nContent-Length: 4\r\n\r\nbody"
        )
        #expect(try parsed(answer).status == 200)
        #expect(log.orders.count == 1)
    }

    // MARK: Streams

    /// A client that has asked for events, and what has come until a text did.
    private func stream(_ server: Server, _ query: String = "?robot=arm1") throws -> Client {
        let client = try server.client()
        client.send("GET /events\(query) HTTP/1.1\r\n\(Self.host)\r\n")
        return client
    }

    @Test func eventsComeForAsLongAsTheClientReads() throws {
        let log = LivePageLog()
        // The deadline of other requests is none for a stream.
        let server = try Server(live: log.page()) { $0.time = .milliseconds(100) }
        let client = try stream(server)
        let head = try #require(client.read(until: "event: robot"))
        #expect(head.hasPrefix("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"))
        #expect(head.contains("event: hello\ndata: {") && head.contains("event: status\ndata: {"))
        usleep(300_000)
        #expect(log.board.isWatched)
        log.board.put(try observation(42), receivedNs: 1)
        #expect(client.read(until: "\"sequence\":42") != nil)
        log.board.put(try chunk(43), isPrediction: false, isGrouped: false)
        #expect(client.read(until: "\"firstStep\":43") != nil)
        client.close()
        eventually(every: .milliseconds(10)) { !log.board.isWatched }
    }

    @Test func aStreamOfNoRobotIsOfAll() throws {
        let log = LivePageLog()
        let server = try Server(live: log.page())
        let client = try stream(server, "")
        #expect(client.read(until: "event: status") != nil)
        #expect(!log.board.isWatched)
        client.close()
    }

    @Test(arguments: ["?robot=%3Cscript%3E", "?robots=all", "?robot=", "?x"])
    func aStreamOfNobodyIsRefused(query: String) throws {
        let server = try Server(live: LivePageLog().page())
        let answer = try server.answer("GET /events\(query) HTTP/1.1\r\n\(Self.host)\r\n")
        #expect(try parsed(answer).status == 400)
    }

    @Test func streamsAreBoundedAndLeaveRoomForOrders() throws {
        let log = LivePageLog()
        let server = try Server(live: log.page()) {
            $0.streams = 3
            $0.connections = 1
        }
        let clients = try (0..<3).map { _ in try stream(server) }
        for client in clients { #expect(client.read(until: "event: status") != nil) }
        let (status, headers, _) = try parsed(server.answer("GET /events HTTP/1.1\r\n\(Self.host)\r\n"))
        #expect(status == 503 && headers["retry-after"] == "5")
        #expect(try parsed(server.answer(order("stop?robot=arm1"))).status == 200)
        clients[0].close()
        // One has gone, and another may come.
        eventually(every: .milliseconds(20)) {
            guard let client = try? stream(server) else { return false }
            let found = client.read(until: "event: ") ?? ""
            client.close()
            return found.hasPrefix("HTTP/1.1 200")
        }
    }

    /// What is told of 256 robots in some seconds is more than the system keeps for a client.
    @Test func aClientThatDoesNotReadIsDropped() throws {
        let log = LivePageLog()
        let long = String(repeating: "because ", count: 500)
        let robots = Dictionary(uniqueKeysWithValues: (0..<256).map { ("robot-\($0)", robot(reason: long)) })
        let beats = Counter()
        let server = try Server(live: log.page()) { _ in
        } snapshot: {
            snapshot(status(at: 900_000_000_000 + beats.next(), robots: robots))
        }
        let client = try stream(server)
        eventually(every: .milliseconds(10)) { log.board.isWatched }
        let began = ContinuousClock.now
        eventually(within: .seconds(40), every: .milliseconds(50)) { !log.board.isWatched }
        #expect(ContinuousClock.now - began >= .seconds(4))
        // Others are served meanwhile, and the client finds the end.
        #expect(try server.answer("GET /healthz HTTP/1.1\r\n\r\n").hasSuffix("ok\n"))
        withExtendedLifetime(client) {}
    }

    @Test func theEndOfTheServerEndsStreams() throws {
        let log = LivePageLog()
        let server = try Server(live: log.page())
        let client = try stream(server)
        #expect(client.read(until: "event: status") != nil)
        server.server.stop()
        #expect(client.answer() != nil)
        eventually(every: .milliseconds(10)) { !log.board.isWatched }
    }

    // MARK: The pipeline without a socket

    @Test func eventsComeTwentyTimesASecond() throws {
        let log = LivePageLog()
        let channel = EmbeddedChannel()
        try MonitoringServer.addHandlers(to: channel, MonitoringServer.Limits())
        let live = LiveServer(log.page(), mostStreams: 1)
        try channel.pipeline.syncOperations.addHandler(PageHandler(live: live) { snapshot() })
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.writeInbound(ByteBuffer(string: "GET /events?robot=arm1 HTTP/1.1\r\n\(Self.host)\r\n"))
        var text = ""
        for step in 0..<1000 as Range<UInt64> {
            // Observations at 200 Hz.
            if step % 5 == 0 { log.board.put(try observation(step), receivedNs: step) }
            channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
            while let part = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: part) }
        }
        let count = text.components(separatedBy: "event: observation").count - 1
        #expect((19...21).contains(count), "\(count)")
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(channel.isActive)
        _ = try channel.finish(acceptAlreadyClosed: true)
        #expect(!log.board.isWatched)
    }
}

/// Counts from any thread.
private final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    func next() -> UInt64 { count.wrappingAdd(1, ordering: .relaxed).newValue }
}
