import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Daemon
@testable import MCAP

@Suite struct WatchdogTests {
    /// Counts reports, and refuses them where told to.
    private final class Reports: Sendable {
        let count = Atomic(0)
        let isRefused = Atomic(false)

        func make(timeoutNs: UInt64) -> Watchdog {
            Watchdog(timeoutNs: timeoutNs) {
                self.count.add(1, ordering: .relaxed)
                return !self.isRefused.load(ordering: .relaxed)
            }
        }

        /// The reports since the last call.
        func take() -> Int { count.exchange(0, ordering: .relaxed) }
    }

    private let reports = Reports()

    @Test func reportsTwiceWithinTheTimeHoweverOftenTheLoopTurns() {
        var watchdog = reports.make(timeoutNs: 1000)
        for nowNs in 10_000..<20_000 as Range<UInt64> { watchdog.beat(now: at(nowNs)) }
        #expect(reports.take() == 20)
    }

    @Test func theLoopWaitsUntilTheNextReportIsDue() {
        var watchdog = reports.make(timeoutNs: 1000)
        #expect(watchdog.nextBeat(now: at(10_000)).unsignedNs <= 10_000)
        watchdog.beat(now: at(10_000))
        #expect(watchdog.nextBeat(now: at(10_000)).unsignedNs == 10_500)
        #expect(watchdog.nextBeat(now: at(10_400)).unsignedNs == 10_500)
    }

    @Test func aReportNotSentIsDueAgainSoon() {
        var watchdog = reports.make(timeoutNs: 1000)
        reports.isRefused.store(true, ordering: .relaxed)
        watchdog.beat(now: at(10_000))
        #expect(watchdog.nextBeat(now: at(10_000)).unsignedNs == 10_100)
    }

    @Test func endsWhereThePlannerHangsAndOnlyThere() {
        var watchdog = reports.make(timeoutNs: 1000)
        let patienceNs = Watchdog.patienceNs
        watchdog.beat(now: at(0))
        watchdog.planningBegan(now: at(1000))
        watchdog.beat(now: at(1000 + patienceNs))
        #expect(reports.take() == 2)
        watchdog.beat(now: at(2000 + patienceNs))
        #expect(reports.take() == 0)
        #expect(
            watchdog.nextBeat(now: at(2000 + patienceNs)).unsignedNs == 2500 + patienceNs,
            "a loop that spins"
        )

        // It did not hang after all: then as long a piece of work is plausible, and ten times it.
        watchdog.planningEnded(now: at(2000 + patienceNs))
        watchdog.beat(now: at(3000 + patienceNs))
        #expect(reports.take() == 1)
        let beganNs = 4000 + patienceNs
        watchdog.planningBegan(now: at(beganNs))
        let limitNs = patienceNs + 10 * (1000 + patienceNs)
        watchdog.beat(now: at(beganNs + limitNs))
        #expect(reports.take() == 1)
        watchdog.beat(now: at(beganNs + limitNs + 1000))
        #expect(reports.take() == 0)
    }

    /// The loop's own time makes it report: idle, and while the planner is at a chunk.
    @Test(.timeLimit(.minutes(10)))
    func `a daemon reports`() throws {
        let gate = Gate()
        let reports = reports
        let toy = try ToyDaemon(gate: gate) { $0.watchdog = reports.make(timeoutNs: 2_000_000) }
        func waitForReports() {
            _ = reports.take()
            eventually {
                reports.count.load(ordering: .relaxed)
            } is: {
                $0 >= 3
            }
        }
        waitForReports()
        let client = try toy.client()
        try toy.publish(observation(0, first: 1), from: client)
        gate.waitForEntry()
        waitForReports()
        gate.pass(1000)
    }
}
