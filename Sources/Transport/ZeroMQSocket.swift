import CZeroMQ
import Synchronization
import Wire

/// A ZeroMQ socket, for the thread that made it. No call waits except ``wait(for:wakeUp:alarm:timeout:)``.
public final class ZeroMQSocket {
    /// The pattern that the socket follows.
    public enum Kind: Sendable {
        case publish, subscribe, router, dealer

        fileprivate var code: Int32 {
            switch self {
            case .publish: ZMQ_PUB
            case .subscribe: ZMQ_SUB
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            }
        }
    }

    /// Whether and how the socket's connections over `tcp` and `ipc` are encrypted and authenticated by CURVE (ZeroMQ RFC
    /// 26). Which side is the server is independent of which one binds. Connections over `inproc` never are.
    public enum Security: Sendable {
        /// In the clear, with everybody.
        case none
        /// With the clients that the context's ``CurveAuthority`` lets in; with nobody if there is none.
        case server(CurveKeyPair)
        /// With the server that has the key.
        case client(CurveClientKeys)
    }

    /// What is set before the socket is bound or connected.
    public struct Options: Sendable {
        /// The longest frame accepted from another process, in bytes; a peer that sends a longer one is disconnected.
        public var maximumFrameBytes = MessagePackLimits.standard.messageBytes
        /// The most messages of each peer that have come in and wait to be read. Beyond, the peer has to wait, or what it
        /// publishes is dropped.
        public var receiveHighWaterMark = 1000
        /// The most messages for each peer that wait to be sent. Beyond, they are dropped, or ``ZeroMQSocket/send(_:)`` says
        /// that it would wait.
        public var sendHighWaterMark = 1000
        /// How long messages not yet sent hold up the end of the context, in milliseconds.
        public var lingerMilliseconds = 100
        /// Whom the socket talks to.
        public var security = Security.none

        /// The defaults.
        public init() {}
    }

    /// From so many bytes on a frame is long: the C library may keep the memory that it took.
    private static let longFrameBytes = 64 << 10
    private static let longBytes = Atomic<UInt64>(0)

    /// The bytes of all long frames that this process's sockets have read so far.
    package static var longBytesReceived: UInt64 { longBytes.load(ordering: .relaxed) }

    private let context: ZeroMQContext
    private let handle: UnsafeMutableRawPointer

    /// - Throws: ``ZeroMQError`` if libzmq makes no socket or refuses an option.
    public init(_ kind: Kind, context: ZeroMQContext, options: Options = Options()) throws(ZeroMQError) {
        guard let handle = zmq_socket(context.handle, kind.code) else { throw ZeroMQError("create a socket") }
        self.context = context
        self.handle = handle
        try set(ZMQ_LINGER, Int32(clamping: options.lingerMilliseconds))
        try set(ZMQ_SNDHWM, Int32(clamping: options.sendHighWaterMark))
        try set(ZMQ_RCVHWM, Int32(clamping: options.receiveHighWaterMark))
        try set(ZMQ_MAXMSGSIZE, Int64(options.maximumFrameBytes))
        try secure(options.security)
    }

    deinit { zmq_close(handle) }

    /// Binds, and returns the endpoint with its wildcard resolved (`tcp://127.0.0.1:*` gets a port).
    /// - Throws: ``ZeroMQError`` if another socket listens there; at the path of an `ipc` endpoint, also if something
    ///   lies that is no socket, which is left as it is.
    public func bind(_ endpoint: String) throws(ZeroMQError) -> String {
        try allowIPv6(for: endpoint)
        let bind = { () throws(ZeroMQError) in
            guard zmq_bind(self.handle, endpoint) == 0 else { throw ZeroMQError("bind", endpoint: endpoint) }
        }
        if let path = IPCPath(endpoint) { try path.bind(bind) } else { try bind() }
        return try lastEndpoint()
    }

    /// Connects; libzmq makes the connection, and makes it again when it is lost, in the background.
    public func connect(_ endpoint: String) throws(ZeroMQError) -> String {
        try IPCPath(endpoint)?.checkLength(to: "connect")
        try allowIPv6(for: endpoint)
        guard zmq_connect(handle, endpoint) == 0 else { throw ZeroMQError("connect", endpoint: endpoint) }
        return try lastEndpoint()
    }

    /// Asks for the messages whose first frame begins with `prefix`.
    public func subscribe(to prefix: [UInt8]) throws(ZeroMQError) {
        guard zmq_setsockopt(handle, ZMQ_SUBSCRIBE, prefix, prefix.count) == 0 else {
            throw ZeroMQError("subscribe")
        }
    }

    /// Sends a message of one frame or more. Returns false, having sent nothing, if that would mean waiting.
    @discardableResult
    public func send(_ frames: [[UInt8]]) throws(ZeroMQError) -> Bool {
        precondition(!frames.isEmpty, "a message has at least one frame")
        for (index, frame) in frames.enumerated() {
            let flags = ZMQ_DONTWAIT | (index + 1 < frames.count ? ZMQ_SNDMORE : 0)
            while zmq_send(handle, frame, frame.count, flags) < 0 {
                switch zmq_errno() {
                case EINTR: continue
                // Only the first frame can find the queue full: the others belong to a message that has its place.
                case EAGAIN: return false
                default: throw ZeroMQError("send")
                }
            }
        }
        return true
    }

    /// The frames of the next message, or nil if there is none. Of a message with more frames than `maximumFrames`, the first
    /// `maximumFrames + 1` are returned, so that the caller sees that there were too many.
    public func receive(maximumFrames: Int) throws(ZeroMQError) -> [[UInt8]]? {
        try receive(maximumFrames: maximumFrames, maximumFrameBytes: .max)?.frames
    }

    /// The next message, as ``receive(maximumFrames:)`` returns it. The contents of frames longer than `maximumFrameBytes` are left
    /// out.
    public func receive(
        maximumFrames: Int,
        maximumFrameBytes: Int
    ) throws(ZeroMQError) -> ReceivedMessage? {
        var message = ReceivedMessage()
        var isMore = true
        var frame = zmq_msg_t()
        zmq_msg_init(&frame)
        defer { zmq_msg_close(&frame) }
        while isMore {
            guard zmq_msg_recv(&frame, handle, ZMQ_DONTWAIT) >= 0 else {
                switch zmq_errno() {
                case EINTR: continue
                case EAGAIN where message.frames.isEmpty: return nil
                default: throw ZeroMQError("receive")
                }
            }
            isMore = zmq_msg_more(&frame) != 0
            let count = zmq_msg_size(&frame)
            if count >= Self.longFrameBytes { Self.longBytes.wrappingAdd(UInt64(count), ordering: .relaxed) }
            if message.frames.count <= maximumFrames {
                message.append(
                    UnsafeRawBufferPointer(start: zmq_msg_data(&frame), count: count),
                    limit: maximumFrameBytes
                )
            }
        }
        return message
    }

    /// Waits until one of the sockets has a message, or `wakeUp` is signalled, or `alarm` rings, or the time is over. Returns
    /// for each socket whether it has a message; signals are taken back.
    public static func wait(
        for sockets: [ZeroMQSocket],
        wakeUp: WakeUp? = nil,
        alarm: Alarm? = nil,
        timeout: Duration? = nil
    ) throws(ZeroMQError) -> [Bool] {
        var items = sockets.map {
            zmq_pollitem_t(socket: $0.handle, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
        }
        for descriptor in [wakeUp?.descriptor, alarm?.descriptor].compactMap({ $0 }) {
            items.append(zmq_pollitem_t(socket: nil, fd: descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
        }
        while zmq_poll(&items, Int32(items.count), timeout?.pollMilliseconds ?? -1) < 0 {
            guard zmq_errno() == EINTR else { throw ZeroMQError("poll") }
        }
        if let wakeUp, items[sockets.count].revents != 0 { wakeUp.clear() }
        if let alarm, items[items.count - 1].revents != 0 { alarm.clear() }
        return sockets.indices.map { items[$0].revents & Int16(ZMQ_POLLIN) != 0 }
    }

    /// An endpoint is bound or connected with the options that the socket has at that moment. With IPv6 allowed, libzmq would
    /// name IPv4 addresses as IPv6 writes them, and take `localhost` for ::1 alone; so it is allowed when it is needed.
    private func allowIPv6(for endpoint: String) throws(ZeroMQError) {
        try set(ZMQ_IPV6, Int32(EndpointScope.needsIPv6(endpoint) ? 1 : 0))
    }

    private func lastEndpoint() throws(ZeroMQError) -> String {
        var length = 1024
        var text = [UInt8](repeating: 0, count: length)
        guard zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &length) == 0 else {
            throw ZeroMQError("read the endpoint")
        }
        // libzmq counts the final zero.
        return String(decoding: text.prefix(max(0, length - 1)), as: UTF8.self)
    }

    private func secure(_ security: Security) throws(ZeroMQError) {
        switch security {
        case .none: break
        case .server(let keys):
            // A server whose questions nobody answers lets everybody in, unless both the domain and its enforcement are set.
            try set(ZMQ_ZAP_DOMAIN, bytes: Array(ZAPRequest.domain.utf8))
            try set(Self.enforceZAPDomain, Int32(1))
            try set(ZMQ_CURVE_SECRETKEY, bytes: keys.secretKey)
            try set(ZMQ_CURVE_SERVER, Int32(1))
        case .client(let client):
            try set(ZMQ_CURVE_PUBLICKEY, bytes: client.keys.publicKey.bytes)
            try set(ZMQ_CURVE_SECRETKEY, bytes: client.keys.secretKey)
            try set(ZMQ_CURVE_SERVERKEY, bytes: client.server.bytes)
        }
    }

    /// ZMQ_ZAP_ENFORCE_DOMAIN, which libzmq has since 4.3 and the header shows to drafts only.
    private static let enforceZAPDomain: Int32 = 93

    private func set(_ option: Int32, bytes: [UInt8]) throws(ZeroMQError) {
        guard zmq_setsockopt(handle, option, bytes, bytes.count) == 0 else {
            throw ZeroMQError("set option \(option)")
        }
    }

    private func set<Value: BitwiseCopyable>(_ option: Int32, _ value: Value) throws(ZeroMQError) {
        var value = value
        guard zmq_setsockopt(handle, option, &value, MemoryLayout<Value>.size) == 0 else {
            throw ZeroMQError("set option \(option)")
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, from 0.
    fileprivate var pollMilliseconds: Int {
        guard self > .zero else { return 0 }
        let (seconds, attoseconds) = components
        let milliseconds = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? Int.max : Int(clamping: product.addingReportingOverflow(milliseconds).partialValue)
    }
}
