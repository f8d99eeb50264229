import ForeignText
import HTTP
import NIOCore
import Wire

/// Who may watch robots on the live page, and give them orders.
public struct LiveAccess: Sendable {
    /// Whom the page is for.
    public enum Audience: Sendable, Hashable {
        /// Who is on this machine, and did not come through a proxy.
        case local
        /// Who has the token, wherever they are.
        case token(String)
    }

    /// Whom the page is for.
    public var audience: Audience
    /// Whether they may give orders.
    public var takesOrders: Bool

    /// An access.
    public init(_ audience: Audience, takesOrders: Bool = true) {
        self.audience = audience
        self.takesOrders = takesOrders
    }

    /// A new token: 128 random bits as 32 hexadecimal digits.
    public static func newToken() -> String {
        var random = SystemRandomNumberGenerator()
        return (0..<2).map { _ in
            let digits = String(random.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        .joined()
    }
}

extension LiveAccess {
    /// A header without which no order is taken. A page of another server cannot have a browser send it: the browser asks first
    /// whether it may, and gets no leave.
    static let orderHeader = "Denoised-Order"

    /// Checks that a request may see robots.
    ///
    /// Under a name that leads to this machine (DNS rebinding) a page of another server could read along, so `Host` must be an
    /// address of this machine, or the token must be there.
    ///
    /// - Parameter peer: who sent it; nil if that is not known.
    /// - Throws: ``HTTPRefusal`` that says what is missing.
    func checkReader(_ request: HTTPRequest, from peer: SocketAddress?) throws(HTTPRefusal) {
        switch audience {
        case .token(let token):
            guard equalsInConstantTime(request.headers["authorization"] ?? "", "Bearer \(token)") else {
                throw .unauthorized("expected the token that `serve` printed when it started")
            }
        case .local:
            guard let peer, Self.isLocal(peer) else {
                throw .forbidden(
                    "the page is for this machine; `serve --http-token` asks for a token instead"
                )
            }
            if let proxy = Self.proxyHeaders.first(where: { request.headers[$0] != nil }) {
                throw .forbidden(
                    "the request came through a proxy (\(proxy)), which does not say who sent it; "
                        + "`serve --http-token` asks for a token instead"
                )
            }
            guard let host = request.headers["host"], Self.isLocalHost(host) else {
                throw .forbidden(
                    "expected a Host of this machine, such as 127.0.0.1 or localhost; "
                        + "`serve --http-token` asks for a token instead"
                )
            }
        }
    }

    /// Checks that a request may give an order: a reader's, by the page itself or by a program, not by a page of another server.
    ///
    /// - Throws: ``HTTPRefusal`` that says what is missing.
    func checkOrder(_ request: HTTPRequest, from peer: SocketAddress?) throws(HTTPRefusal) {
        guard takesOrders else { throw .forbidden("`serve --http-read-only` takes no orders here") }
        try checkReader(request, from: peer)
        guard request.headers[Self.orderHeader.lowercased()] != nil else {
            throw .forbidden("expected the header \(Self.orderHeader)")
        }
        if let origin = request.headers["origin"] {
            let host = request.headers["host"]?.lowercased() ?? ""
            guard ["http://\(host)", "https://\(host)"].contains(origin.lowercased()) else {
                throw .forbidden("expected an Origin that is the Host, and not another server's page")
            }
        }
        if let site = request.headers["sec-fetch-site"], !["same-origin", "none"].contains(site) {
            throw .forbidden("expected a request of this page, and not of another server's")
        }
    }

    private static let proxyHeaders = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]

    private static func isLocal(_ peer: SocketAddress) -> Bool {
        guard let address = peer.ipAddress else { return false }
        return isLocal(address)
    }

    private static func isLocal(_ address: String) -> Bool {
        EndpointScope.isLocal("tcp://\(address.contains(":") ? "[\(address)]" : address):1")
    }

    /// Whether a `Host` is this machine by a name that nobody else can make lead here.
    static func isLocalHost(_ host: String) -> Bool {
        let isNumber = { (port: Substring) in
            !port.isEmpty && port.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
        var name = host[...]
        if let colon = name.lastIndex(of: ":"), !name.hasSuffix("]") {
            guard isNumber(name[name.index(after: colon)...]) else { return false }
            name = name[..<colon]
        }
        if name.hasPrefix("["), name.hasSuffix("]") { return isLocal(String(name.dropFirst().dropLast())) }
        return !name.contains(":") && (name.lowercased() == "localhost" || isLocal(String(name)))
    }
}
