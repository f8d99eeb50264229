import Glibc

/// How far away an endpoint's peers can be.
public enum EndpointScope {
    /// Whether nobody on another machine can reach an endpoint, or be reached at it: `inproc`, `ipc`, and `tcp` with
    /// `localhost`, an address of 127.0.0.0/8, `[::1]`, or an address of 127.0.0.0/8 written as IPv6
    /// (`[::ffff:127.0.0.1]`). A wildcard, an interface's name, any other host name or transport is not local.
    public static func isLocal(_ endpoint: String) -> Bool {
        if endpoint.hasPrefix("inproc://") || endpoint.hasPrefix("ipc://") { return true }
        guard let range = hostRange(of: endpoint) else { return false }
        let host = String(endpoint[range])
        if host == "localhost" { return true }
        guard let address = address(host) else { return false }
        if let ipv4 = ipv4Bytes(of: address) { return ipv4.first == 127 }
        return address.last == 1 && address.dropLast().allSatisfy { $0 == 0 }
    }

    /// An endpoint as a client reaches it: a daemon that listens on all interfaces says 0.0.0.0 or `[::]`, which to a client
    /// is its own machine, so the host at which the client reached the daemon takes its place.
    package static func endpoint(_ endpoint: String, ofHostAt reached: String) -> String {
        guard let range = hostRange(of: endpoint), isWildcard(String(endpoint[range])),
            let host = hostRange(of: reached)
        else { return endpoint }
        return String(endpoint[..<range.lowerBound] + reached[host] + endpoint[range.upperBound...])
    }

    /// Whether who calls an endpoint of this machine may get what listens at another one: one port of `tcp`, or one path.
    public static func reaches(_ called: String, _ bound: String) -> Bool {
        if called == bound { return true }
        guard let host = hostRange(of: called), let boundHost = hostRange(of: bound), isLocal(called) else {
            return false
        }
        let isListening = isLocal(bound) || ["*", "0.0.0.0", "[::]"].contains(String(bound[boundHost]))
        return isListening && called[host.upperBound...] == bound[boundHost.upperBound...]
    }

    /// Whether a socket needs IPv6 for an endpoint: its host is an address in brackets, or a name with IPv6 addresses alone.
    /// A name that has both is reached by IPv4.
    package static func needsIPv6(_ endpoint: String) -> Bool {
        guard let range = hostRange(of: endpoint) else { return false }
        let host = String(endpoint[range])
        if host.contains("[") { return true }
        guard address(host) == nil, host != "localhost", host != "*", if_nametoindex(host) == 0 else {
            return false
        }
        return !hasAddress(host, AF_INET) && hasAddress(host, AF_INET6)
    }

    private static func hasAddress(_ name: String, _ family: Int32) -> Bool {
        var hints = addrinfo()
        hints.ai_family = family
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &found) == 0 else { return false }
        freeaddrinfo(found)
        return true
    }

    private static func isWildcard(_ host: String) -> Bool {
        guard let address = address(host) else { return false }
        return (ipv4Bytes(of: address) ?? address).allSatisfy { $0 == 0 }
    }

    /// The 4 bytes of an IPv4 address, or the 16 of an IPv6 address in brackets; nil for anything else.
    private static func address(_ host: String) -> [UInt8]? {
        var ipv4 = in_addr()
        if inet_pton(AF_INET, host, &ipv4) == 1 { return withUnsafeBytes(of: &ipv4) { Array($0) } }
        guard host.hasPrefix("["), host.hasSuffix("]") else { return nil }
        var ipv6 = in6_addr()
        guard inet_pton(AF_INET6, String(host.dropFirst().dropLast()), &ipv6) == 1 else { return nil }
        return withUnsafeBytes(of: &ipv6) { Array($0) }
    }

    /// The IPv4 address that these bytes are, also as IPv6 writes it (`::ffff:a.b.c.d`); nil for another IPv6 address.
    private static func ipv4Bytes(of address: [UInt8]) -> [UInt8]? {
        if address.count == 4 { return address }
        let isMapped = address.prefix(10).allSatisfy { $0 == 0 } && address[10..<12].allSatisfy { $0 == 0xff }
        return isMapped ? Array(address[12...]) : nil
    }

    /// Where the host of a `tcp` endpoint is.
    private static func hostRange(of endpoint: String) -> Range<String.Index>? {
        guard endpoint.hasPrefix("tcp://"), let colon = endpoint.lastIndex(of: ":") else { return nil }
        let start = endpoint.index(endpoint.startIndex, offsetBy: "tcp://".count)
        return start < colon ? start..<colon : nil
    }
}
