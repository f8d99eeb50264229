import RobotDescription
import Testing

@testable import Daemon
@testable import MCAP
@testable import Piloting

/// Where a motion begins.
@Suite struct MotionStartTests {
    static let ms: UInt64 = 1_000_000

    private func start(_ lines: String...) throws -> MotionStart {
        MotionStart(
            try RobotFile(
                """
                control_hz: 10
                command_hz: 100
                actions: [{name: x, velocity: 200}, {name: v, kind: velocity}]
                \(lines.joined(separator: "\n"))
                """
            )
        )
    }

    /// Where a motion begins, 1 s after the last command that moved the robot, to x = 10.
    private func place(
        _ start: MotionStart,
        feedback: [Float]?,
        madeMs: UInt64 = 950,
        lastCommandMs: UInt64 = 0,
        last: [Float]? = [10, 0]
    ) -> MotionStart.Place? {
        var sent = SentCommands()
        let beginNs = 1_000_000 * Self.ms
        if last != nil { sent.add([10, 0], at: at(beginNs)) }
        if last != nil, lastCommandMs > 0 { sent.add([10, 0], at: at(beginNs + lastCommandMs * Self.ms)) }
        return start.place(
            last: last,
            sent: sent,
            feedback: feedback,
            made: at(beginNs + madeMs * Self.ms),
            longestGapNs: 30 * Self.ms,
            now: at(beginNs + 1000 * Self.ms)
        )
    }

    @Test func withoutFeedbackItIsTheLastCommandOrAnywhere() throws {
        let start = try start()
        #expect(place(start, feedback: nil) == .at([10, 0]))
        #expect(place(start, feedback: nil, last: nil) == .anywhere)
    }

    @Test func feedbackMustBeFreshAndFromAfterTheLastMove() throws {
        let start = try start("feedback: {feature: s}", "clock: monotonic")
        #expect(place(start, feedback: nil) == nil)
        #expect(place(start, feedback: [.nan, 0]) == nil)
        #expect(place(start, feedback: [90, 0]) == .at([90, 0]))
        #expect(place(start, feedback: [90, 0], madeMs: 0) == nil, "made when the command was sent")
        #expect(place(start, feedback: [90, 0], madeMs: 499) == nil, "older than observation_ms")
        #expect(place(start, feedback: [90, 0], last: nil) == .at([90, 0]))
    }

    /// The velocity's feedback does not count; x agrees within 200 / 100.
    @Test func aRobotThatIsWhereItWasToldToBeGoesOnFromThere() throws {
        let start = try start("feedback: {feature: s}", "clock: monotonic")
        #expect(place(start, feedback: [11.9, 77]) == .at([10, 0]))
        #expect(place(start, feedback: [12.1, 0]) == .at([12.1, 0]))
        let wide = try self.start("feedback: {feature: s, following_error: 30}", "clock: monotonic")
        #expect(place(wide, feedback: [39, 0]) == .at([10, 0]))
    }

    @Test func aRobotThatWasMovedBeginsThereAfterASilence() throws {
        let start = try start("feedback: {feature: s}", "clock: monotonic")
        #expect(place(start, feedback: [90, 0], lastCommandMs: 980) == nil, "commands still go out")
        #expect(place(start, feedback: [90, 0], lastCommandMs: 960) == .at([90, 0]))
        let own = try self.start("feedback: {feature: s}", "watchdogs: {observation_ms: 2000}")
        #expect(place(own, feedback: [90, 0], madeMs: 200) == nil, "nobody knows how long messages take")
        #expect(place(own, feedback: [90, 0], madeMs: 251) == .at([90, 0]))
        #expect(place(own, feedback: [11, 0], madeMs: 200) == .at([10, 0]))
    }

    @Test func faultsOfFeedbackAreNamed() throws {
        let file = try RobotFile(
            """
            control_hz: 10
            command_hz: 100
            actions: [{name: x, position: [0, 100], velocity: 100}, {name: v, kind: velocity}]
            feedback: {feature: s}
            """
        )
        let start = MotionStart(file)
        #expect(start.fault(of: [500, 0], commanded: nil) == nil, "nothing was commanded")
        #expect(start.fault(of: [50, 9], commanded: [90, 0]) == nil, "no bound is given")
        #expect(start.fault(of: [100.9, 0], commanded: [90, 0]) == nil, "within one period's way")
        #expect(
            start.fault(of: [101.1, 0], commanded: [100, 0])
                == "x: the robot is at 101.1, expected 0.0 to 100.0"
        )
        #expect(start.fault(of: [.nan, 0], commanded: [100, 0]) != nil)
    }
}
