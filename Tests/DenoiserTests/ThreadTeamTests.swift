import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Denoiser

@Suite("Threads that work together", .timeLimit(.minutes(1)))
struct ThreadTeamTests {
    /// Work that a thread is stopped in, until somebody else says that it is.
    private final class StoppedWork: Sendable {
        let reports = Atomic<Int>(0)
        let isReported = DispatchSemaphore(value: 0)

        func report() {
            reports.add(1, ordering: .relaxed)
            isReported.signal()
        }
    }

    /// Either thread may be the one that is stopped: it takes the other's part where that has not woken up yet.
    @Test func `Whoever waits for a stopped thread beyond the time says so, once`() {
        let stopped = StoppedWork()
        let parts = Atomic<Int>(0)
        let team = ThreadTeam(count: 2, stageCount: 3) { stage, part in
            parts.add(1, ordering: .relaxed)
            if stage == 1, part == 1 { stopped.isReported.wait() }
        }
        team.heldUp = { stopped.report() }
        for pass in 1...20 {
            // What is left of the pass is given up.
            #expect(!team.run(until: .now + .milliseconds(2)))
            #expect(stopped.reports.load(ordering: .relaxed) == pass)
        }
        // A thread may begin with the last stage before the other sees that time is over.
        #expect((80...120).contains(parts.load(ordering: .relaxed)))
        team.stop()
    }

    @Test func `Without a time, or within it, nobody says anything`() {
        let stopped = StoppedWork()
        let team = ThreadTeam(count: 2, stageCount: 2) { stage, part in
            if stage == 1, part == 1 { usleep(2_000) }
        }
        team.heldUp = { stopped.report() }
        for _ in 1...10 {
            #expect(team.run())
            #expect(team.run(until: .now + .seconds(60)))
        }
        #expect(stopped.reports.load(ordering: .relaxed) == 0)
        team.stop()
    }
}
