import RobotDescription
import Testing

@testable import Daemon
@testable import Piloting

@Suite struct StepClockTests {
    static let t0: UInt64 = 1_000_000_000_000

    /// A clock of 10 Hz that has seen control steps 0, 1, ..., each after its delay in milliseconds. The robot's clock is
    /// `behindNs` behind.
    static func clock(
        _ kind: RobotFile.RobotClock = .own,
        behindNs: UInt64 = 900_000_000_000,
        delaysMs: [UInt64]
    ) -> StepClock {
        var clock = StepClock(clock: kind, controlHz: 10)
        for (step, delay) in delaysMs.enumerated() {
            let madeNs = t0 + UInt64(step) * 100_000_000
            clock.observe(
                sequence: UInt64(step),
                timeNs: madeNs - behindNs,
                received: at(madeNs + delay * 1_000_000),
                wallOffset: Int64(behindNs)
            )
        }
        return clock
    }

    @Test func nothingIsKnownBeforeTheFirst() {
        let clock = StepClock(clock: .own, controlHz: 10)
        #expect(clock.step(at: at(5)) == nil && clock.time(of: 0) == nil && clock.newestMade == nil)
        #expect(!clock.goesBack(to: 0))
    }

    @Test func leastDelayStandsForAll() throws {
        let clock = Self.clock(delaysMs: [40, 2, 7, 90, 3])
        let newestNs = Self.t0 + 402_000_000
        #expect(clock.newestMade?.unsignedNs == newestNs, "as if each message took 2 ms")
        #expect(clock.step(at: at(newestNs + 50_000_000)) == 4.5)
        #expect(clock.time(of: 6)?.unsignedNs == newestNs + 200_000_000)
        #expect(clock.offset == 900_002_000_000)
    }

    @Test func lateMessageMovesNothing() {
        let before = Self.clock(delaysMs: [2, 2, 2]).step(at: at(Self.t0 + 250_000_000))
        #expect(Self.clock(delaysMs: [2, 2, 240]).step(at: at(Self.t0 + 250_000_000)) == before)
    }

    @Test func oldDelaysAreForgotten() {
        let clock = Self.clock(delaysMs: [1] + Array(repeating: 30, count: 64))
        #expect(clock.newestMade?.unsignedNs == Self.t0 + 64 * 100_000_000 + 30_000_000)
        #expect(
            Self.clock(delaysMs: [1] + Array(repeating: 30, count: 63)).newestMade?.unsignedNs == Self.t0
                + 6_301_000_000
        )
    }

    /// A clock that stood still cannot be told from a way that became longer, so that what it stamps counts as that late, until
    /// no observation from before is remembered.
    @Test(arguments: [UInt64(80), 400, 2000])
    func aClockThatStoodStillLooksLateFor64Observations(pauseMs: UInt64) {
        func newest(after count: Int) -> UInt64? {
            var clock = Self.clock(delaysMs: [2, 2, 2])
            for index in 0..<count {
                let stampedNs = Self.t0 + UInt64(3 + index) * 100_000_000
                clock.observe(
                    sequence: UInt64(3 + index),
                    timeNs: stampedNs - 900_000_000_000,
                    received: at(stampedNs + (pauseMs + 2) * 1_000_000),
                    wallOffset: 0
                )
            }
            return clock.newestMade?.unsignedNs
        }
        func receipt(of count: Int) -> UInt64 {
            Self.t0 + UInt64(2 + count) * 100_000_000 + (pauseMs + 2) * 1_000_000
        }
        for count in 1...63 { #expect(newest(after: count) == receipt(of: count) - pauseMs * 1_000_000) }
        #expect(newest(after: 64) == receipt(of: 64))
    }

    @Test(arguments: [RobotFile.RobotClock.monotonic, .wall])
    func sharedClockIsTakenAtItsWord(kind: RobotFile.RobotClock) {
        let behindNs: UInt64 = kind == .wall ? 900_000_000_000 : 0
        let clock = Self.clock(kind, behindNs: behindNs, delaysMs: [40, 30, 60])
        #expect(clock.newestMade?.unsignedNs == Self.t0 + 200_000_000)
    }

    /// What is stamped after its receipt was made at its receipt: else it would stay fresh for longer.
    @Test func sharedClockAheadIsNotBelieved() {
        var clock = StepClock(clock: .monotonic, controlHz: 10)
        clock.observe(sequence: 3, timeNs: Self.t0 + 9_000_000_000, received: at(Self.t0), wallOffset: 0)
        #expect(clock.newestMade?.unsignedNs == Self.t0)
        #expect(clock.step(at: at(Self.t0)) == 3)
    }

    @Test func jumpForwardIsFollowedAndBackIsSeen() {
        var clock = Self.clock(delaysMs: [2, 2])
        let jumped = Self.t0 + 3_600_000_000_000
        #expect(!clock.goesBack(to: jumped))
        clock.observe(sequence: 2, timeNs: jumped, received: at(Self.t0 + 202_000_000), wallOffset: 0)
        #expect(clock.newestMade?.unsignedNs == Self.t0 + 202_000_000)
        #expect(clock.goesBack(to: jumped - 1) && !clock.goesBack(to: jumped))
    }

    @Test(arguments: RobotFile.RobotClock.allCases, [0.1, 10, 1000])
    func extremesDoNotTrap(kind: RobotFile.RobotClock, controlHz: Double) {
        let numbers: [UInt64] = [0, 1, 1 << 40, 1 << 62, 1 << 63, .max]
        for time in numbers {
            for received in numbers {
                var clock = StepClock(clock: kind, controlHz: controlHz)
                clock.observe(sequence: 0, timeNs: 7, received: at(9), wallOffset: .min)
                clock.observe(sequence: 1 << 40, timeNs: time, received: at(received), wallOffset: .max)
                for now in numbers {
                    #expect(clock.step(at: at(now))?.isFinite == true)
                    #expect(clock.time(of: Double(now)) != nil)
                    #expect(clock.time(of: -Double(now)) != nil)
                    var time = CommandTime()
                    time.set(clock.offset)
                    time.follow(.max, elapsedNs: .infinity)
                    _ = (time.robotTime(at(now)), time.clockStepNs(.min))
                }
            }
        }
    }
}

@Suite struct RateLimiterTests {
    @Test func secondsWorthAndThenTheRate() {
        var limiter = RateLimiter<Int>(perSecond: 10, mostSenders: 4)
        func admitted(_ sender: Int, at nowNs: UInt64, of count: Int = 100) -> Int {
            (0..<count).count { _ in limiter.admit(sender, now: at(nowNs)) }
        }
        #expect(admitted(1, at: 5) == 10)
        #expect(admitted(2, at: 5) == 10, "another sender has its own")
        #expect(admitted(1, at: 99_000_000) == 0)
        #expect(admitted(1, at: 250_000_005) == 2)
        #expect(admitted(1, at: 300_000_005) == 1, "halves are kept")
        #expect(admitted(1, at: 100_000_000_000) == 10, "no more than a second's worth")
    }

    @Test(arguments: [(0, 10), (1, 10), (4096, 10), (4097, 5), (5 * 4096, 2), (1 << 20, 1)])
    func aLongMessageCountsAsSeveral(bytes: Int, admitted: Int) {
        var limiter = RateLimiter<Int>(perSecond: 10, mostSenders: 1)
        #expect((0..<100).count { _ in limiter.admit(1, bytes: bytes, now: at(5)) } == admitted)
    }

    @Test func sendersAreBounded() {
        var limiter = RateLimiter<Int>(perSecond: 1, mostSenders: 3)
        func isAdmitted(_ sender: Int, at nowNs: UInt64) -> Bool { limiter.admit(sender, now: at(nowNs)) }
        for sender in 0..<3 { #expect(isAdmitted(sender, at: 0)) }
        #expect(!isAdmitted(0, at: 1))
        for sender in 3..<1000 { #expect(isAdmitted(sender, at: 2)) }
        #expect(isAdmitted(0, at: 3), "it starts anew")
    }
}
