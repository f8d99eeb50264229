import Clocks
import Dispatch
import Glibc
import Stalls
import Synchronization
import Testing

@testable import Compute

@Suite("Threads that work together", .timeLimit(.minutes(10)))
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

    /// Either thread may be the one that is stopped: it takes the other's part if that has not woken up yet.
    ///
    /// If the machine stalls until the time is up and stage 1 has not begun, no thread is stopped and the pass says nothing. It
    /// is run again, with more time.
    @Test func `Whoever waits for a stopped thread beyond the time says so, once`() {
        let stopped = StoppedWork()
        let parts = Atomic<Int>(0)
        let stops = Atomic<Int>(0)
        let watch = StallWatch { stopped.report() }
        let team = ThreadTeam(count: 2, stageCount: 3, stallWatch: watch) { stage, part in
            parts.add(1, ordering: .relaxed)
            if stage == 1, part == 1 {
                stops.add(1, ordering: .relaxed)
                stopped.isReported.wait()
            }
        }
        var time = Duration.milliseconds(2)
        for stop in 1...20 {
            while stops.load(ordering: .relaxed) < stop {
                let reports = stopped.reports.load(ordering: .relaxed)
                let before = parts.load(ordering: .relaxed)
                #expect(!team.run(until: .now() + time), "what is left of the pass is given up")
                let reported = stopped.reports.load(ordering: .relaxed) - reports
                if stops.load(ordering: .relaxed) == stop {
                    #expect(reported == 1)
                    // Stage 0 and the part of the stopped thread, and what was begun before anyone saw that the time was up.
                    #expect((3...6).contains(parts.load(ordering: .relaxed) - before))
                } else {
                    #expect(reported <= 1)
                    // The report was of a thread that stalled: it must not let the next one go that is stopped.
                    while stopped.isReported.wait(timeout: .now()) == .success {}
                    time *= 2
                }
            }
        }
        team.stop()
    }

    @Test func `An interrupted pass is given up, and so are those after it`() {
        let interruption = Interruption()
        let parts = Atomic<Int>(0)
        let team = ThreadTeam(count: 2, stageCount: 50) { stage, part in
            parts.add(1, ordering: .relaxed)
            if stage == 3, part == 0 { interruption.ask() }
        }
        #expect(team.run(), "a pass that is not told of the interruption takes no notice")
        #expect(parts.exchange(0, ordering: .relaxed) == 100)
        interruption.clear()
        #expect(!team.run(unless: interruption))
        // Stages 0 to 2, one part of stage 3, and the other if it was taken before the interruption.
        #expect((7...8).contains(parts.exchange(0, ordering: .relaxed)))
        #expect(!team.run(unless: interruption))
        #expect(parts.exchange(0, ordering: .relaxed) == 0)
        #expect(team.run())
        #expect(parts.load(ordering: .relaxed) == 100)
        team.stop()
    }

    /// However late the caller is: the other threads look at the time as well.
    @Test func `A pass that has no time left computes nothing`() {
        let parts = Atomic<Int>(0)
        let team = ThreadTeam(count: 2, stageCount: 50) { _, _ in parts.add(1, ordering: .relaxed) }
        for _ in 1...1_000 { #expect(!team.run(until: .now())) }
        #expect(parts.load(ordering: .relaxed) == 0)
        team.stop()
    }

    @Test func `Without a time, or within it, nobody says anything`() {
        let stopped = StoppedWork()
        let watch = StallWatch { stopped.report() }
        let team = ThreadTeam(count: 2, stageCount: 2, stallWatch: watch) { stage, part in
            if stage == 1, part == 1 { usleep(2_000) }
        }
        for _ in 1...10 {
            #expect(team.run())
            #expect(team.run(until: .now() + .seconds(60)))
        }
        #expect(stopped.reports.load(ordering: .relaxed) == 0)
        team.stop()
    }
}
