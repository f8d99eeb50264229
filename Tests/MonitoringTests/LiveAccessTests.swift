import ForeignText
import NIOCore
import NIOHTTP1
import Testing

@testable import HTTP
@testable import Monitoring

@Suite struct LiveAccessTests {
    static let token = "0123456789abcdef0123456789abcdef"

    private func request(_ headers: [String: String], path: String = "/orders/stop") throws -> HTTPRequest {
        let fields = HTTPHeaders(headers.map { ($0.key, $0.value) })
        return try #require(
            HTTPRequest(HTTPRequestHead(version: .http1_1, method: .POST, uri: path, headers: fields))
        )
    }

    private func peer(_ address: String = "127.0.0.1") throws -> SocketAddress {
        try SocketAddress(ipAddress: address, port: 40000)
    }

    /// The status of a refused request; nil for one that is not.
    private func refusal(_ check: () throws(HTTPRefusal) -> Void) -> HTTPResponseStatus? {
        do throws(HTTPRefusal) {
            try check()
            return nil
        } catch {
            return error.answer.status
        }
    }

    @Test(arguments: [
        "127.0.0.1:9464", "127.0.0.1", "localhost", "localhost:1", "LOCALHOST:9464", "127.1.2.3:80",
        "[::1]:9464", "[::1]",
        "[::ffff:127.0.0.1]:80",
    ])
    func aHostOfThisMachineIsLocal(host: String) throws {
        #expect(LiveAccess.isLocalHost(host))
        let request = try request(["Host": host])
        #expect(
            refusal { () throws(HTTPRefusal) in try LiveAccess(.local).checkReader(request, from: try? peer())
            } == nil
        )
    }

    @Test(arguments: [
        "robot:9464", "10.0.0.1:9464", "", ":9464", "localhost.evil.example", "127.0.0.1.evil.example:9464",
        "localhost:",
        "localhost:x", "localhost:1:2", "::1", "[::1", "[10::1]", "127.0.0.1@evil.example", "0.0.0.0", "[::]",
        "0x7f000001", "127.1",
        "*",
    ])
    func anotherHostIsRebindingAndRefused(host: String) throws {
        #expect(!LiveAccess.isLocalHost(host))
        let request = try request(["Host": host])
        #expect(
            refusal { () throws(HTTPRefusal) in try LiveAccess(.local).checkReader(request, from: try? peer())
            } == .forbidden
        )
    }

    @Test func aRequestWithoutHostIsRefused() throws {
        let request = try request([:])
        #expect(
            refusal { () throws(HTTPRefusal) in try LiveAccess(.local).checkReader(request, from: try? peer())
            } == .forbidden
        )
    }

    @Test(arguments: ["10.0.0.1", "fe80::1", "::ffff:10.0.0.1"])
    func anotherMachineIsRefused(address: String) throws {
        let request = try request(["Host": "127.0.0.1"])
        let peer = try peer(address)
        #expect(
            refusal { () throws(HTTPRefusal) in try LiveAccess(.local).checkReader(request, from: peer) }
                == .forbidden
        )
        #expect(
            refusal { () throws(HTTPRefusal) in try LiveAccess(.local).checkReader(request, from: nil) }
                == .forbidden
        )
    }

    @Test(arguments: ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"])
    func aProxyMakesNobodyLocal(header: String) throws {
        let request = try request(["Host": "127.0.0.1", header: "10.0.0.1"])
        #expect(
            refusal { () throws(HTTPRefusal) in try LiveAccess(.local).checkReader(request, from: try? peer())
            } == .forbidden
        )
    }

    static let tokenCases: [([String: String], HTTPResponseStatus?)] = [
        (["Authorization": "Bearer \(token)"], nil), ([:], .unauthorized),
        (["Authorization": "Bearer \(token)0"], .unauthorized),
        (["Authorization": "Bearer \(token.dropLast())"], .unauthorized),
        (["Authorization": "Bearer "], .unauthorized), (["Authorization": token], .unauthorized),
        (["Authorization": "Bearer \(token.uppercased())"], .unauthorized),
        (["Authorization": "Basic \(token)"], .unauthorized),
    ]

    @Test(arguments: tokenCases)
    func theTokenLetsIn(headers: [String: String], expected: HTTPResponseStatus?) throws {
        let request = try request(headers)
        let access = LiveAccess(.token(Self.token))
        let peer = try peer("10.0.0.1")
        #expect(refusal { () throws(HTTPRefusal) in try access.checkReader(request, from: peer) } == expected)
    }

    /// Two headers are joined, which is no token.
    @Test func twoTokensAreNone() throws {
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/orders/stop")
        for token in [Self.token, "x"] { head.headers.add(name: "authorization", value: "Bearer \(token)") }
        let request = try #require(HTTPRequest(head))
        #expect(
            refusal { () throws(HTTPRefusal) in
                try LiveAccess(.token(Self.token)).checkReader(request, from: nil)
            }
                == .unauthorized
        )
    }

    @Test func theTokenInTheQueryIsNone() throws {
        let request = try request([:], path: "/orders/stop?robot=arm1&token=\(Self.token)")
        #expect(
            refusal { () throws(HTTPRefusal) in
                try LiveAccess(.token(Self.token)).checkOrder(request, from: nil)
            }
                == .unauthorized
        )
    }

    private static let own = ["Host": "127.0.0.1:9464", "Denoised-Order": "stop"]

    static let originCases: [([String: String], Bool)] = [
        ([:], true), (["Origin": "http://127.0.0.1:9464"], true), (["Origin": "HTTP://127.0.0.1:9464"], true),
        (["Origin": "https://127.0.0.1:9464"], true),
        (["Origin": "http://127.0.0.1:9464", "Sec-Fetch-Site": "same-origin"], true),
        (["Sec-Fetch-Site": "none"], true),
        (["Origin": "null"], false), (["Origin": ""], false), (["Origin": "http://evil.example"], false),
        (["Origin": "http://127.0.0.1"], false), (["Origin": "http://127.0.0.1:9465"], false),
        (["Origin": "http://127.0.0.1:9464.evil.example"], false),
        (["Origin": "http://localhost:9464"], false),
        (["Sec-Fetch-Site": "cross-site"], false), (["Sec-Fetch-Site": "same-site"], false),
        (["Host": "evil.example"], false),
    ]

    @Test(arguments: originCases)
    func anotherServersPageGivesNoOrders(headers: [String: String], isTaken: Bool) throws {
        let request = try request(Self.own.merging(headers) { $1 })
        let peer = try peer()
        let found = refusal { () throws(HTTPRefusal) in try LiveAccess(.local).checkOrder(request, from: peer)
        }
        #expect(found == (isTaken ? nil : .forbidden), "\(headers)")
    }

    /// A form of another server's page sends no such header, and its script has no leave to.
    @Test func anOrderWithoutItsHeaderIsRefused() throws {
        let request = try request(["Host": "127.0.0.1:9464"])
        let peer = try peer()
        #expect(
            refusal { () throws(HTTPRefusal) in try LiveAccess(.local).checkOrder(request, from: peer) }
                == .forbidden
        )
    }

    @Test func aPageThatIsForReadingTakesNoOrders() throws {
        let request = try request(Self.own)
        let peer = try peer()
        let access = LiveAccess(.local, takesOrders: false)
        #expect(refusal { () throws(HTTPRefusal) in try access.checkReader(request, from: peer) } == nil)
        #expect(
            refusal { () throws(HTTPRefusal) in try access.checkOrder(request, from: peer) } == .forbidden
        )
    }

    @Test func tokensAreLongAndDiffer() {
        let tokens = (0..<100).map { _ in LiveAccess.newToken() }
        #expect(Set(tokens).count == 100)
        #expect(tokens.allSatisfy { $0.count == 32 && $0.allSatisfy(\.isHexDigit) })
    }

    @Test(arguments: [
        ("", false), ("abc", true), ("abd", false), ("ab", false), ("abcabc", false), ("abc\u{0}", false),
    ])
    func textsAreCompared(found: String, areEqual: Bool) {
        #expect(equalsInConstantTime(found, "abc") == areEqual)
    }
}
