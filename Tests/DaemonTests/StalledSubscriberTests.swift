import Foundation
import Robotics
import Testing
import Transport
import Wire

@testable import Daemon
@testable import Planning

/// Who subscribes and does not read costs the daemon so many messages, and the others nothing.
@Suite(.timeLimit(.minutes(10))) struct StalledSubscriberTests {
    /// What the stalled subscriber's own side keeps, besides the 1000 of the daemon's.
    static let ownMark = 10
    static let chunks: UInt64 = 1500

    static func subscriber(_ toy: ToyDaemon) throws -> ZeroMQSocket {
        var options = ZeroMQSocket.Options()
        options.receiveHighWaterMark = ownMark
        let socket = try ZeroMQSocket(.subscribe, context: toy.daemon.context, options: options)
        try socket.subscribe(to: id("arm1").chunkTopic)
        _ = try socket.connect(toy.endpoints.chunks)
        return socket
    }

    /// The sequence numbers of the chunks that are there.
    static func read(_ socket: ZeroMQSocket) throws -> [UInt64] {
        var sequences: [UInt64] = []
        while let frames = try socket.receive(maximumFrames: 2) {
            sequences.append(try RobotChunk(decoding: frames[1]).sequence)
        }
        return sequences
    }

    @Test func `robots get everything, and the stalled one the oldest`() throws {
        let toy = try RobotDaemonTests.daemon(
            RobotDaemonTests.file("robot: arm2"),
            messagesPerSecond: 1_000_000
        )
        let (arm1, arm2) = try (toy.client(), toy.client("arm2"))
        let stalled = try Self.subscriber(toy)
        var (first, readBefore) = (UInt64(0), 0)
        repeat {
            first += 1
            _ = try arm1.chunk(for: observation(first, first: 1))
            readBefore = try Self.read(stalled).count
        } while readBefore == 0
        let listener = try RobotDaemonTests.listener(toy, id("arm2").commandTopic)

        // From here on it reads nothing.
        var driven: UInt64 = 0
        var ticks: [UInt64] = []
        for sequence in first + 1...first + Self.chunks {
            let chunk = try arm1.chunk(for: observation(sequence, first: 1))
            #expect(chunk.sequence == sequence)
        }
        let isServed = try RobotDaemonTests.drive(arm2, listener, robot: "arm2", from: &driven) {
            if case .command(let command) = $0 { ticks.append(command.tick) }
            return ticks.count >= 60
        }
        #expect(isServed)
        #expect(zip(ticks, ticks.dropFirst()).allSatisfy { $0 < $1 })
        #expect(toy.daemon.statistics.chunks >= Self.chunks)
        #expect(toy.daemon.statistics.rejectedMessages.isEmpty)

        // A chunk may be there twice, where it was asked for again; that of `first` once more after it was read.
        // Within a process libzmq makes one queue of both sides', as long as they are together. It tells the sender only now
        // and then what was read, so the few that were read before may still count.
        let kept = try Self.read(stalled)
        let most = 1000 + Self.ownMark
        #expect((most - readBefore...most).contains(kept.count), "read before: \(readBefore)")
        let oldest = try #require(kept.first)
        #expect(oldest == first || oldest == first + 1)
        #expect(
            kept.isSorted && Set(kept).count == kept[kept.count - 1] - oldest + 1,
            "the oldest, without a gap"
        )

        // Once it reads again, it gets what is published from then on.
        let newest = first + Self.chunks + 1
        var found: [UInt64] = []
        for sequence in newest...newest + 100 where !found.contains(where: { $0 >= newest }) {
            _ = try arm1.chunk(for: observation(sequence, first: 1))
            found += try Self.read(stalled)
        }
        #expect(found.contains { $0 >= newest })
    }
}

extension [UInt64] {
    fileprivate var isSorted: Bool { zip(self, dropFirst()).allSatisfy { $0 <= $1 } }
}
