import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestRandom
import Testing

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

    /// Whatever comes with a blank line at its end gets exactly one answer, and ends no program.
    @Test func noBytesAreMetWithSilence() throws {
        var random = SplitMix64(seed: 20_261_129)
        let seeds = [
            "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
            "POST http://x/healthz HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nA: b\r\n\r\n",
        ].map { Array($0.utf8) }
        let bytes =
            Array("\r\n\r\n \t:,;/?*0123456789\u{0}\u{1}\u{7f}é".utf8) + Array("GETPOSTHTTP/chunked".utf8)
        for _ in 0..<3000 {
            var request = random.one(of: seeds)
            for _ in 0...random.below(6) {
                let at = random.below(request.count)
                switch random.below(3) {
                case 0: request[at] = random.one(of: bytes)
                case 1: request.insert(random.one(of: bytes), at: at)
                default: request.remove(at: at)
                }
            }
            request += Array("\r\n\r\n".utf8)
            let channel = try channel(PageHandler { snapshot() })
            var rest = ByteBuffer(bytes: request)
            while channel.isActive, let piece = rest.readSlice(length: min(rest.readableBytes, 40)),
                piece.readableBytes > 0
            {
                try channel.writeInbound(piece)
            }
            let answer = try sent(channel)
            let count = answer.matches(of: #/HTTP/1\.1 \d{3} /#).count
            #expect(count == 1, "\(String(decoding: request, as: UTF8.self).debugDescription)")
        }
    }
}
