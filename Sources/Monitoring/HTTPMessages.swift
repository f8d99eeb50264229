import Wire

/// The first line of a request; headers and body mean nothing to what is served here.
struct HTTPRequest: Sendable, Hashable {
    /// `GET`, `HEAD` or another.
    var method: String
    /// The target without its query.
    var path: String

    /// Where the head of a request ends, as a count of bytes; nil while it has not.
    static func headCount(_ bytes: [UInt8]) -> Int? {
        var lineFeeds = 0
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "\n"): lineFeeds += 1
            case UInt8(ascii: "\r"): continue
            default: lineFeeds = 0
            }
            if lineFeeds == 2 { return index + 1 }
        }
        return nil
    }

    /// Reads the head of an HTTP/1.0 or HTTP/1.1 request; nil for what is none.
    init?(head: some Sequence<UInt8>) {
        let line = head.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
        guard line.allSatisfy({ (0x20...0x7e).contains($0) }) else { return nil }
        let words = String(decoding: line, as: UTF8.self).split(
            separator: " ",
            omittingEmptySubsequences: false
        )
        guard words.count == 3, ["HTTP/1.0", "HTTP/1.1"].contains(words[2]),
            (1...16).contains(words[0].utf8.count), words[0].allSatisfy({ $0.isASCII && $0.isUppercase }),
            let path = Self.path(of: words[1])
        else { return nil }
        method = String(words[0])
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

/// What a request gets.
public struct HTTPAnswer: Sendable, Hashable {
    /// The status code and its phrase.
    public enum Status: String, Sendable {
        case ok = "200 OK"
        case badRequest = "400 Bad Request"
        case notFound = "404 Not Found"
        case methodNotAllowed = "405 Method Not Allowed"
        case headerTooLarge = "431 Request Header Fields Too Large"
        case unavailable = "503 Service Unavailable"
    }

    /// Whether the request was done.
    public var status: Status
    /// The body's type.
    public var contentType: String
    /// The body.
    public var body: String

    init(_ status: Status, _ body: String, contentType: String = "text/plain; charset=utf-8") {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// The answer as sent, after which the connection is closed.
    ///
    /// - Parameter hasBody: false for HEAD, whose answer tells the length of a body that it does not have.
    func encoded(hasBody: Bool) -> String {
        var lines = ["HTTP/1.1 \(status.rawValue)"]
        lines.append("Content-Type: \(contentType)")
        lines.append("Content-Length: \(body.utf8.count)")
        if status == .methodNotAllowed { lines.append("Allow: GET, HEAD") }
        lines += ["Cache-Control: no-store", "Connection: close", "", hasBody ? body : ""]
        return lines.joined(separator: "\r\n")
    }
}
