import Testing
import Wire

@testable import Monitoring

@Suite struct MonitorPageTests {
    private static let second: UInt64 = 1_000_000_000

    private func history() -> MonitorHistory {
        var history = MonitorHistory()
        for tick in 0...2 as ClosedRange<UInt64> {
            let message = status(
                at: (900 + tick) * Self.second,
                robots: [
                    "arm1": robot(chunks: 100 + tick, commands: 1000 + 100 * tick),
                    "arm2": robot(
                        .stopped,
                        reason: "dimension 1: position 3.20 above 3.14, and a reason that goes on and on"
                    ),
                    "left-hand": robot(.holding, reason: "no fresh observation for 300 ms"),
                ]
            ) {
                $0.commands = 1000 + 100 * tick
                $0.rejectedMessages["bad_frames"] = 10 + tick
            }
            history.receive(message, nowNs: (50 + tick) * Self.second)
        }
        return history
    }

    private func page(_ history: MonitorHistory, silentNs: UInt64 = 0, columns: Int = 120) -> [StyledLine] {
        MonitorPage.lines(
            info: info,
            endpoint: "tcp://127.0.0.1:5557",
            history: history,
            nowNs: 52 * Self.second + silentNs,
            columns: columns
        )
    }

    /// The page as it was looked at and found good.
    private static let golden = """
        denoised 0.2.0 serves pusht at tcp://127.0.0.1:5557, up 0:12:33
        ddpm, 100 steps, quasi-newton, window 12, f32 on avx512, budget 50.0 ms

        3 robots: 1 running, 1 holding, 1 stopped
        robot      state       for  episode  step  chunks/s  commands/s  silent  limited  reason
        arm1       running  12.3 s        7  1204       1.0       100.0   45 ms       21  a chunk took over
        arm2       stopped  12.3 s        7  1204       0.0         0.0   45 ms       21  dimension 1: position 3.20 above 3.14…
        left-hand  holding  12.3 s        7  1204       0.0         0.0   45 ms       21  no fresh observation for 300 ms

        latency, ms    p50    p90    p99    max    count                 total  a second
        decode        0.02   0.04   0.06   0.09    observations              3       0.0
        sample       16.50  21.00  30.00  31.25    chunks                   12       0.0
                                                   predictions              13       0.0
                                                   commands               1200     100.0
                                                   late chunks              14       0.0
                                                   coarse chunks            15       0.0
                                                   warm chunks              21       0.0
                                                   dropped observations      7       0.0
                                                   rejected messages        23       1.0
                                                   planner errors           18       0.0

        last errors           total   last seen
        rejected: bad_frames     12  500 ms ago
        late chunk               14     earlier
        limit violation          17     earlier
        planner error            18     earlier
        rejected: not_finite     11     earlier
        """

    @Test func pageIsTheGoldenOne() {
        let text = page(history(), silentNs: Self.second / 2).map(\.plain).joined(separator: "\n")
        #expect(text == Self.golden)
    }

    @Test(arguments: [1, 20, 40, 80, 200])
    func noLineIsWiderThanTheTerminal(columns: Int) {
        let lines = page(history(), columns: columns)
        #expect(lines.allSatisfy { $0.count <= columns })
        #expect(lines.count > 15)
    }

    @Test func statesHaveTheirColour() throws {
        let lines = page(history())
        func style(of text: String) -> StyledLine.Style? {
            lines.flatMap(\.pieces).first { $0.text == text }?.style
        }
        #expect(style(of: "running") == .good)
        #expect(style(of: "holding") == .warning)
        #expect(style(of: "stopped") == .bad)
        #expect(StyledLine(.init("stopped", .bad), .init(" x")).colored == "\u{1b}[31mstopped\u{1b}[0m x")
    }

    @Test func silenceIsSaid() {
        #expect(!page(history(), silentNs: Self.second).contains { $0.plain.hasPrefix("silent") })
        #expect(
            page(history(), silentNs: 3_250_000_000).contains {
                $0.plain == "silent for 3.2 s; what follows is how it was then"
            }
        )
    }

    @Test func aPageWithoutAHeartbeatSaysSo() {
        let lines = page(MonitorHistory()).map(\.plain)
        #expect(lines.last == "no heartbeat yet from tcp://127.0.0.1:5556")
        #expect(lines.count == 3)
    }

    @Test func anIdleDaemonHasAPage() {
        var history = MonitorHistory()
        let idle = status(robots: [:]) {
            $0 = DaemonStatistics()
            $0.uptimeNs = 1
        }
        history.receive(idle, nowNs: 52 * Self.second)
        let lines = page(history).map(\.plain)
        #expect(lines.contains("no robots"))
        #expect(lines.last == "no errors")
    }

    /// What a message says must not steer the terminal.
    @Test func controlCharactersAreShownAsQuestionMarks() {
        let line = StyledLine(.init("a\u{1b}[2Jb\nc\u{202e}d\u{9b}e"))
        #expect(line.plain == "a?[2Jb?c?d?e")
        #expect(StyledLine(.init("arm-1 é")).plain == "arm-1 é")
    }

    @Test(arguments: [(5, "hello"), (4, "hel…"), (1, "…"), (0, "")])
    func aLongLineIsCut(limit: Int, expected: String) {
        #expect(StyledLine(.init("he"), .init("llo", .bad)).cut(to: limit).plain == expected)
    }
}
