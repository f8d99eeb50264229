import NIOCore
import NIOHTTP1
import Testing

@testable import HTTP
@testable import Monitoring

/// `#expect` takes no call that changes its receiver.
private func expect<Value: Equatable>(
    _ found: Value,
    _ expected: Value,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(found == expected, sourceLocation: sourceLocation)
}

@Suite struct ExchangeTests {
    private let request = HTTPRequest(HTTPRequestHead(version: .http1_1, method: .GET, uri: "/metrics"))

    /// An exchange whose request is on its way to its page.
    private func answering(hasBody: Bool = false) throws -> Exchange {
        var exchange = Exchange()
        let request = try #require(request)
        exchange.decode(request, hasBody: hasBody)
        expect(exchange.endHead(), .answer(request))
        return exchange
    }

    @Test func aRequestAloneIsClosedAfterItsAnswer() throws {
        var exchange = try answering()
        expect(exchange.endAnswer(), .close)
        expect(exchange.endInput(), .nothing)
        expect(exchange.close(), .nothing)
    }

    @Test func aRequestWithMoreIsDrained() throws {
        var exchange = try answering(hasBody: true)
        expect(exchange.endAnswer(), .closeOutput)
        expect(exchange.passOver(Exchange.mostPassedOverBytes), .nothing)
        expect(exchange.passOver(1), .close)
    }

    @Test func theEndOfTheInputEndsTheDraining() throws {
        var exchange = try answering(hasBody: true)
        expect(exchange.endAnswer(), .closeOutput)
        expect(exchange.endInput(), .close)
        exchange = try answering(hasBody: true)
        expect(exchange.endInput(), .nothing)
        expect(exchange.endAnswer(), .close)
    }

    @Test func aFloodIsNotReadWhileTheAnswerIsUnderWay() throws {
        var exchange = try answering()
        expect(exchange.passOver(Int.max), .stopReading)
        expect(exchange.passOver(Int.max), .stopReading)
        expect(exchange.endAnswer(), .close)
    }

    @Test func anErrorCountsUntilTheAnswerBegins() throws {
        let refusal = HTTPRefusal.badRequest("x")
        var exchange = Exchange()
        exchange.decode(try #require(request), hasBody: false)
        expect(exchange.refuse(refusal), .refuse(refusal.answer))
        expect(exchange.endHead(), .nothing)
        expect(exchange.endAnswer(), .closeOutput)
        exchange = try answering()
        expect(exchange.refuse(refusal), .nothing)
    }

    @Test func aHeadThatTheDecoderMakesNothingOfIsRefused() {
        var exchange = Exchange()
        expect(exchange.endHead(), .refuse(HTTPRefusal.badRequest().answer))
    }

    @Test func aClientThatLeavesIsLet() throws {
        var exchange = Exchange()
        expect(exchange.endInput(), .close)
        exchange = try answering()
        expect(exchange.close(), .close)
        expect(exchange.endAnswer(), .nothing)
    }

    @Test func connectionsAreAcceptedWhileThereIsRoom() {
        var count = ConnectionCount(most: 2)
        for _ in 0..<2 {
            expect(count.wantAccept(), true)
            count.begin()
        }
        expect(count.wantAccept(), false)
        expect(count.end(), true)
        count.begin()
        expect(count.wantAccept(), false)
        expect(count.end(), true)
        // The next read was passed on, so nothing waits.
        expect(count.end(), false)
        expect(count.wantAccept(), true)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\nA: b\r\n\r\nmore", "a b\n\nmore", "GET / HTTP/1.1\r\nA: \u{0}\r\n\r\n",
    ])
    func aHeadIsTheSameInPieces(text: String) {
        func last(_ pieces: [ByteBuffer]) -> RequestHead.Progress? {
            var head = RequestHead(mostBytes: 100)
            for var piece in pieces {
                let progress = head.take(from: &piece)
                if progress != .incomplete { return progress }
            }
            return nil
        }
        let whole = last([ByteBuffer(string: text)])
        #expect(whole != nil)
        #expect(last(text.utf8.map { ByteBuffer(bytes: [$0]) }) == whole)
    }
}
