import NIOCore
import NIOHTTP1

/// A whole answer to a request.
package struct HTTPAnswer: Sendable, Hashable {
    /// The status code and its phrase.
    package var status: HTTPResponseStatus
    /// The body's type.
    package var contentType: String
    /// The body.
    package var body: String
    /// The methods that the target has, for an answer that says that another one is none of them.
    package var allowedMethods = "GET, HEAD"
    /// How who is not known could be, for an answer that says so: the scheme of `Authorization`.
    package var authenticationScheme = "Bearer"

    package init(
        _ status: HTTPResponseStatus,
        _ body: String,
        contentType: String = "text/plain; charset=utf-8"
    ) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// What a browser may do with what is served: run this server's scripts, and talk to this server.
    private static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:",
        "connect-src 'self'",
        "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
    ]
    .joined(separator: "; ")

    /// What every answer says besides its type and length.
    package static let commonHeaders = [
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", policy),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Connection", "close"),
    ]

    /// The status line and the headers, with the length of the body also if it is not sent.
    package var head: HTTPResponseHead {
        var headers = HTTPHeaders()
        headers.add(name: "Content-Type", value: contentType)
        headers.add(name: "Content-Length", value: "\(body.utf8.count)")
        switch status {
        case .methodNotAllowed: headers.add(name: "Allow", value: allowedMethods)
        case .unauthorized: headers.add(name: "WWW-Authenticate", value: authenticationScheme)
        case .serviceUnavailable: headers.add(name: "Retry-After", value: "5")
        default: break
        }
        headers.add(contentsOf: HTTPHeaders(Self.commonHeaders))
        return HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    }

    /// The answer as a channel sends it.
    ///
    /// - Parameter hasBody: false for HEAD, whose answer tells the length of a body that it does not have.
    package func parts(hasBody: Bool, allocator: ByteBufferAllocator) -> [HTTPServerResponsePart] {
        guard hasBody, !body.isEmpty else { return [.head(head), .end(nil)] }
        return [.head(head), .body(.byteBuffer(allocator.buffer(string: body))), .end(nil)]
    }
}

/// Why a request gets no page. Any handler of a connection may report it as an error; ``ExchangeHandler`` sends the answer.
package struct HTTPRefusal: Error, Hashable {
    /// What the client is told.
    package let answer: HTTPAnswer

    package init(answer: HTTPAnswer) { self.answer = answer }

    /// - Parameter found: what was wrong, in words.
    package static func badRequest(_ found: String? = nil) -> HTTPRefusal {
        let expected = "expected an HTTP/1.1 request\n"
        return HTTPRefusal(answer: HTTPAnswer(.badRequest, (found.map { "found \($0), " } ?? "") + expected))
    }

    /// - Parameter expected: what the target's query must be, in words.
    package static func badQuery(expected: String) -> HTTPRefusal {
        HTTPRefusal(answer: HTTPAnswer(.badRequest, "expected \(expected)\n"))
    }

    package static func methodNotAllowed(_ method: String, expected: String = "GET or HEAD") -> HTTPRefusal {
        var answer = HTTPAnswer(.methodNotAllowed, "found \(method), expected \(expected)\n")
        answer.allowedMethods = expected.replacing(" or ", with: ", ")
        return HTTPRefusal(answer: answer)
    }

    /// - Parameter expected: the limit that was passed, in words.
    package static func headersTooLarge(expected: String) -> HTTPRefusal {
        HTTPRefusal(answer: HTTPAnswer(.requestHeaderFieldsTooLarge, "expected \(expected)\n"))
    }

    /// - Parameter reason: what is missing, in words.
    package static func unauthorized(_ reason: String) -> HTTPRefusal {
        HTTPRefusal(answer: HTTPAnswer(.unauthorized, "\(reason)\n"))
    }

    /// - Parameter reason: what is missing, in words.
    package static func forbidden(_ reason: String) -> HTTPRefusal {
        HTTPRefusal(answer: HTTPAnswer(.forbidden, "\(reason)\n"))
    }

    /// - Parameter reason: what there is too much of, in words.
    package static func busy(_ reason: String) -> HTTPRefusal {
        HTTPRefusal(answer: HTTPAnswer(.serviceUnavailable, "\(reason)\n"))
    }
}
