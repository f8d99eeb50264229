import NIOCore
import NIOHTTP1

/// Gives a request to its page, sends the answers to requests that are refused, and ends the connection after the answer.
package final class ExchangeHandler: ChannelDuplexHandler, RemovableChannelHandler {
    package typealias InboundIn = HTTPServerRequestPart
    package typealias InboundOut = HTTPRequest
    package typealias OutboundIn = HTTPServerResponsePart
    package typealias OutboundOut = HTTPServerResponsePart

    private let mostHeaders: Int
    private var exchange = Exchange()

    /// - Parameter mostHeaders: what the decoder accepts, to be told.
    package init(mostHeaders: Int) { self.mostHeaders = mostHeaders }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // The body of a request means nothing to what is served.
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        guard let request = HTTPRequest(head) else {
            return carryOut(exchange.refuse(.badRequest()), context)
        }
        guard head.headers["Host"].count < 2 else {
            return carryOut(exchange.refuse(.badRequest("more than one Host")), context)
        }
        exchange.decode(request, hasBody: head.announcesBody)
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case let event as RequestHeadHandler.Event:
            switch event {
            case .passedOver(let bytes): carryOut(exchange.passOver(bytes), context)
            case .headEnded: carryOut(exchange.endHead(), context)
            }
        case ChannelEvent.inputClosed as ChannelEvent: carryOut(exchange.endInput(), context)
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let refusal as HTTPRefusal: carryOut(exchange.refuse(refusal), context)
        case let error as HTTPParserError: carryOut(exchange.refuse(refusal(for: error)), context)
        default: carryOut(exchange.close(), context)
        }
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .end = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
        let promise = promise ?? context.eventLoop.makePromise()
        endAnswer(when: promise.futureResult, context)
        context.write(data, promise: promise)
    }

    private func endAnswer(when sent: EventLoopFuture<Void>, _ context: ChannelHandlerContext) {
        sent.assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.carryOut(self.exchange.endAnswer(), context)
            case .failure: self.carryOut(self.exchange.close(), context)
            }
        }
    }

    private func carryOut(_ step: Exchange.Step, _ context: ChannelHandlerContext) {
        switch step {
        case .nothing: break
        case .answer(let request): context.fireChannelRead(wrapInboundOut(request))
        case .refuse(let answer):
            let promise = context.eventLoop.makePromise(of: Void.self)
            endAnswer(when: promise.futureResult, context)
            let parts = answer.parts(hasBody: true, allocator: context.channel.allocator)
            for part in parts.dropLast() { context.write(wrapOutboundOut(part), promise: nil) }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: promise)
        case .stopReading:
            // An option that a socket always has.
            try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        case .closeOutput: context.close(mode: .output, promise: nil)
        case .close: context.close(promise: nil)
        }
    }

    private func refusal(for error: HTTPParserError) -> HTTPRefusal {
        switch error {
        case .headerOverflow: .headersTooLarge(expected: "at most \(mostHeaders) headers")
        case .invalidHeaderToken: .badRequest("an invalid character in the headers")
        case .invalidContentLength, .unexpectedContentLength:
            .badRequest(
                "a Content-Length that is no whole number, is not alone or comes with Transfer-Encoding"
            )
        default: .badRequest()
        }
    }
}

extension HTTPRequestHead {
    fileprivate var announcesBody: Bool {
        !headers["Transfer-Encoding"].isEmpty || headers["Content-Length"].contains { $0 != "0" }
    }
}
