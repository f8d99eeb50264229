import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestRandom
import Testing

@testable import HTTP
@testable import Monitoring

/// A page that goes on until its client has seen enough.
private final class StreamingPage: ChannelInboundHandler {
    typealias InboundIn = HTTPRequest
    typealias OutboundOut = HTTPServerResponsePart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let pipeline = context.pipeline.syncOperations
        if let deadline = try? pipeline.context(handlerType: DeadlineHandler.self) {
            pipeline.removeHandler(context: deadline, promise: nil)
        }
        let headers = HTTPHeaders([("Content-Type", "text/event-stream"), ("Connection", "close")])
        let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        for second in 1...3 {
            context.eventLoop.assumeIsolated().scheduleTask(in: .seconds(Int64(second) * 10)) {
                let event = ByteBuffer(string: "data: \(second)\n\n")
                context.writeAndFlush(self.wrapOutboundOut(.body(.byteBuffer(event))), promise: nil)
                if second == 3 { context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil) }
            }
        }
    }
}

@Suite struct PipelineTests {
    private func channel(_ page: some ChannelHandler) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try MonitoringServer.addHandlers(to: channel, MonitoringServer.Limits())
        try channel.pipeline.syncOperations.addHandler(page)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func sent(_ channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let part = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: part) }
        return text
    }

    @Test func aConnectionHasItsTime() throws {
        let channel = try channel(PageHandler { snapshot() })
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(4999))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
        #expect(try sent(channel) == "")
    }

    @Test func aPageMayGoOnForAsLongAsItLikes() throws {
        let channel = try channel(StreamingPage())
        try channel.writeInbound(ByteBuffer(string: "GET /events HTTP/1.1\r\n\r\n"))
        #expect(try sent(channel).hasPrefix("HTTP/1.1 200 OK\r\n"))
        channel.embeddedEventLoop.advanceTime(by: .seconds(20))
        #expect(try sent(channel).hasSuffix("data: 2\n\n\r\n"))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(try sent(channel).hasSuffix("data: 3\n\n\r\n0\r\n\r\n"))
        #expect(!channel.isActive)
    }

    private static let bytes =
        Array("\r\n\r\n \t:,;/?*0123456789\u{0}\u{1}\u{7f}é".utf8) + Array("GETPOSTHTTP/chunked".utf8)

    /// A text with up to six bytes changed, inserted or left out, and a blank line at its end.
    private func mutated(_ seeds: [String], _ random: inout SplitMix64) -> [UInt8] {
        var request = Array(random.one(of: seeds).utf8)
        for _ in 0...random.below(6) {
            let at = random.below(request.count)
            switch random.below(3) {
            case 0: request[at] = random.one(of: Self.bytes)
            case 1: request.insert(random.one(of: Self.bytes), at: at)
            default: request.remove(at: at)
            }
        }
        return request + Array("\r\n\r\n".utf8)
    }

    /// What a page answers to a request that comes in pieces.
    private func answer(_ request: [UInt8], of page: PageHandler) throws -> String {
        let channel = try channel(page)
        var rest = ByteBuffer(bytes: request)
        while channel.isActive, let piece = rest.readSlice(length: min(rest.readableBytes, 40)),
            piece.readableBytes > 0
        {
            try channel.writeInbound(piece)
        }
        return try sent(channel)
    }

    /// Whatever comes with a blank line at its end gets exactly one answer, and ends no program.
    @Test func noBytesAreMetWithSilence() throws {
        var random = SplitMix64(seed: 20_261_129)
        let seeds = [
            "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
            "POST http://x/healthz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nA: b\r\n\r\n",
            "POST /orders/stop?robot=a%2Fb HTTP/1.1\r\nHost: localhost\r\nDenoised-Order: x\r\n\r\n",
            "GET /events?robot=arm1 HTTP/1.1\r\nHost: 127.0.0.1:9464\r\nAuthorization: Bearer x\r\n\r\n",
        ]
        let live = LiveServer(LivePageLog().page(), mostStreams: .max)
        for _ in 0..<3000 {
            let request = mutated(seeds, &random)
            let answer = try answer(request, of: PageHandler(live: live) { snapshot() })
            let count = answer.matches(of: #/HTTP/1\.1 \d{3} /#).count
            #expect(count == 1, "\(String(decoding: request, as: UTF8.self).debugDescription)")
        }
    }

    /// However a request of another server's page is mutilated, it is no order.
    @Test func noMutilatedAttackIsAnOrder() throws {
        var random = SplitMix64(seed: 20_261_130)
        let target = "/orders/stop?robots=all HTTP/1.1\r\n"
        let seeds = [
            "POST \(target)Host: evil.example\r\nOrigin: http://evil.example\r\nDenoised-Order: x\r\n\r\n",
            "POST \(target)Host: 127.0.0.1:9464\r\nOrigin: http://evil.example\r\n\r\n",
            "POST \(target)Host: 127.0.0.1:9464\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\nDenoised-Order: x\r\n",
            "GET \(target)Host: 127.0.0.1:9464\r\nDenoised-Order: x\r\n\r\n",
        ]
        let log = LivePageLog()
        let live = LiveServer(log.page(), mostStreams: .max)
        for _ in 0..<2000 {
            _ = try answer(mutated(seeds, &random), of: PageHandler(live: live) { snapshot() })
        }
        #expect(log.orders.isEmpty)
    }
}
