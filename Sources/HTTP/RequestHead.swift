import NIOCore
import NIOHTTP1

/// Collects the head of a connection's only request: its request line and headers, up to the blank line.
///
/// Bounds its length, and refuses at once what no decoder has to see. Does no I/O.
package struct RequestHead {
    /// What bytes amount to.
    package enum Progress: Equatable {
        /// The head goes on.
        case incomplete
        /// The head, its lines ended as the decoder wants them.
        case complete(ByteBuffer)
        /// The bytes are no head.
        case refused(HTTPRefusal)
        /// The bytes come after the head.
        case passedOver
    }

    private let mostBytes: Int
    private var bytes = ByteBuffer()
    private var lineFeeds = 0
    private var isOver = false

    /// - Parameter mostBytes: the longest head that is accepted.
    package init(mostBytes: Int) { self.mostBytes = mostBytes }

    /// Whether a request has begun and not ended.
    package var isUnderWay: Bool { !isOver && bytes.readableBytes > 0 }

    /// Takes from `buffer` what belongs to the head. The rest stays there.
    package mutating func take(from buffer: inout ByteBuffer) -> Progress {
        guard !isOver else { return .passedOver }
        for (index, byte) in buffer.readableBytesView.enumerated() {
            if bytes.readableBytes + index == mostBytes {
                return refuse(
                    .headersTooLarge(expected: "a request line and headers of at most \(mostBytes) bytes")
                )
            }
            switch byte {
            case UInt8(ascii: "\n"): lineFeeds += 1
            case UInt8(ascii: "\r"): continue
            case UInt8(ascii: "\t"), 0x20...0x7e, 0x80...: lineFeeds = 0
            default: return refuse(.badRequest("control character \(byte)"))
            }
            if lineFeeds == 2, let rest = buffer.readSlice(length: index + 1) { return end(with: rest) }
        }
        bytes.writeBuffer(&buffer)
        return .incomplete
    }

    private mutating func refuse(_ refusal: HTTPRefusal) -> Progress {
        isOver = true
        return .refused(refusal)
    }

    private mutating func end(with rest: ByteBuffer) -> Progress {
        isOver = true
        bytes.writeImmutableBuffer(rest)
        if let refusal = Self.refusal(ofLine: bytes.readableBytesView) { return .refused(refusal) }
        return .complete(withCarriageReturns)
    }

    /// The head with a carriage return before each line feed. The decoder wants one; a server may do without (RFC 9112,
    /// section 2.2).
    private var withCarriageReturns: ByteBuffer {
        var whole = ByteBuffer()
        var last: UInt8?
        for byte in bytes.readableBytesView {
            if byte == UInt8(ascii: "\n"), last != UInt8(ascii: "\r") {
                whole.writeInteger(UInt8(ascii: "\r"))
            }
            whole.writeInteger(byte)
            last = byte
        }
        return whole
    }

    /// Why a request line is refused, of which the decoder is less strict or does not know the method; nil if it is not.
    private static func refusal(ofLine head: ByteBufferView) -> HTTPRefusal? {
        let line = head.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
        guard line.allSatisfy({ (0x20...0x7e).contains($0) }) else { return .badRequest() }
        let words = String(decoding: line, as: UTF8.self).split(
            separator: " ",
            omittingEmptySubsequences: false
        )
        guard words.count == 3, !words[1].isEmpty, ["HTTP/1.0", "HTTP/1.1"].contains(words[2]),
            (1...16).contains(words[0].utf8.count), words[0].allSatisfy({ $0.isASCII && $0.isUppercase })
        else { return .badRequest() }
        let method = String(words[0])
        if case .RAW = HTTPMethod(rawValue: method) { return .methodNotAllowed(method) }
        return nil
    }
}
