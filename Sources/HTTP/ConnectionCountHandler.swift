import NIOCore

/// Has a listening channel accept no more connections than there may be at a time; the others wait in the system's queue.
/// Closes its connections when the channel ends.
///
/// The channel must accept one connection a read.
package final class ConnectionCountHandler: ChannelDuplexHandler {
    package typealias InboundIn = any Channel
    package typealias InboundOut = any Channel
    package typealias OutboundIn = any Channel

    private var count: ConnectionCount
    private var connections: [ObjectIdentifier: any Channel] = [:]

    /// - Parameter most: connections at a time.
    package init(most: Int) { count = ConnectionCount(most: most) }

    package func read(context: ChannelHandlerContext) {
        if count.wantAccept() { context.read() }
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let connection = unwrapInboundIn(data)
        let id = ObjectIdentifier(connection)
        count.begin()
        connections[id] = connection
        connection.closeFuture.assumeIsolated().whenComplete { _ in
            self.connections[id] = nil
            if self.count.end() { context.read() }
        }
        context.fireChannelRead(data)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        for connection in connections.values { connection.close(promise: nil) }
        context.fireChannelInactive()
    }
}
