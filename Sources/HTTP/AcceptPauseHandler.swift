import NIOCore

/// Has a listening channel pause after the system has refused to accept a connection, as it does without descriptors.
///
/// The connection still waits then, so that the channel would try again at once, without end. NIO's `AcceptBackoffHandler`
/// holds back the next read, but not the one that has failed: the channel goes on with that one.
package final class AcceptPauseHandler: ChannelInboundHandler {
    package typealias InboundIn = any Channel

    private let pause: TimeAmount

    /// - Parameter pause: until the channel tries again.
    package init(pause: TimeAmount) { self.pause = pause }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError else { return context.fireErrorCaught(error) }
        read(false, context)
        context.eventLoop.assumeIsolated().scheduleTask(in: pause) { self.read(true, context) }
    }

    private func read(_ isOn: Bool, _ context: ChannelHandlerContext) {
        // It fails only if the channel has ended.
        try? context.channel.syncOptions?.setOption(.autoRead, value: isOn)
    }
}
