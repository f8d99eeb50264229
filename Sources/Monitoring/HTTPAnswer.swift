import NIOCore
import NIOHTTP1

/// A whole answer to a request.
struct HTTPAnswer: Sendable, Hashable {
    /// The status code and its phrase.
    var status: HTTPResponseStatus
    /// The body's type.
    var contentType: String
    /// The body.
    var body: String

    init(_ status: HTTPResponseStatus, _ body: String, contentType: String = "text/plain; charset=utf-8") {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// The status line and the headers, with the length of the body also if it is not sent.
    var head: HTTPResponseHead {
        var headers = HTTPHeaders()
        headers.add(name: "Content-Type", value: contentType)
        headers.add(name: "Content-Length", value: "\(body.utf8.count)")
        if status == .methodNotAllowed { headers.add(name: "Allow", value: "GET, HEAD") }
        headers.add(name: "Cache-Control", value: "no-store")
        headers.add(name: "Connection", value: "close")
        return HTTPResponseHead(version: .http1_1, status: status, headers: headers)
    }

    /// The answer as a channel sends it.
    ///
    /// - Parameter hasBody: false for HEAD, whose answer tells the length of a body that it does not have.
    func parts(hasBody: Bool, allocator: ByteBufferAllocator) -> [HTTPServerResponsePart] {
        guard hasBody, !body.isEmpty else { return [.head(head), .end(nil)] }
        return [.head(head), .body(.byteBuffer(allocator.buffer(string: body))), .end(nil)]
    }
}

/// Why a request gets no page. Any handler of a connection may report it as an error; ``ExchangeHandler`` sends the answer.
struct HTTPRefusal: Error, Hashable {
    /// What the client is told.
    let answer: HTTPAnswer

    /// - Parameter found: what was wrong, in words.
    static func badRequest(_ found: String? = nil) -> HTTPRefusal {
        let expected = "expected an HTTP/1.1 request\n"
        return HTTPRefusal(answer: HTTPAnswer(.badRequest, (found.map { "found \($0), " } ?? "") + expected))
    }

    static func methodNotAllowed(_ method: String) -> HTTPRefusal {
        HTTPRefusal(answer: HTTPAnswer(.methodNotAllowed, "found \(method), expected GET or HEAD\n"))
    }

    /// - Parameter expected: the limit that was passed, in words.
    static func headersTooLarge(expected: String) -> HTTPRefusal {
        HTTPRefusal(answer: HTTPAnswer(.requestHeaderFieldsTooLarge, "expected \(expected)\n"))
    }
}
