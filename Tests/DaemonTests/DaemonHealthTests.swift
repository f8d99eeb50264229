import Clocks
import Robotics
import TestSupport
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(10))) struct DaemonHealthTests {
    private static let second: UInt64 = 1_000_000_000

    @Test(
        arguments: [
            (100 * second, nil as UInt64?, nil as String?),
            (98 * second, 70 * second, nil),
            // A clock that was read in between may be ahead.
            (101 * second, 101 * second, nil),
            (98 * second - 1, nil, "the socket thread has sent no heartbeat for 2.0 s"),
            (87 * second, nil, "the socket thread has sent no heartbeat for 13.0 s"),
            (100 * second, 70 * second - 1, "the planner has been at one chunk for 30.0 s"),
            (nil, nil, "the socket thread has sent no heartbeat yet"),
        ] as [(UInt64?, UInt64?, String?)]
    )
    func `health follows from the times`(heartbeatNs: UInt64?, planningSinceNs: UInt64?, failure: String?) {
        let health = DaemonHealth(
            heartbeat: heartbeatNs.map(at),
            planningSince: planningSinceNs.map(at),
            now: at(100 * Self.second)
        )
        #expect(health.failures == (failure.map { [$0] } ?? []))
        #expect(health.isWorking == (failure == nil))
    }

    @Test func `a daemon tells its heartbeat and its health`() throws {
        let toy = try ToyDaemon()
        _ = try toy.client().chunk(for: observation(0, first: 1))
        eventually {
            toy.daemon.status?.statistics.chunks ?? 0
        } is: {
            $0 > 0
        }
        let status = try #require(toy.daemon.status)
        #expect(status.robots["arm1"]?.chunks == status.statistics.chunks)
        #expect(toy.daemon.health.isWorking)
        #expect(toy.daemon.policies.map(\.policy.name) == ["toy"])
        let total = try #require(toy.daemon.statistics.latencyNs["total"])
        #expect(total.sum >= total.max && total.sum >= total.count * 128)
    }

    @Test func `a planner is busy from a job to its outcome`() throws {
        let gate = Gate()
        let toy = try ToyDaemon(gate: gate)
        #expect(toy.daemon.planningSince == nil)
        let client = try toy.client()
        try toy.publish(observation(0, first: 1), from: client)
        gate.waitForEntry()
        let since = try #require(toy.daemon.planningSince)
        #expect(since <= .now())
        gate.pass(1000)
        eventually {
            toy.daemon.planningSince
        } is: {
            $0 == nil
        }
    }

    @Test func `a daemon that has not started does not work`() throws {
        let daemon = try Daemon(configuration: .embedded()) { _ in ToyPlanner() }
        #expect(daemon.policies.isEmpty && daemon.status == nil)
        #expect(daemon.health.failures == ["the socket thread has sent no heartbeat yet"])
    }
}
