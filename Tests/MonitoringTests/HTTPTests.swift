import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import HTTP
@testable import Monitoring

/// The request that a page gets of these bytes; nil if it gets none.
private func request(_ text: String) throws -> HTTPRequest? {
    let channel = EmbeddedChannel()
    try MonitoringServer.addHandlers(to: channel, MonitoringServer.Limits())
    try channel.writeInbound(ByteBuffer(string: text))
    return try channel.readInbound(as: HTTPRequest.self)
}

@Suite struct HTTPTests {
    @Test(arguments: [
        ("9464", "http://127.0.0.1:9464", true), ("127.0.0.2:1", "http://127.0.0.2:1", true),
        ("localhost:80", "http://127.0.0.1:80", true), ("[::1]:80", "http://[::1]:80", true),
        ("0.0.0.0:80", "http://0.0.0.0:80", false), ("[::]:80", "http://[::]:80", false),
        ("10.0.0.1:65535", "http://10.0.0.1:65535", false),
        ("[::ffff:127.0.0.1]:80", "http://[::ffff:127.0.0.1]:80", true),
        ("[::ffff:10.0.0.1]:80", "http://[::ffff:10.0.0.1]:80", false),
        ("[0:0:0:0:0:0:0:1]:80", "http://[0:0:0:0:0:0:0:1]:80", true),
    ])
    func addressIsRead(text: String, expected: String, isLoopback: Bool) throws {
        let address = try #require(HTTPAddress(text))
        #expect(address.description == expected)
        #expect(address.isLoopback == isLoopback)
    }

    @Test(arguments: [
        "", "x", "65536", "-1", "+80", "127.0.0.1", "127.0.0.1:", ":80", "host:80", "::1:80", "[::1]",
        "[x]:80",
        "127.0.0:80", "127.0.0.1:80 ", "1.2.3.4:5:6",
    ])
    func otherAddressIsRefused(text: String) {
        #expect(HTTPAddress(text) == nil)
    }

    @Test func requestLineIsRead() throws {
        let request = try #require(
            try request("GET /metrics?a=b HTTP/1.1\r\nHost: x\r\n\r\n")
        )
        #expect((request.method, request.path) == ("GET", "/metrics"))
    }

    @Test(arguments: [
        ("http://127.0.0.1:9464/metrics", "/metrics"), ("HTTP://robot/healthz?x=/y", "/healthz"),
        ("http://[::1]:80", "/"), ("http://robot?a", "/"),
    ])
    func wholeURLsArePathsToo(target: String, path: String) throws {
        let request = try #require(try request("GET \(target) HTTP/1.1\r\n\r\n"))
        #expect(request.path == path)
    }

    @Test(arguments: [
        ("/events?robot=a", "a"), ("http://robot/events?robot=a%2fb", "a/b"), ("http://robot?robot=a", "a"),
        ("/events", nil),
        ("/events?", nil), ("/events?robot=a&x", nil), ("/events?robots=a", nil), ("/events?x=a", nil),
        ("/?robot=%C3%A9", "é"),
        ("/?robot=%C3", nil), ("/?robot=%4", nil), ("/?robot=%", nil), ("/?robot=%+1", nil),
        ("/?robot==?", "=?"),
    ])
    func aParameterIsDecoded(target: String, expected: String?) throws {
        let request = try #require(try request("GET \(target) HTTP/1.1\r\n\r\n"))
        #expect(request.parameter("robot") == expected)
    }

    @Test func theHeadersThatMeanSomethingAreKept() throws {
        let request = try #require(
            try request("GET / HTTP/1.1\r\nHOST: x\r\nOrigin: a\r\norigin: b\r\nCookie: c\r\n\r\n")
        )
        #expect(request.headers == ["host": "x", "origin": "a, b"])
    }

    @Test(arguments: [
        "GET http:///metrics HTTP/1.1\r\n", "GET https://robot/ HTTP/1.1\r\n", "GET http: HTTP/1.1\r\n",
        "", "\r\n", "GET\r\n", "GET /\r\n", "GET  / HTTP/1.1\r\n", "GET / HTTP/2\r\n", "get / HTTP/1.1\r\n",
        "GET metrics HTTP/1.1\r\n", "GET / HTTP/1.1 more\r\n", "GET /\u{0} HTTP/1.1\r\n",
        "GET /é HTTP/1.1\r\n", "AMETHODWITHOUTEND / HTTP/1.1\r\n",
    ])
    func otherRequestLineIsRefused(text: String) throws {
        #expect(try request(text + "\r\n") == nil)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", 18), ("a\n\nrest", 3), ("a\r\nb: c\r\n\r\nbody", 11), ("a\r\nb\r\n", nil),
        ("", nil),
    ])
    func headEndsAtTheBlankLine(text: String, count: Int?) {
        var bytes = ByteBuffer(string: text)
        var head = RequestHead(mostBytes: 100)
        let isIncomplete = head.take(from: &bytes) == .incomplete
        #expect((isIncomplete ? nil : text.utf8.count - bytes.readableBytes) == count)
    }

    @Test(arguments: [
        ("GET", "/metrics", HTTPResponseStatus.ok), ("HEAD", "/metrics", .ok), ("GET", "/healthz", .ok),
        ("GET", "/", .notFound), ("GET", "/metrics/", .notFound), ("POST", "/metrics", .methodNotAllowed),
    ])
    func pageIsFound(method: String, path: String, expected: HTTPResponseStatus) throws {
        let request = try #require(try request("\(method) \(path) HTTP/1.1\r\n\r\n"))
        #expect(MonitoringPages.answer(request) { snapshot() }.status == expected)
    }

    @Test func failuresAreToldAsJSON() throws {
        let request = try #require(try request("GET /healthz HTTP/1.1\r\n\r\n"))
        let answer = MonitoringPages.answer(request) { snapshot(failures: ["it \"hangs\"", "b"]) }
        #expect(answer.status == .serviceUnavailable)
        #expect(answer.contentType == "application/json")
        #expect(answer.body == #"{"reasons":["it \"hangs\"","b"],"status":"failing"}"# + "\n")
    }
}
