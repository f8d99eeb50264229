import NIOHTTP1

/// What a page is asked for. The server answers one request a connection and has no use for bodies or most headers.
struct HTTPRequest: Sendable, Hashable {
    /// `GET`, `HEAD` or another.
    var method: String
    /// The target without its query.
    var path: String

    /// Reads the target of a request; nil for one that is neither a path nor a whole URL.
    init?(_ head: HTTPRequestHead) {
        guard let path = Self.path(of: head.uri[...]) else { return nil }
        method = head.method.rawValue
        self.path = path
    }

    /// The path of a target, which is a path or, as a server has to accept (RFC 9112, section 3.2.2), a whole URL; nil for
    /// anything else.
    private static func path(of target: Substring) -> String? {
        func withoutQuery(_ text: Substring) -> String { String(text.prefix { $0 != "?" }) }
        if target.hasPrefix("/") { return withoutQuery(target) }
        let scheme = "http://"
        guard target.lowercased().hasPrefix(scheme) else { return nil }
        let rest = target.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.isEmpty else { return nil }
        let path = withoutQuery(rest.dropFirst(authority.count))
        return path.isEmpty ? "/" : path
    }
}
