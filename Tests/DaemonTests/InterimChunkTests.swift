import Clocks
import Foundation
import Robotics
import Synchronization
import TestSupport
import Testing

@testable import Daemon
@testable import Planning

/// A planner that has stalled while a chunk's time runs out.
@Suite(.timeLimit(.minutes(10))) struct InterimChunkTests {
    /// Long enough for a repeat of the first observation to come before the chunk.
    static let budget = Duration.milliseconds(300)

    /// What a planner has of its chunks: one number in all actions, or nothing.
    final class Interim: InterimChunk {
        private let value: Float?
        private let claimed = Mutex<[[Float]]>([])

        init(_ value: Float?) { self.value = value }

        /// The frozen actions of each chunk that was asked for.
        var claims: [[Float]] { claimed.withLock { $0 } }

        func claim(frozen: [Float]) -> PlannedChunk? {
            claimed.withLock { $0.append(frozen) }
            return value.map { value in
                PlannedChunk(
                    actions: [Float](repeating: value, count: 6),
                    frozen: frozen,
                    sampling: .init(
                        solver: "ddim",
                        steps: 5,
                        method: .sequential,
                        iterations: 2,
                        evaluations: 2,
                        quality: .coarse,
                        coarseSteps: 2
                    ),
                    conditionNs: 0,
                    sampleNs: 0
                )
            }
        }
    }

    private func waitForClaim(of interim: Interim, sourceLocation: SourceLocation = #_sourceLocation) {
        eventually(sourceLocation: sourceLocation) {
            interim.claims
        } is: {
            !$0.isEmpty
        }
    }

    @Test func whatThereIsIsSentWhenTimeIsUp() throws {
        let gate = Gate()
        let interim = Interim(7)
        let toy = try ToyDaemon(gate: gate, interim: interim) { $0.budget = Self.budget }
        let client = try toy.client()
        try toy.publish(observation(0, first: 10, committed: ActionRows([1, 2], actionDim: 2)), from: client)
        gate.waitForEntry()
        // The planner is held still.
        let first = try #require(try client.nextChunk(until: .now() + .seconds(30)))
        #expect(first.sequence == 0)
        #expect(first.actions == [Float](repeating: 7, count: 6))
        #expect(first.beyond.isEmpty)
        #expect(first.frozen == [1, 2])
        #expect(interim.claims == [[1, 2]])
        #expect((first.sampling.quality, first.sampling.coarseSteps) == (.coarse, 2))
        let stages = first.timing.stages
        #expect(stages.total >= 299_000_000)
        #expect(stages.sample > 0 && stages.sample <= stages.total)
        #expect(
            stages.decode + stages.queue + stages.condition + stages.sample + stages.encode == stages.total
        )

        // What the planner makes of it in the end is not sent, and the next chunk is.
        gate.pass()
        try client.publish(observation(1, first: 11))
        gate.waitForEntry()
        gate.pass()
        let second = try #require(try client.nextChunk(until: .now() + .seconds(30)))
        #expect(second.sequence == 1)
        #expect(toy.daemon.statistics.chunks == 2)
        #expect(toy.daemon.statistics.coarseChunks >= 1)
    }

    /// A thread of the planner reports the stall: the rescuer's timer may be on the core that is stopped.
    @Test func whatThereIsIsSentWhenThePlannerSaysSo() throws {
        let gate = Gate()
        let interim = Interim(7)
        let toy = try ToyDaemon(gate: gate, interim: interim) { $0.budget = .seconds(600) }
        let client = try toy.client()
        let stallWatch = toy.stallWatch.wait()
        // Of no chunk.
        stallWatch.report()
        try toy.publish(observation(0, first: 10), from: client)
        gate.waitForEntry()
        #expect(interim.claims.isEmpty)
        stallWatch.report()
        let first = try #require(try client.nextChunk(until: .now() + .seconds(30)))
        #expect(first.actions == [Float](repeating: 7, count: 6))
        #expect(interim.claims.count == 1)

        // It is of that chunk alone.
        gate.pass()
        try client.publish(observation(1, first: 11))
        gate.waitForEntry()
        gate.pass()
        let second = try #require(try client.nextChunk(until: .now() + .seconds(30)))
        #expect(second.sampling.quality == .exact)
        #expect(interim.claims.count == 1)
    }

    /// If there is nothing yet, or nothing that a robot could carry out, it waits for the planner.
    @Test(arguments: [nil, Float.nan, Float.infinity])
    func withoutAnythingTheChunkComesLate(_ value: Float?) throws {
        let gate = Gate()
        let interim = Interim(value)
        let toy = try ToyDaemon(gate: gate, interim: interim) { $0.budget = Self.budget }
        let client = try toy.client()
        try toy.publish(observation(0, first: 10), from: client)
        gate.waitForEntry()
        waitForClaim(of: interim)
        gate.pass()
        let chunk = try #require(try client.nextChunk(until: .now() + .seconds(30)))
        #expect(chunk.actions == [20, 0, 21, 0, 22, 0])
        #expect(chunk.sampling.quality == .exact)
        #expect(toy.daemon.statistics.chunks == 1)
        #expect(toy.daemon.statistics.coarseChunks == 0)
        #expect(interim.claims.count == 1, "it is asked for once")
    }

    /// A robot that was reset gets nothing of what was planned before.
    @Test func aResetRobotGetsNothing() throws {
        let gate = Gate()
        let interim = Interim(7)
        let toy = try ToyDaemon(gate: gate, interim: interim) { $0.budget = Self.budget }
        let client = try toy.client()
        try toy.publish(observation(0, first: 10), from: client)
        gate.waitForEntry()
        #expect(try client.reset())
        waitForClaim(of: interim)
        try client.publish(observation(5, first: 3))
        gate.pass()
        gate.waitForEntry()
        gate.pass()
        let chunk = try #require(try client.nextChunk(until: .now() + .seconds(30)))
        #expect(chunk.sequence == 5)
        #expect(toy.daemon.statistics.chunks == 1)
    }

    /// Without a budget a chunk takes the time it takes.
    @Test func `without a budget nothing is asked for`() throws {
        let gate = Gate()
        let interim = Interim(7)
        let toy = try ToyDaemon(gate: gate, interim: interim)
        let client = try toy.client()
        try toy.publish(observation(0, first: 10), from: client)
        gate.waitForEntry()
        // A daemon with a budget, whose chunk began later, has asked by then; and the first has been round its loop once more.
        let (laterGate, laterInterim) = (Gate(), Interim(7))
        let later = try ToyDaemon(gate: laterGate, interim: laterInterim) { $0.budget = Self.budget }
        try later.publish(observation(0, first: 10), from: later.client())
        laterGate.waitForEntry()
        waitForClaim(of: laterInterim)
        laterGate.pass()
        _ = try client.ping()
        gate.pass()
        let chunk = try #require(try client.nextChunk(until: .now() + .seconds(30)))
        #expect(chunk.actions == [20, 0, 21, 0, 22, 0])
        #expect(interim.claims.isEmpty)
    }
}
