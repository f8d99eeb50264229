import NIOCore
import NIOHTTP1

/// Answers a request with a page.
///
/// The answer is as many response parts as the page likes, at any time; `.end` ends the connection. A page that goes on for as
/// long as its client listens takes ``DeadlineHandler`` from the pipeline when it begins, and writes while the channel is
/// writable.
final class PageHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPRequest
    typealias OutboundOut = HTTPServerResponsePart

    private let snapshot: @Sendable () -> DaemonSnapshot

    /// - Parameter snapshot: asked on the event loop for each request; must not wait.
    init(snapshot: @escaping @Sendable () -> DaemonSnapshot) { self.snapshot = snapshot }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let request = unwrapInboundIn(data)
        let answer = MonitoringPages.answer(request, snapshot: snapshot)
        let parts = answer.parts(hasBody: request.method != "HEAD", allocator: context.channel.allocator)
        for part in parts { context.write(wrapOutboundOut(part), promise: nil) }
        context.flush()
    }
}
