import Glibc

/// A client of a WebSocket that checks nothing of what it sends, so that it may send what no client should.
public final class RawWebSocket {
    /// What a connection could not be made for, or ended with.
    public struct Failure: Error, CustomStringConvertible {
        /// What it was.
        public let description: String
    }

    /// What a frame is (RFC 6455, section 5.2).
    public enum Opcode: UInt8, Sendable {
        case continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10
    }

    /// A frame that came.
    public struct Frame: Equatable {
        /// What the frame is.
        public let opcode: UInt8
        /// What it carries.
        public let payload: [UInt8]

        /// A frame.
        public init(opcode: UInt8, payload: [UInt8]) {
            self.opcode = opcode
            self.payload = payload
        }

        /// The payload as text.
        public var text: String { String(decoding: payload, as: UTF8.self) }
        /// The status code of a close frame; nil if it is none, or has no code.
        public var closeCode: Int? {
            guard opcode == Opcode.close.rawValue, payload.count >= 2 else { return nil }
            return Int(payload[0]) << 8 | Int(payload[1])
        }

        /// Whether the frame is of a kind.
        public func isA(_ kind: Opcode) -> Bool { opcode == kind.rawValue }
    }

    /// What a client asks for; a test may ask for something else.
    public static let handshake = [
        "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
    ]

    private var descriptor: Int32
    private var received: [UInt8] = []
    /// The status line and the headers of the answer to the handshake.
    public private(set) var answer = ""

    /// The status code of the answer to the handshake; 0 if there was none.
    public var status: Int {
        let words = answer.split(separator: " ", maxSplits: 2)
        return words.count > 1 ? Int(words[1]) ?? 0 : 0
    }

    /// Connects to a port of this machine, and asks for a WebSocket.
    ///
    /// - Parameters:
    ///   - request: the request line.
    ///   - headers: what follows it.
    ///   - more: bytes that are sent at once with the request.
    public init(
        port: UInt16,
        request: String = "GET / HTTP/1.1",
        headers: [String] = handshake,
        more: [UInt8] = []
    ) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(description: "no socket") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let descriptor = descriptor
        let connected = withUnsafeBytes(of: &address) { bytes in
            connect(
                descriptor,
                bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(bytes.count)
            )
        }
        guard connected == 0 else { throw Failure(description: "not connected: \(errno)") }
        // A server that does not answer is to fail a test, not to hold it up.
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard !request.isEmpty else { return }
        let lines = [request] + headers + ["", ""]
        write(Array(lines.joined(separator: "\r\n").utf8) + more)
        var head: [UInt8] = []
        while let byte = takeByte() {
            head.append(byte)
            if head.suffix(4).elementsEqual([13, 10, 13, 10]) { break }
        }
        answer = String(decoding: head, as: UTF8.self)
    }

    deinit { disconnect() }

    /// Ends the connection without a word; more than once does no harm.
    public func disconnect() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Says that nothing more comes.
    public func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Has the system take no more of what comes than little.
    public func shrinkReceiveBuffer() {
        var size: Int32 = 4096
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Sends bytes; those that find no way within 20 s, or no connection, are not sent. Returns how many were.
    @discardableResult
    public func write(_ bytes: [UInt8]) -> Int {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                Glibc.send(descriptor, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { break }
            sent += count
        }
        return sent
    }

    /// Sends bytes. Returns whether the server took them all before it took none for so long.
    public func write(_ bytes: [UInt8], withinMilliseconds milliseconds: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&waiting, 1, milliseconds) > 0 else { return false }
            let count = bytes.withUnsafeBytes { bytes in
                let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
                return Glibc.send(
                    descriptor,
                    rest.baseAddress,
                    rest.count,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
                )
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// The bytes of a frame.
    ///
    /// - Parameters:
    ///   - announced: the length that it has in its head; nil: that of the payload.
    ///   - reserved: the three reserved bits, from 0 to 7.
    public static func frame(
        _ opcode: UInt8,
        _ payload: [UInt8],
        isLast: Bool = true,
        isMasked: Bool = true,
        reserved: UInt8 = 0,
        announced: Int? = nil
    ) -> [UInt8] {
        let length = announced ?? payload.count
        var bytes: [UInt8] = [(isLast ? 0x80 : 0) | reserved << 4 | opcode]
        let mask: UInt8 = isMasked ? 0x80 : 0
        switch length {
        case 0..<126: bytes.append(mask | UInt8(length))
        case 126...0xffff: bytes += [mask | 126, UInt8(length >> 8), UInt8(length & 0xff)]
        default:
            bytes.append(mask | 127)
            bytes += stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: length >> $0) }
        }
        guard isMasked else { return bytes + payload }
        let key: [UInt8] = [0x12, 0xf4, 0x56, 0x78]
        return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
    }

    /// Sends a frame, whole and as it should be.
    public func send(_ opcode: Opcode, _ payload: [UInt8] = [], isLast: Bool = true) {
        write(Self.frame(opcode.rawValue, payload, isLast: isLast))
    }

    /// The next frame; nil if the connection ends, or nothing comes for 20 s.
    public func read() -> Frame? {
        guard let first = takeByte(), let second = takeByte() else { return nil }
        var length = Int(second & 0x7f)
        if length >= 126 {
            let width = length == 126 ? 2 : 8
            length = 0
            for _ in 0..<width {
                guard let byte = takeByte() else { return nil }
                length = length << 8 | Int(byte)
            }
        }
        var payload: [UInt8] = []
        payload.reserveCapacity(length)
        while payload.count < length {
            guard let byte = takeByte() else { return nil }
            payload.append(byte)
        }
        return Frame(opcode: first & 0x0f, payload: payload)
    }

    /// Everything until the connection ends.
    public func rest() -> [UInt8] {
        var bytes: [UInt8] = []
        while let byte = takeByte() { bytes.append(byte) }
        return bytes
    }

    /// Whether something comes, be it the end.
    public func hasMore(withinMilliseconds milliseconds: Int32) -> Bool {
        if next < received.count { return true }
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, milliseconds) > 0
    }

    private var next = 0

    private func takeByte() -> UInt8? {
        if next == received.count {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return nil }
            (received, next) = (Array(buffer[..<count]), 0)
        }
        defer { next += 1 }
        return received[next]
    }
}
