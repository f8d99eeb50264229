import NIOCore
import NIOWebSocket

/// Counts a connection's bytes before they are frames.
final class WebSocketTraffic: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// The bytes that are no whole frame yet.
    private(set) var unframedBytes = 0
    /// When the last bytes came.
    var lastHeard = NIODeadline.now()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unframedBytes += unwrapInboundIn(data).readableBytes
        lastHeard = context.eventLoop.now
        context.fireChannelRead(data)
        context.fireUserInboundEventTriggered(Event.bytesWereRead)
    }

    /// A frame with a payload of so many bytes, and a mask, was decoded.
    func countFrame(payload: Int) {
        let lengthBytes = payload < 126 ? 0 : payload <= 0xffff ? 2 : 8
        unframedBytes = max(unframedBytes - (2 + lengthBytes + 4 + payload), 0)
    }

    /// What the handlers after it are told.
    enum Event {
        /// The bytes that came have been decoded as far as they are whole frames.
        case bytesWereRead
    }
}

/// One client's connection: puts frames together to messages, gives them to the service one at a time, and ends what breaks a rule.
final class WebSocketConnection: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private enum Phase {
        case open
        /// The server has sent its close frame; what comes is passed over until the client's.
        case closing
        case over
    }

    private let client: WebSocketClient
    private let service: any WebSocketService
    private let limits: WebSocketServer.Limits
    private let clients: WebSocketClients
    private let traffic: WebSocketTraffic

    private var context: ChannelHandlerContext?
    private var phase = Phase.open
    private var message: (bytes: [UInt8], isText: Bool)?
    /// Since when a message, or a frame, is there in part.
    private var began: NIODeadline?
    /// When the message that is not answered yet was whole.
    private var asked: NIODeadline?
    /// Frames of the message after that.
    private var waiting: ArraySlice<WebSocketFrame> = []
    private var isReadWanted = false
    private var wasPinged = false
    private var unwritableSince: NIODeadline?
    private var previousTotalNs: UInt64?
    /// The next look whether the client is there; nil when it is none any more.
    private var watch: Scheduled<Void>?

    init(
        client: WebSocketClient,
        service: any WebSocketService,
        limits: WebSocketServer.Limits,
        clients: WebSocketClients,
        traffic: WebSocketTraffic
    ) {
        self.client = client
        self.service = service
        self.limits = limits
        self.clients = clients
        self.traffic = traffic
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        clients.add(self, id: client.id, loop: context.eventLoop)
        client.attach(self)
        traffic.lastHeard = context.eventLoop.now
        lookLater()
        send(.binary, service.begin(client))
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is WebSocketTraffic.Event: noteProgress()
        case ChannelEvent.inputClosed as ChannelEvent:
            end()
            context.close(promise: nil)
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength: refuse(.tooLong(limits.messageBytes + 1))
        case NIOWebSocketError.fragmentedControlFrame: refuse(.forbidden("a control frame in fragments"))
        case NIOWebSocketError.multiByteControlFrameLength:
            refuse(.forbidden("a control frame of more than 125 bytes"))
        // The decoder tells of each byte that comes after an error.
        case is ByteToMessageDecoderError: break
        default:
            end()
            context.close(promise: nil)
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        unwritableSince = context.channel.isWritable ? nil : context.eventLoop.now
        readOn()
        context.fireChannelWritabilityChanged()
    }

    // MARK: What comes

    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { isReadWanted = true }
    }

    /// Beyond one message under way and one that waits, the client has to wait; and who does not read is not heard.
    private var mayRead: Bool {
        phase != .open || waiting.isEmpty && context?.channel.isWritable == true
    }

    private func readOn() {
        guard isReadWanted, mayRead else { return }
        isReadWanted = false
        context?.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        traffic.countFrame(payload: frame.length)
        wasPinged = false
        switch phase {
        case .over: return
        case .closing:
            if frame.opcode == .connectionClose { context.close(promise: nil) }
        case .open:
            guard let fault = fault(of: frame) else { return take(frame) }
            refuse(.forbidden(fault))
        }
    }

    /// What RFC 6455 forbids a client and the decoder lets pass; nil if it is nothing.
    private func fault(of frame: WebSocketFrame) -> String? {
        if frame.maskKey == nil { return "a frame without a mask" }
        if !frame.reservedBits.isEmpty { return "a frame with reserved bits, and no extension was agreed on" }
        switch frame.opcode {
        case .binary, .text, .continuation, .ping, .pong, .connectionClose: return nil
        default: return "a frame of an unknown kind"
        }
    }

    private func take(_ frame: WebSocketFrame) {
        switch frame.opcode {
        case .ping: send(.pong, frame.unmaskedBytes)
        case .pong: break
        case .connectionClose: answerClose(frame)
        default:
            if asked == nil, waiting.isEmpty { add(frame) } else { waiting.append(frame) }
        }
    }

    /// Adds a frame to its message.
    private func add(_ frame: WebSocketFrame) {
        if frame.opcode == .continuation {
            guard message != nil else { return refuse(.forbidden("the continuation of no message")) }
        } else {
            guard message == nil else { return refuse(.forbidden("a message within another")) }
            message = ([], frame.opcode == .text)
        }
        let length = (message?.bytes.count ?? 0) + frame.length
        guard length <= limits.messageBytes else { return refuse(.tooLong(length)) }
        message?.bytes.append(unmasking: frame)
        guard frame.fin, let whole = message, let context else { return }
        message = nil
        asked = context.eventLoop.now
        service.take(whole.bytes, isText: whole.isText, from: client, previousTotalNs: previousTotalNs)
    }

    /// Takes the client's close frame.
    private func answerClose(_ frame: WebSocketFrame) {
        end()
        let code = frame.unmaskedBytes.prefix(2)
        guard let context else { return }
        phase = .over
        let sent = context.eventLoop.makePromise(of: Void.self)
        sent.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
        write(.connectionClose, code.count == 2 ? Array(code) : [], promise: sent)
    }

    // MARK: Time

    /// Notes whether a message is there in part.
    private func noteProgress() {
        guard let context, phase == .open, message != nil || traffic.unframedBytes > 0 else {
            began = nil
            return
        }
        if began == nil { began = context.eventLoop.now }
    }

    private func lookLater() {
        let interval = TimeAmount(min(limits.silence, limits.messageTime) / 4)
        watch = client.loop.assumeIsolated().scheduleTask(in: interval) {
            self.lookLater()
            self.look()
        }
    }

    /// Looks whether the client is still there, and in time.
    private func look() {
        guard phase == .open, let context else { return }
        let now = context.eventLoop.now
        // Nobody is heard while nothing is read.
        if !waiting.isEmpty {
            (traffic.lastHeard, began) = (now, began.map { _ in now })
            return
        }
        if let began, now - began >= TimeAmount(limits.messageTime) { return refuse(.tooSlow) }
        let silence = TimeAmount(limits.silence)
        if let unwritableSince {
            if now - unwritableSince >= silence { refuse(.unread) }
            return
        }
        let silent = now - traffic.lastHeard
        if silent >= silence + silence {
            refuse(.silent)
        } else if silent >= silence, !wasPinged {
            wasPinged = true
            send(.ping, [])
        }
    }

    // MARK: What goes

    /// Sends the answer to the message under way, and takes the next one.
    func answer(_ bytes: [UInt8]) {
        guard phase == .open, let asked, let context else { return }
        let sent = context.eventLoop.makePromise(of: Void.self)
        let loop = context.eventLoop
        sent.futureResult.assumeIsolated().whenSuccess {
            self.previousTotalNs = UInt64(clamping: (loop.now - asked).nanoseconds)
        }
        self.asked = nil
        write(.binary, bytes, promise: sent)
        if !waiting.isEmpty {
            let now = loop.now
            (traffic.lastHeard, began) = (now, now)
        }
        while phase == .open, self.asked == nil, let frame = waiting.popFirst() { add(frame) }
        noteProgress()
        readOn()
    }

    /// Sends a text and closes the connection. What comes is passed over: who closes while something is unread takes back what
    /// was sent.
    func fail(_ text: String, code: UInt16, reason: String = "the reason is in the frame before") {
        guard phase == .open else { return }
        end()
        write(.text, Array(text.utf8))
        beginClosing(code: code, reason: reason)
        readOn()
    }

    /// Tells the client that the server goes away. The future is done when that is sent.
    func goAway() -> EventLoopFuture<Void> {
        guard phase == .open else { return client.loop.makeSucceededVoidFuture() }
        end()
        let sent = client.loop.makePromise(of: Void.self)
        beginClosing(code: 1001, reason: "the daemon is ending", promise: sent)
        return sent.futureResult
    }

    private func beginClosing(code: UInt16, reason: String, promise: EventLoopPromise<Void>? = nil) {
        guard let context else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        phase = .closing
        (message, waiting, began) = (nil, [], nil)
        // A reason has at most 123 bytes.
        let payload = [UInt8(code >> 8), UInt8(code & 0xff)] + Array(reason.utf8.prefix(123))
        write(.connectionClose, payload, promise: promise)
        context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limits.closingTime)) {
            context.close(promise: nil)
        }
    }

    private func refuse(_ fault: WebSocketFault) {
        guard phase == .open else { return }
        let text = service.refuse(fault, of: client)
        fail(text, code: fault.code)
    }

    /// Tells the service, once, that the client is none any more.
    private func end() {
        guard watch != nil else { return }
        watch?.cancel()
        watch = nil
        client.attach(nil)
        clients.remove(client.id)
        if phase == .open, context?.channel.isActive != true { phase = .over }
        service.end(client)
    }

    private func send(_ opcode: WebSocketOpcode, _ payload: [UInt8]) { write(opcode, payload) }

    private func write(
        _ opcode: WebSocketOpcode,
        _ payload: [UInt8],
        promise: EventLoopPromise<Void>? = nil
    ) {
        guard let context else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        let frame = WebSocketFrame(fin: true, opcode: opcode, data: ByteBuffer(bytes: payload))
        context.writeAndFlush(wrapOutboundOut(frame), promise: promise)
    }
}

extension WebSocketFrame {
    /// The payload.
    fileprivate var unmaskedBytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(unmasking: self)
        return bytes
    }
}

extension [UInt8] {
    /// Appends a frame's payload, in one pass over its bytes.
    fileprivate mutating func append(unmasking frame: WebSocketFrame) {
        let start = count
        frame.data.withUnsafeReadableBytes { append(contentsOf: $0) }
        guard let mask = frame.maskKey else { return }
        let key = (mask[0], mask[1], mask[2], mask[3])
        let length = count - start
        withUnsafeMutableBufferPointer { bytes in
            let payload = UnsafeMutableBufferPointer(rebasing: bytes[start...])
            var index = 0
            while index + 4 <= length {
                payload[index] ^= key.0
                payload[index + 1] ^= key.1
                payload[index + 2] ^= key.2
                payload[index + 3] ^= key.3
                index += 4
            }
            let rest = [key.0, key.1, key.2]
            while index < length {
                payload[index] ^= rest[index % 4]
                index += 1
            }
        }
    }
}
