import Testing
import Wire

@testable import Monitoring

@Suite struct MonitorHistoryTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func ratesAreOverTheWindow() throws {
        var history = MonitorHistory()
        // 4 chunks a second for 10 s, then 10 a second: the window holds only the latter.
        for tenth in 0...150 as ClosedRange<UInt64> {
            let chunks = tenth <= 100 ? tenth * 4 / 10 : 40 + (tenth - 100)
            history.receive(
                status(at: 900 * Self.second + tenth * Self.second / 10) { $0.chunks = chunks },
                nowNs: 0
            )
            if tenth == 0 { #expect(history.rate { $0.statistics.chunks } == nil) }
            if tenth == 100 { #expect(history.rate { $0.statistics.chunks } == 4) }
        }
        #expect(history.rate { $0.statistics.chunks } == 10)
    }

    @Test func aRobotThatIsNewHasARateFromThenOn() {
        var history = MonitorHistory()
        history.receive(status(at: 900 * Self.second, robots: [:]), nowNs: 0)
        history.receive(status(at: 901 * Self.second, robots: ["a": robot(commands: 0)]), nowNs: 0)
        #expect(history.rate { $0.robots["a"]?.commands } == nil)
        history.receive(status(at: 903 * Self.second, robots: ["a": robot(commands: 200)]), nowNs: 0)
        #expect(history.rate { $0.robots["a"]?.commands } == 100)
        #expect(history.rate { $0.robots["b"]?.commands } == nil)
    }

    @Test func troubleIsDatedWhenItsCountRises() {
        var history = MonitorHistory()
        history.receive(status(at: 900 * Self.second), nowNs: 5)
        #expect(history.troubles["rejected: bad_frames"] == .init(count: 10, roseNs: nil))
        history.receive(status(at: 901 * Self.second), nowNs: 6)
        #expect(history.troubles["rejected: bad_frames"]?.roseNs == nil)
        history.receive(
            status(at: 902 * Self.second) {
                $0.rejectedMessages["bad_frames"] = 12
                $0.rejectedMessages["too_deep"] = 1
            },
            nowNs: 7
        )
        history.receive(
            status(at: 903 * Self.second) {
                $0.rejectedMessages["bad_frames"] = 12
                $0.rejectedMessages["too_deep"] = 1
            },
            nowNs: 8
        )
        #expect(history.troubles["rejected: bad_frames"] == .init(count: 12, roseNs: 7))
        #expect(history.troubles["rejected: too_deep"] == .init(count: 1, roseNs: 7))
        #expect(history.troubles["planner error"] == .init(count: 18, roseNs: nil))
    }

    @Test func aDaemonThatStartsAnewIsAnother() {
        var history = MonitorHistory()
        let isAnother = [900, 901].map { history.receive(status(at: $0 * Self.second), nowNs: 1) }
        #expect(isAnother == [false, false])
        let fresh = status(at: 902 * Self.second) {
            $0 = DaemonStatistics()
            // It has been up for longer than the one before it was.
            $0.uptimeNs = 800 * Self.second
        }
        let isFreshAnother = history.receive(fresh, nowNs: 3)
        #expect(isFreshAnother)
        #expect(history.troubles.isEmpty)
        #expect(history.rate { $0.statistics.chunks } == nil)
        #expect(history.latest == fresh)
    }
}
