import ArgumentParser

/// Endpoints as the command line takes them. libzmq itself takes a port above 65535 for another one.
enum Endpoint {
    /// An endpoint to listen at; port `*` takes any that is free.
    static func toListen(_ text: String) throws -> String { try check(text, ports: 0...65535, any: "*") }

    /// An endpoint where somebody else listens.
    static func toCall(_ text: String) throws -> String { try check(text, ports: 1...65535, any: nil) }

    private static func check(_ text: String, ports: ClosedRange<Int>, any: String?) throws -> String {
        if text.hasPrefix("ipc://"), text.count > "ipc://".count { return text }
        if text.hasPrefix("tcp://"), let colon = text.lastIndex(of: ":") {
            let port = text[text.index(after: colon)...]
            let host = text[..<colon].dropFirst("tcp://".count)
            // The colons of an IPv6 address are none of the endpoint's.
            let isHost = !host.isEmpty && (host.hasPrefix("[") && host.hasSuffix("]") || !host.contains(":"))
            if isHost, Int(port).map({ ports.contains($0) }) ?? (String(port) == any) { return text }
        }
        let port = any.map { "a port up to 65535 or \($0)" } ?? "a port from 1 to 65535"
        throw ValidationError(
            "expected tcp://HOST:PORT with \(port), an IPv6 address in brackets as [::1], or ipc://PATH"
        )
    }
}
