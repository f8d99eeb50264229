import Robotics
import Testing

@testable import Monitoring

@Suite struct LiveBoardTests {
    @Test func nothingIsKeptWhileNobodyWatches() throws {
        let board = LiveBoard()
        #expect(!board.isWatched)
        board.put(try observation(), receivedNs: 5)
        #expect(board.newest(of: try id("arm1")) == nil)
        board.watch(try id("arm1"))
        #expect(board.isWatched)
        let entry = try #require(board.newest(of: try id("arm1")))
        #expect(entry.observation == nil && entry.observations == 0)
    }

    @Test func whatIsNewestOfTheWatchedRobotIsKept() throws {
        let board = LiveBoard()
        board.watch(try id("arm1"))
        for sequence in 1...3 as ClosedRange<UInt64> {
            board.put(try observation(sequence), receivedNs: sequence)
            board.put(try observation(sequence, robot: "arm2"), receivedNs: sequence)
            board.put(try command(Double(sequence)))
        }
        board.put(try chunk(2), isPrediction: true, isGrouped: false)
        let entry = try #require(board.newest(of: try id("arm1")))
        #expect(entry.observation?.sequence == 3 && entry.observations == 3 && entry.receivedNs == 3)
        #expect(entry.command?.step == 3 && entry.commands == 3)
        #expect(entry.chunk?.chunk.sequence == 2 && entry.chunk?.isPrediction == true && entry.chunks == 1)
        #expect(board.newest(of: try id("arm2")) == nil)
    }

    @Test func latenciesAreBounded() throws {
        let board = LiveBoard()
        board.watch(try id("arm1"))
        for sequence in 0..<100 as Range<UInt64> {
            board.put(try chunk(sequence, totalNs: sequence), isPrediction: false, isGrouped: false)
        }
        let latencies = try #require(board.newest(of: try id("arm1"))).latencies
        #expect(latencies.map(\.totalNs) == Array(36..<100))
    }

    @Test func theLastWatcherTakesEverythingAlong() throws {
        let (board, arm1) = (LiveBoard(), try id("arm1"))
        board.watch(arm1)
        board.watch(arm1)
        board.put(try observation(), receivedNs: 1)
        board.unwatch(arm1)
        #expect(board.newest(of: arm1)?.observations == 1)
        board.unwatch(arm1)
        #expect(board.newest(of: arm1) == nil && !board.isWatched)
        // One that was never watched.
        board.watch(try id("arm2"))
        #expect(board.newest(of: arm1) == nil)
    }
}
