import NIOCore

/// Lets the decoder after it see the head of one request, whole, and nothing else.
///
/// What a client sends besides, the body of its request or another request, is passed over: the connection ends with the
/// answer, so nothing of it can be taken for a request.
package final class RequestHeadHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    /// What the handlers after it are told.
    package enum Event: Equatable {
        /// So many bytes came that are not of the request's head.
        case passedOver(bytes: Int)
        /// The decoder has the whole head.
        case headEnded
    }

    private var head: RequestHead

    /// - Parameter mostBytes: the longest request line and headers that are accepted.
    package init(mostBytes: Int) { head = RequestHead(mostBytes: mostBytes) }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        let progress = head.take(from: &buffer)
        if buffer.readableBytes > 0 {
            context.fireUserInboundEventTriggered(Event.passedOver(bytes: buffer.readableBytes))
        }
        switch progress {
        case .incomplete, .passedOver: break
        case .refused(let refusal): context.fireErrorCaught(refusal)
        case .complete(let head):
            context.fireChannelRead(wrapInboundOut(head))
            context.fireUserInboundEventTriggered(Event.headEnded)
        }
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent, head.isUnderWay {
            context.fireErrorCaught(HTTPRefusal.badRequest("the end of the connection"))
        }
        context.fireUserInboundEventTriggered(event)
    }
}
