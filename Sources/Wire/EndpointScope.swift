import Glibc

/// How far away an endpoint's peers can be.
public enum EndpointScope {
    /// Whether nobody on another machine can reach an endpoint, or be reached at it: `inproc`, `ipc`, and `tcp` with
    /// `localhost`, an address of 127.0.0.0/8 or `[::1]`. A wildcard, an interface's name, any other host name or
    /// transport is not local.
    public static func isLocal(_ endpoint: String) -> Bool {
        if endpoint.hasPrefix("inproc://") || endpoint.hasPrefix("ipc://") { return true }
        guard let range = hostRange(of: endpoint) else { return false }
        let host = String(endpoint[range])
        if host == "localhost" { return true }
        var ipv4 = in_addr()
        if inet_pton(AF_INET, host, &ipv4) == 1 { return UInt32(bigEndian: ipv4.s_addr) >> 24 == 127 }
        guard host.hasPrefix("["), host.hasSuffix("]") else { return false }
        var ipv6 = in6_addr()
        guard inet_pton(AF_INET6, String(host.dropFirst().dropLast()), &ipv6) == 1 else { return false }
        return withUnsafeBytes(of: &ipv6) { bytes in
            bytes.last == 1 && bytes.dropLast().allSatisfy { $0 == 0 }
        }
    }

    /// An endpoint as a client reaches it: a daemon that listens on all interfaces says 0.0.0.0 or `[::]`, which to a client
    /// is its own machine, so the host at which the client reached the daemon takes its place.
    static func endpoint(_ endpoint: String, ofHostAt reached: String) -> String {
        guard let range = hostRange(of: endpoint), ["0.0.0.0", "[::]"].contains(endpoint[range]),
            let host = hostRange(of: reached)
        else { return endpoint }
        return String(endpoint[..<range.lowerBound] + reached[host] + endpoint[range.upperBound...])
    }

    /// Where the host of a `tcp` endpoint is.
    private static func hostRange(of endpoint: String) -> Range<String.Index>? {
        guard endpoint.hasPrefix("tcp://"), let colon = endpoint.lastIndex(of: ":") else { return nil }
        let start = endpoint.index(endpoint.startIndex, offsetBy: "tcp://".count)
        return start < colon ? start..<colon : nil
    }
}
