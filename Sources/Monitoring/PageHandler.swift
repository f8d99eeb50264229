import HTTP
import NIOCore
import NIOHTTP1
import Robotics

/// Answers a request with a page.
///
/// The answer is as many response parts as the page likes, at any time; `.end` ends the connection. A page that goes on for as
/// long as its client listens takes ``DeadlineHandler`` from the pipeline when it begins, and writes while the channel is
/// writable.
final class PageHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPRequest
    typealias OutboundOut = HTTPServerResponsePart

    private let snapshot: @Sendable () -> DaemonSnapshot
    private let live: LiveServer?
    private var stream: EventStreamWriter?

    /// - Parameters:
    ///   - live: the live page; nil: there is none.
    ///   - snapshot: asked on the event loop for each request; must not wait.
    init(live: LiveServer? = nil, snapshot: @escaping @Sendable () -> DaemonSnapshot) {
        (self.live, self.snapshot) = (live, snapshot)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let request = unwrapInboundIn(data)
        let peer = context.remoteAddress
        let nowNs = context.eventLoop.now.uptimeNanoseconds
        guard let live, let work = live.work(for: request, from: peer, nowNs: nowNs) else {
            return send(MonitoringPages.answer(request, snapshot: snapshot), to: request, context)
        }
        switch work {
        case .answer(let answer): send(answer, to: request, context)
        case .order(let order, let robot):
            let answer = context.eventLoop.makePromise(of: HTTPAnswer.self)
            answer.futureResult.assumeIsolated().whenSuccess { self.send($0, to: request, context) }
            live.page.carryOut(order, robot, LiveServer.origin(peer)) { answer.succeed(HTTPAnswer($0)) }
        case .stream(let robot):
            guard live.beginStream() else {
                return send(HTTPRefusal.busy("as many pages watch as may").answer, to: request, context)
            }
            let stream = EventStreamWriter(robot, server: live, snapshot: snapshot)
            self.stream = stream
            stream.begin(context) { part in context.write(self.wrapOutboundOut(part), promise: nil) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        stream?.end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stream?.end() }

    private func send(_ answer: HTTPAnswer, to request: HTTPRequest, _ context: ChannelHandlerContext) {
        let parts = answer.parts(hasBody: request.method != "HEAD", allocator: context.channel.allocator)
        for part in parts { context.write(wrapOutboundOut(part), promise: nil) }
        context.flush()
    }
}
