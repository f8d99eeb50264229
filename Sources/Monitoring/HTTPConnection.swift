import FlyingSocks
import Foundation
import Glibc
import Wire

/// One client: its request comes in, its answer goes out, the rest of what it sends is passed over, and it is closed.
struct HTTPConnection {
    private enum Phase {
        case reading([UInt8])
        case writing(Data, sent: Int)
        /// A connection that is closed while something is unread takes the answer back; where the client sent more than a
        /// request, so much of it is read.
        case draining(bytesLeft: Int)
        case over
    }

    private static let drainedBytes = 1 << 16
    private static let bytesAtATime = 4096

    /// When it must be over, by the monotonic clock in nanoseconds.
    let deadlineNs: UInt64
    private let socket: Socket
    private let headBytes: Int
    private var phase = Phase.reading([])
    private var hasSentMore = false

    init(socket: Socket, limits: MonitoringServer.Limits, nowNs: UInt64) {
        self.socket = socket
        headBytes = limits.headBytes
        deadlineNs = nowNs + UInt64(max(limits.time / .nanoseconds(1), 0))
    }

    /// What it waits for.
    var pollDescriptor: pollfd {
        let events = if case .writing = phase { POLLOUT } else { POLLIN }
        return pollfd(fd: socket.file.rawValue, events: Int16(events), revents: 0)
    }

    /// Goes on as far as it can without waiting.
    mutating func advance(answer: (HTTPRequest) -> HTTPAnswer) {
        do {
            switch phase {
            case .reading(var bytes):
                bytes += try socket.read(atMost: Self.bytesAtATime)
                phase = .reading(bytes)
                guard let response = respond(to: bytes, answer: answer) else { return }
                hasSentMore = HTTPRequest.headCount(bytes) != bytes.count
                phase = .writing(response, sent: 0)
                try write(response, from: 0)
            case .writing(let response, let sent):
                try write(response, from: sent)
            case .draining(let bytesLeft):
                let count = try socket.read(atMost: Self.bytesAtATime).count
                phase = count < bytesLeft ? .draining(bytesLeft: bytesLeft - count) : .over
            case .over:
                break
            }
        } catch SocketError.blocked {
            // The next turn goes on.
        } catch {
            phase = .over
        }
    }

    /// The response, or nil while the request is not complete.
    private func respond(to bytes: [UInt8], answer: (HTTPRequest) -> HTTPAnswer) -> Data? {
        let headCount = HTTPRequest.headCount(bytes)
        if headCount == nil, bytes.count <= headBytes { return nil }
        guard let headCount, headCount <= headBytes else {
            return Data(
                HTTPAnswer(
                    .headerTooLarge,
                    "expected a request line and headers of at most \(headBytes) bytes\n"
                )
                .encoded(hasBody: true).utf8
            )
        }
        guard let request = HTTPRequest(head: bytes.prefix(headCount)) else {
            return Data(HTTPAnswer(.badRequest, "expected an HTTP/1.1 request\n").encoded(hasBody: true).utf8)
        }
        return Data(answer(request).encoded(hasBody: request.method != "HEAD").utf8)
    }

    private mutating func write(_ response: Data, from start: Int) throws {
        var sent = start
        defer { if case .writing = phase { phase = .writing(response, sent: sent) } }
        while sent < response.count { sent = try socket.write(response, from: sent) }
        guard hasSentMore else {
            phase = .over
            return
        }
        shutdown(socket.file.rawValue, Int32(SHUT_WR))
        phase = .draining(bytesLeft: Self.drainedBytes)
    }

    /// Closes it where it is over or has taken too long. Returns whether it did.
    func closeIfOver(nowNs: UInt64) -> Bool {
        if case .over = phase {} else if nowNs < deadlineNs { return false }
        close()
        return true
    }

    /// Closes it.
    func close() { try? socket.close() }
}
