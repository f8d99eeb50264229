import NIOCore
import Wire

/// Where an HTTP server listens: a numeric address and a port.
public struct HTTPAddress: Sendable, Hashable, CustomStringConvertible {
    /// An IPv4 address, or an IPv6 address without brackets.
    public let host: String
    /// The port; 0 takes any that is free.
    public let port: UInt16

    /// The address that `PORT` (of 127.0.0.1) or `HOST:PORT` names, where the host is an IPv4 address, an IPv6 address in
    /// brackets or `localhost`; nil if the text is neither.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else {
            guard let port = Self.port(text) else { return nil }
            (host, self.port) = ("127.0.0.1", port)
            return
        }
        guard let port = Self.port(text[text.index(after: colon)...]) else { return nil }
        self.port = port
        let name = String(text[..<colon])
        switch name {
        case "localhost":
            host = "127.0.0.1"
        case _ where name.hasPrefix("[") && name.hasSuffix("]"):
            host = String(name.dropFirst().dropLast())
            guard case .v6? = try? socketAddress else { return nil }
        default:
            host = name
            guard case .v4? = try? socketAddress else { return nil }
        }
    }

    package init(host: String, port: UInt16) {
        (self.host, self.port) = (host, port)
    }

    private static func port(_ text: some StringProtocol) -> UInt16? {
        // Int types take a sign.
        text.utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) ? UInt16(text) : nil
    }

    private var isIPv6: Bool { host.contains(":") }

    /// Whether only this machine reaches it: 127.0.0.0/8, also as IPv6 writes it, or ::1.
    public var isLoopback: Bool { EndpointScope.isLocal("tcp://\(isIPv6 ? "[\(host)]" : host):\(port)") }

    /// The address and the port as a URL has them.
    public var authority: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// The address as a URL.
    public var description: String { "http://\(authority)" }

    /// The address as a socket takes it.
    package var socketAddress: SocketAddress {
        get throws { try SocketAddress(ipAddress: host, port: Int(port)) }
    }
}
