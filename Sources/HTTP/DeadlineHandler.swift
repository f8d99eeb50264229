import NIOCore

/// Closes a connection a certain time after it began, however far it is.
package final class DeadlineHandler: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer

    private let time: TimeAmount
    private var end: Scheduled<Void>?

    /// - Parameter time: from the connection's beginning to its end.
    package init(time: TimeAmount) { self.time = time }

    package func handlerAdded(context: ChannelHandlerContext) {
        end = context.eventLoop.assumeIsolated().scheduleTask(in: time) { context.close(promise: nil) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        end?.cancel()
        end = nil
    }
}
