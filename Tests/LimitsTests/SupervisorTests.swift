import Clocks
import Robotics
import Testing
import TestRandom

@testable import Limits

@Suite struct SupervisorTests {
    /// From each state, in a column, where each event leads; a dot: nowhere else.
    static let table = """
        event                 idle     running  holding  stopped  faulted
        chunkJoined           running  .        running  .        .
        chunkMissing          .        holding  .        .        .
        observationsStopped   .        holding  .        .        .
        clockWasSet           .        holding  .        .        .
        commandsPaused        .        holding  .        .        .
        feedbackFar           .        stopped  stopped  .        .
        limitBroken           stopped  stopped  stopped  .        .
        heldTooLong           .        .        stopped  .        .
        policyFailed          faulted  faulted  faulted  .        .
        stopRequested         stopped  stopped  stopped  .        stopped
        holdRequested         stopped  holding  holding  .        .
        resumeRequested       .        .        .        idle     idle
        episodeEnded          .        idle     idle     .        .
        """

    struct Row: Sendable {
        let event: RobotEvent
        let leadsTo: [RobotState: RobotState]
    }

    static func rows() throws -> [Row] {
        let lines = table.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        let states = try lines[0].dropFirst().map { try #require(RobotState(rawValue: $0)) }
        return try lines.dropFirst().map { cells in
            var leadsTo: [RobotState: RobotState] = [:]
            for (state, cell) in zip(states, cells.dropFirst()) where cell != "." {
                let next: RobotState = try #require(RobotState(rawValue: cell))
                leadsTo[state] = next
            }
            return Row(event: try #require(RobotEvent(rawValue: cells[0])), leadsTo: leadsTo)
        }
    }

    /// Events that lead from idle to a state.
    static let ways: [RobotState: [RobotEvent]] = [
        .idle: [], .running: [.chunkJoined], .holding: [.chunkJoined, .chunkMissing],
        .stopped: [.stopRequested], .faulted: [.policyFailed],
    ]

    @Test func everyTransitionIsAsInTheTable() throws {
        let rows = try Self.rows()
        #expect(Set(rows.map(\.event)) == Set(RobotEvent.allCases))
        #expect(Set(Self.ways.keys) == Set(RobotState.allCases))
        for (state, way) in Self.ways {
            for row in rows {
                var supervisor = Supervisor(now: at(1))
                for event in way { supervisor.handle(event, reason: "way", now: at(2)) }
                try #require(supervisor.state == state)
                let before = supervisor
                let hasChanged = supervisor.handle(row.event, reason: "here", now: at(3))
                let expected = row.leadsTo[state]
                #expect(supervisor.state == expected ?? state, "\(row.event) in \(state)")
                #expect(hasChanged == (expected != nil))
                if expected == nil {
                    #expect(supervisor == before, "an event that changes no state changes nothing")
                } else {
                    #expect((supervisor.reason, supervisor.since.unsignedNs) == ("here", 3))
                }
            }
        }
    }

    @Test func onlyAResumeReleasesAHeldRobot() {
        for event in RobotEvent.allCases {
            var supervisor = Supervisor(now: at(0))
            supervisor.handle(.chunkJoined, reason: "way", now: at(1))
            supervisor.handle(.holdRequested, reason: "held", now: at(2))
            #expect(supervisor.isHeld && supervisor.state == .holding && !supervisor.mayMove)
            supervisor.handle(event, reason: "here", now: at(3))
            let expected: RobotState =
                switch event {
                case .resumeRequested: .idle
                case .policyFailed: .faulted
                case .feedbackFar, .limitBroken, .heldTooLong, .stopRequested: .stopped
                default: .holding
                }
            #expect(supervisor.state == expected, "\(event)")
            #expect(supervisor.isHeld == (expected == .holding), "\(event)")
        }
    }

    @Test func aRobotThatHoldsByItselfMayBeHeld() {
        var supervisor = Supervisor(now: at(0))
        for event in [RobotEvent.chunkJoined, .chunkMissing] {
            supervisor.handle(event, reason: "way", now: at(1))
        }
        #expect(supervisor.mayMove)
        let isHeld = supervisor.handle(.holdRequested, reason: "held", now: at(2))
        #expect(isHeld && supervisor.reason == "held" && !supervisor.mayMove)
        let isReleased = supervisor.handle(.chunkJoined, reason: "here", now: at(3))
        #expect(!isReleased && supervisor.isHeld)
    }

    @Test(arguments: 0..<20)
    func randomEventsKeepTheRules(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var supervisor = Supervisor(now: at(0))
        var (reason, sinceNs) = (supervisor.reason, UInt64(0))
        for nowNs in 1...5000 as ClosedRange<UInt64> {
            let (before, wasHeld) = (supervisor.state, supervisor.isHeld)
            guard let event = RobotEvent.allCases.randomElement(using: &random) else { return }
            let hasChanged = supervisor.handle(event, reason: "\(event) at \(nowNs)", now: at(nowNs))
            if hasChanged { (reason, sinceNs) = ("\(event) at \(nowNs)", nowNs) }
            #expect(hasChanged == (supervisor.state != before || supervisor.isHeld != wasHeld))
            #expect((supervisor.reason, supervisor.since.unsignedNs) == (reason, sinceNs))
            if supervisor.isHeld { #expect(supervisor.state == .holding) }
            #expect(
                supervisor.mayMove
                    == (supervisor.state != .stopped && supervisor.state != .faulted && !supervisor.isHeld)
            )
            if before == .stopped || before == .faulted || wasHeld, supervisor.mayMove {
                #expect(event == .resumeRequested && supervisor.state == .idle)
            }
            if supervisor.state == .running, before != .running { #expect(event == .chunkJoined) }
            if event == .stopRequested { #expect(supervisor.state == .stopped) }
            if event == .policyFailed { #expect(!supervisor.mayMove) }
        }
    }
}

private func at(_ nanoseconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: nanoseconds) }
