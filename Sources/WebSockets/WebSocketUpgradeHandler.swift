import HTTP
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Takes a connection for WebSocket if its request asks for that and is let in. Other requests pass.
///
/// It stands between the decoder of HTTP and `ExchangeHandler`, which sends the answer to a request that is refused.
final class WebSocketUpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let bytesAtATime = 1 << 16

    private let service: any WebSocketService
    private let limits: WebSocketServer.Limits
    private let clients: WebSocketClients
    /// The request for a WebSocket.
    private var head: HTTPRequestHead?
    /// Bytes came after the head. They are lost, and no client sends any before it is let in.
    private var hasSentMore = false

    init(service: any WebSocketService, limits: WebSocketServer.Limits, clients: WebSocketClients) {
        self.service = service
        self.limits = limits
        self.clients = clients
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard head == nil else { return }
        if case .head(let head) = unwrapInboundIn(data), head.asksForWebSocket {
            self.head = head
        } else {
            context.fireChannelRead(data)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? RequestHeadHandler.Event {
        case .passedOver?: hasSentMore = true
        case .headEnded?:
            guard let head else { break }
            do {
                try upgrade(head, context)
                return
            } catch let refusal as HTTPRefusal {
                context.fireErrorCaught(refusal)
                return
            } catch {
                context.close(promise: nil)
                return
            }
        case nil: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func upgrade(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) throws {
        guard head.method == .GET else { throw HTTPRefusal.methodNotAllowed(head.method.rawValue) }
        guard head.version == .http1_1, !hasSentMore else {
            throw HTTPRefusal.badRequest(hasSentMore ? "bytes after the request" : "\(head.version)")
        }
        // A page in a browser could ask as well as any program; and every browser says so.
        guard head.headers["Origin"].isEmpty else {
            throw HTTPRefusal.forbidden("the request has Origin: pages of browsers are not served")
        }
        let path = head.uri.prefix { $0 != "?" }
        guard path == "/" else {
            throw HTTPRefusal(answer: HTTPAnswer(.notFound, "expected the path / for a WebSocket\n"))
        }
        let address = context.remoteAddress?.ipAndPort ?? "unknown"
        if let refusal = service.refusal(of: head, from: address) { throw refusal }
        guard clients.count < limits.clients else {
            throw HTTPRefusal.busy("\(limits.clients) clients are connected, as many as may")
        }
        let headers = try answer(to: head, context)
        try replaceHandlers(context, address: address, headers: headers)
    }

    /// The headers that let the client in.
    private func answer(to head: HTTPRequestHead, _ context: ChannelHandlerContext) throws -> HTTPHeaders {
        let upgrader = NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() }
        )
        let answer = upgrader.buildUpgradeResponse(
            channel: context.channel,
            upgradeRequest: head,
            initialResponseHeaders: [:]
        )
        // It is there at once.
        var headers: HTTPHeaders?
        answer.assumeIsolated().whenSuccess { headers = $0 }
        guard let headers else {
            throw HTTPRefusal.badRequest(
                "no Sec-WebSocket-Key, or a Sec-WebSocket-Version other than 13"
            )
        }
        return headers
    }

    private func replaceHandlers(
        _ context: ChannelHandlerContext,
        address: String,
        headers: HTTPHeaders
    ) throws {
        let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        let pipeline = context.pipeline.syncOperations
        try pipeline.remove(DeadlineHandler.self)
        try pipeline.remove(RequestHeadHandler.self)
        try pipeline.remove(HTTPResponseEncoder.self)
        try pipeline.remove(ByteToMessageHandler<HTTPRequestDecoder>.self)
        try pipeline.remove(NIOHTTPResponseHeadersValidator.self)
        try pipeline.remove(ExchangeHandler.self)
        try pipeline.remove(PlainRequestHandler.self)
        pipeline.removeHandler(context: context, promise: nil)

        let channel = context.channel
        try channel.syncOptions?.setOption(
            .recvAllocator,
            value: FixedSizeRecvByteBufferAllocator(capacity: Self.bytesAtATime)
        )
        let client = WebSocketClient(id: clients.newID(), address: address, loop: channel.eventLoop)
        let traffic = WebSocketTraffic()
        let connection = WebSocketConnection(
            client: client,
            service: service,
            limits: limits,
            clients: clients,
            traffic: traffic
        )
        try pipeline.addHandler(traffic)
        try pipeline.addHandler(WebSocketFrameEncoder())
        try pipeline.addHandler(
            ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: limits.messageBytes))
        )
        try pipeline.addHandler(connection)
    }
}

extension ChannelPipeline.SynchronousOperations {
    /// Removes the handler of a type.
    fileprivate func remove(_ type: (some RemovableChannelHandler).Type) throws {
        removeHandler(context: try context(handlerType: type), promise: nil)
    }
}

extension HTTPRequestHead {
    /// Whether `Upgrade` names websocket.
    fileprivate var asksForWebSocket: Bool {
        headers[canonicalForm: "Upgrade"].contains { $0.lowercased() == "websocket" }
    }
}

extension SocketAddress {
    /// Both as people write them.
    fileprivate var ipAndPort: String? {
        guard let ipAddress, let port else { return nil }
        return ipAddress.contains(":") ? "[\(ipAddress)]:\(port)" : "\(ipAddress):\(port)"
    }
}
