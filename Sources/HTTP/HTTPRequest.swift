import NIOHTTP1

/// What a page is asked for. The server answers one request a connection and has no use for bodies.
package struct HTTPRequest: Sendable, Hashable {
    /// `GET`, `HEAD` or another.
    package var method: String
    /// The target without its query.
    package var path: String
    /// What follows the question mark; empty if nothing does.
    package var query: String
    /// Those of ``headerNames`` that are there, by name; one that is there more than once, its values after commas.
    package var headers: [String: String]

    /// The headers that mean something to a page, in lower case.
    package static let headerNames: Set<String> = [
        "authorization", "denoised-order", "denoised-stop", "forwarded", "host", "origin", "sec-fetch-site",
        "via",
        "x-forwarded-for", "x-real-ip",
    ]

    /// Reads the head of a request; nil for one whose target is neither a path nor a whole URL.
    init?(_ head: HTTPRequestHead) {
        guard let (path, query) = Self.split(head.uri[...]) else { return nil }
        method = head.method.rawValue
        (self.path, self.query) = (path, query)
        headers = Dictionary(
            head.headers.lazy.map { ($0.name.lowercased(), $0.value) }.filter {
                Self.headerNames.contains($0.0)
            },
            uniquingKeysWith: { "\($0), \($1)" }
        )
    }

    /// The path and the query of a target, which is a path or, as a server has to accept (RFC 9112, section 3.2.2), a whole URL;
    /// nil for anything else.
    private static func split(_ target: Substring) -> (path: String, query: String)? {
        if target.hasPrefix("/") {
            let path = target.prefix { $0 != "?" }
            return (String(path), String(target[path.endIndex...].dropFirst()))
        }
        let scheme = "http://"
        guard target.lowercased().hasPrefix(scheme) else { return nil }
        let rest = target.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.isEmpty else { return nil }
        let path = rest.dropFirst(authority.count)
        return split(path.hasPrefix("/") ? path : "/" + path)
    }
}

extension HTTPRequest {
    /// The value of a query that is one parameter alone, its percent-encoding undone.
    ///
    /// - Returns: nil if the query is another parameter, or more than one, or no UTF-8 text.
    package func parameter(_ name: String) -> String? {
        guard query.hasPrefix("\(name)="), !query.contains("&") else { return nil }
        return Self.decoded(query.utf8.dropFirst(name.utf8.count + 1))
    }

    /// Undoes percent-encoding (RFC 3986, section 2.1); nil if a percent sign is without its two digits, or the bytes are no UTF-8.
    private static func decoded(_ text: some Sequence<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var rest = text.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next().flatMap(digit), let low = rest.next().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(UnicodeScalar(byte)).hexDigitValue.flatMap(UInt8.init)
    }
}
