import Testing

@testable import Daemon
@testable import Piloting

/// When commands go out, for which control step, and by which time.
@Suite struct CommandTimingTests {
    static let t0: UInt64 = 1_000_000_000_000

    static func ms(_ milliseconds: Double) -> UInt64 { UInt64(Double(t0) + milliseconds * 1e6) }

    /// The times at which a pacer of 100 Hz was used, in milliseconds, when it was looked at late by so much each time.
    private func uses(lateMs: [Double]) -> [Double] {
        var pacer = CommandPacer(hz: 100)
        pacer.start(at: at(Self.t0), origin: at(Self.t0))
        return lateMs.compactMap { late in
            let nowNs = (pacer.due?.unsignedNs ?? 0) + UInt64(late * 1e6)
            return pacer.take(at: at(nowNs)) ? Double(nowNs - Self.t0) / 1e6 : nil
        }
    }

    @Test func commandsFallOnAGrid() {
        #expect(uses(lateMs: [0, 0, 0, 0]) == [0, 10, 20, 30])
        #expect(uses(lateMs: [0.3, 0.9, 0, 0.5, 0]) == [0.3, 10.9, 20, 30.5, 40])
    }

    /// One that is late is followed by others nine tenths of a period apart, until they are on the grid again.
    @Test func aLateCommandIsMadeUpForWithoutABurst() {
        let times = uses(lateMs: [0, 3, 0, 0, 0, 0])
        #expect(times == [0, 13, 22, 31, 40, 50])
        let far = uses(lateMs: [0, 57] + Array(repeating: 0, count: 12))
        #expect(zip(far, far.dropFirst()).allSatisfy { $1 - $0 >= 8.999 })
        #expect(far.suffix(3) == [160, 170, 180], "\(far)")
    }

    @Test func aPacerThatWasStoppedStaysApartFromItsLastCommand() {
        var pacer = CommandPacer(hz: 100)
        #expect(pacer.due?.unsignedNs == nil)
        let early = pacer.take(at: at(Self.t0))
        #expect(!early)
        pacer.start(at: at(Self.t0), origin: at(Self.t0))
        let first = pacer.take(at: at(Self.t0))
        #expect(first)
        pacer.stop()
        #expect(pacer.due?.unsignedNs == nil && pacer.pauseNs(at: at(Self.ms(1000))) == nil)
        pacer.start(at: at(Self.ms(1)), origin: at(Self.ms(1)))
        #expect(
            pacer.due?.unsignedNs == Self.ms(11),
            "on the new grid, and nine tenths of a period later at least"
        )
        pacer.start(at: at(Self.ms(3)), origin: at(Self.ms(3)))
        #expect(pacer.due?.unsignedNs == Self.ms(11), "it goes on already")
    }

    @Test func aCommandThatBrakesComesAsSoonAsItMay() {
        var pacer = CommandPacer(hz: 100)
        pacer.hasten(at: at(Self.t0))
        #expect(pacer.due?.unsignedNs == nil)
        pacer.start(at: at(Self.t0), origin: at(Self.t0))
        let first = pacer.take(at: at(Self.t0))
        pacer.hasten(at: at(Self.ms(2)))
        #expect(first && pacer.due?.unsignedNs == Self.ms(9))
        pacer.hasten(at: at(Self.ms(9.5)))
        #expect(pacer.due?.unsignedNs == Self.ms(9), "it is due already")
    }

    @Test(arguments: [(1000.0, 20.0), (100, 30), (10, 300)])
    func aGapOfThreePeriodsAndTwentyMillisecondsIsAPause(hz: Double, longestMs: Double) {
        var pacer = CommandPacer(hz: hz)
        pacer.start(at: at(Self.t0), origin: at(Self.t0))
        let isTaken = pacer.take(at: at(Self.t0))
        #expect(isTaken && pacer.longestGapNs == UInt64(longestMs * 1e6))
        #expect(pacer.pauseNs(at: at(Self.ms(longestMs))) == nil)
        #expect(pacer.pauseNs(at: at(Self.ms(longestMs + 1))) == UInt64((longestMs + 1) * 1e6))
    }

    /// A plan that follows the estimate of a clock of 10 Hz, from step 0 at t0.
    private func clock(stepAt: [(step: UInt64, ms: Double)]) -> StepClock {
        var clock = StepClock(clock: .monotonic, controlHz: 10)
        for (step, ms) in stepAt {
            clock.observe(sequence: step, timeNs: Self.ms(ms), received: at(Self.ms(ms)), wallOffset: 0)
        }
        return clock
    }

    @Test func aSmallErrorChangesThePaceByAsMuch() throws {
        var plan = PlanClock()
        #expect(plan.step(at: at(Self.ms(50)), by: clock(stepAt: [(0, 0)])) == 0.5)
        plan.follow(step: 0.5, time: at(Self.ms(50)))
        #expect(plan.step(at: at(Self.ms(60)), by: clock(stepAt: [(0, 0)])) == 0.6)
        // The next observation says that the steps are 0.2 ahead: 60 ms is step 0.8.
        let ahead = try #require(plan.step(at: at(Self.ms(60)), by: clock(stepAt: [(0, -20)])))
        #expect(abs(ahead - (0.5 + 0.1 * 1.2)) < 1e-9)
        // 0.3 behind.
        let behind = try #require(plan.step(at: at(Self.ms(60)), by: clock(stepAt: [(0, 30)])))
        #expect(abs(behind - (0.5 + 0.1 * 0.7)) < 1e-9)
    }

    @Test func aPlanNeverGoesBackAndNeverAtMoreThanTwiceItsPace() throws {
        var plan = PlanClock()
        plan.follow(step: 10, time: at(Self.ms(1000)))
        let behind = try #require(plan.step(at: at(Self.ms(1010)), by: clock(stepAt: [(7, 1000)])))
        #expect(behind == 10, "it waits")
        let ahead = try #require(plan.step(at: at(Self.ms(1010)), by: clock(stepAt: [(13, 1000)])))
        #expect(abs(ahead - 10.2) < 1e-9)
        #expect(
            plan.step(at: at(Self.ms(1010)), by: clock(stepAt: [(20, 1000)])) == 20.1,
            "too far to be made up for"
        )
        plan.reset()
        #expect(plan.step(at: at(Self.ms(1010)), by: clock(stepAt: [(7, 1000)])) == 7.1)
    }

    @Test func theRateIsMeasuredAndAPauseChangesNothing() throws {
        var rate = StepRate(controlHz: 10)
        func observe(_ steps: Range<UInt64>, everyMs: Double, fromMs: Double) {
            for step in steps {
                rate.observe(
                    sequence: step,
                    timeNs: Self.ms(fromMs + Double(step - steps.lowerBound) * everyMs)
                )
            }
        }
        observe(0..<8, everyMs: 50, fromMs: 0)
        #expect(rate.unexpectedHz == nil && rate.periodNs == 1e8, "not measured yet")
        observe(8..<40, everyMs: 50, fromMs: 400)
        #expect(rate.unexpectedHz == 20 && rate.periodNs == 5e7)
        observe(40..<100, everyMs: 50, fromMs: 9000)
        #expect(rate.unexpectedHz == 20, "a pause of 7 s")
        observe(100..<200, everyMs: 95, fromMs: 12_000)
        #expect(rate.unexpectedHz == nil && rate.periodNs == 1e8, "near enough")
    }

    @Test func timesFollowFasterWhileTheRobotStands() {
        var time = CommandTime()
        time.settle(0, elapsedNs: .infinity)
        time.settle(90_000_000, elapsedNs: 1e7)
        #expect(time.robotTime(at(Self.t0)) == Self.t0 - 1_000_000)
        for _ in 0..<100 { time.settle(90_000_000, elapsedNs: 1e7) }
        #expect(time.robotTime(at(Self.t0)) == Self.t0 - 90_000_000)
        time.settle(3_000_000_000, elapsedNs: 1e7)
        #expect(time.robotTime(at(Self.t0)) == Self.t0 - 3_000_000_000, "a clock that was set")
    }

    /// Whatever is learnt of the clock, two times differ by what passed between them, to within 200 millionths.
    @Test func timesOfCommandsGoOnEvenly() {
        var time = CommandTime()
        time.set(5_000_000_000)
        #expect(time.robotTime(at(Self.t0)) == Self.t0 - 5_000_000_000)
        var (last, nowNs) = (time.robotTime(at(Self.t0)), Self.t0)
        for index in 0..<3000 {
            nowNs += 10_000_000
            time.follow(5_000_000_000 + (index > 500 ? 90_000_000 : 0), elapsedNs: 1e7)
            let next = time.robotTime(at(nowNs))
            #expect(abs(Double(next - last) - 1e7) <= 2001)
            last = next
        }
        #expect(Double(nowNs - last) > 5_000_000_000 + 3e6, "it follows")
        #expect(time.clockStepNs(5_090_000_000) == nil)
        #expect(time.clockStepNs(4_000_000_000) ?? 0 > 1e9)
        #expect(time.clockStepNs(7_000_000_000) ?? 0 < -1.9e9)
    }
}

@Suite struct LogBudgetTests {
    @Test func twentyLinesASecondAndACountOfTheOthers() {
        var budget = LogBudget()
        let admitted = (0..<1200).compactMap { _ in budget.admit(now: at(5_000_000_000)) }
        #expect(admitted == Array(repeating: 0, count: 20))
        let next = budget.admit(now: at(6_000_000_000))
        #expect(next == 1180)
        let after = budget.admit(now: at(6_000_000_001))
        #expect(after == 0)
    }
}
