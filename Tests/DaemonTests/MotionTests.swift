import Clocks
import Robotics
import Testing

@testable import Daemon
@testable import Piloting
@testable import Planning

/// Limits by the time that passes, and where motions begin: one test for each way in which a robot was once moved wrongly.
@Suite struct MotionTests {
    static let limits = "actions: [{name: x, velocity: 300, acceleration: 2000}]"

    /// The largest speed and change of speed between commands, by their `time_ns`.
    static func extremes(_ commands: [RobotCommand]) -> (velocity: Double, acceleration: Double) {
        var (velocity, acceleration, before) = (0.0, 0.0, 0.0)
        for (last, next) in zip(commands, commands.dropFirst()) {
            let elapsed = Double(next.timeNs - last.timeNs) / 1e9
            let speed = Double(next.action[0] - last.action[0]) / elapsed
            velocity = max(velocity, abs(speed))
            acceleration = max(acceleration, abs(speed - before) / elapsed)
            before = speed
        }
        return (velocity, acceleration)
    }

    @Test(arguments: [UInt64(5), 20, 50, 83, 100, 120, 200, 400])
    func limitsHoldAtEveryRateOfObservations(stepMs: UInt64) throws {
        var ride = try Ride(Self.limits, "interpolation: linear")
        ride.stepNs = stepMs * 1_000_000
        ride.planningNs = 10_000_000
        ride.value = { Float($0) * 29 }
        try ride.go(forMs: 8000)
        #expect(ride.commands.count > 100)
        let (velocity, acceleration) = Self.extremes(ride.commands)
        #expect(velocity <= 301 && acceleration <= 2020, "\(velocity), \(acceleration)")
        let intervals = zip(ride.commands, ride.commands.dropFirst()).map { $1.publishedNs - $0.publishedNs }
        #expect(intervals.allSatisfy { $0 >= 17_999_999 && $0 <= 20_000_001 }, "no burst and no silence")
        let isExpected = (91...110).contains(stepMs)
        #expect((ride.pilot.warning == nil) == isExpected)
        if !isExpected {
            let found = (1e5 / Double(stepMs)).rounded() / 100
            #expect(
                ride.pilot.warning?.contains("arm1: \(found) control steps a second") == true,
                "\(ride.pilot.warning ?? "")"
            )
        }
    }

    /// A robot at 2.5 Hz whose steps are meant for 10 Hz: the step clock says nothing for most of the time.
    @Test(arguments: stride(from: UInt64(0), to: 400, by: 37).map { $0 })
    func aStopIsCarriedOutWithinAPeriod(afterMs: UInt64) throws {
        var ride = try Ride(Self.limits, "watchdogs: {observation_ms: 1000}")
        ride.stepNs = 400_000_000
        ride.planningNs = 1_000_000
        ride.value = { Float($0) * 20 }
        try ride.go(forMs: 4000 + afterMs)
        try #require(ride.pilot.state == .running)
        _ = ride.pilot.stop("a stop was requested", now: at(ride.nowNs))
        let stoppedNs = ride.nowNs
        let before = ride.commands.count
        try ride.go(forMs: 100)
        let first = try #require(ride.commands.dropFirst(before).first)
        #expect(first.state == .holding && first.publishedNs - stoppedNs <= 20_000_000)
    }

    @Test(arguments: [UInt64(300), 450])
    func afterAShortPauseTheMotionBeginsAtRest(pauseMs: UInt64) throws {
        var ride = try Ride("actions: [{name: x, velocity: 150, acceleration: 100}]", commandHz: 100)
        ride.value = { Float($0) * 15 }
        try ride.go(forMs: 3000)
        let last = try #require(ride.commands.last)
        ride.commands = []
        try ride.pause(forMs: pauseMs)
        try ride.go(forMs: 500)
        #expect(ride.pilot.state == .running)
        let first = try #require(ride.commands.first)
        #expect(first.action == last.action, "the robot kept its last command")
        #expect(Self.extremes(ride.commands).acceleration <= 101)
    }

    @Test(arguments: [(UInt64(2000), RobotState.holding), (15_000, .stopped)])
    func aLongPauseIsHeldOrStopped(pauseMs: UInt64, expected: RobotState) throws {
        var ride = try Ride(Self.limits, "feedback: {feature: observation.state}")
        ride.value = { Float($0) * 15 }
        try ride.go(forMs: 3000)
        ride.commands = []
        // Somebody moves the robot meanwhile, and it says so.
        ride.state = 100
        try ride.pause(forMs: pauseMs)
        #expect(ride.pilot.state == expected)
        #expect(ride.pilot.status(now: at(ride.nowNs)).reason.contains("no command for \(pauseMs) ms"))
        if expected == .stopped {
            try ride.go(forMs: 300)
            #expect(ride.commands.isEmpty)
            _ = ride.pilot.resume(now: at(ride.nowNs))
        }
        try ride.go(forMs: 500)
        #expect(ride.pilot.state == .running)
        #expect(ride.commands.first?.action == [100], "it begins where the robot is")
    }

    /// The observation that begins the next episode was made while the robot still moved.
    @Test func feedbackFromBeforeTheRestDoesNotCount() throws {
        var ride = try Ride(
            Self.limits,
            "clock: monotonic",
            "feedback: {feature: observation.state}",
            commandHz: 100
        )
        ride.usesDaemonClock = true
        ride.planningNs = 1_000_000
        ride.value = { Float($0) * 20 }
        try ride.go(forMs: 2050)
        let before = try #require(ride.commands.last)
        ride.episode = .number(2)
        ride.state = before.action[0] - 24
        try ride.observe(ride.observation(0))
        ride.step = 1
        try ride.go(forMs: 45)
        ride.state = try #require(ride.commands.last).action[0]
        try ride.go(forMs: 1000)
        #expect(ride.pilot.state == .running)
        let (velocity, acceleration) = Self.extremes(ride.commands)
        #expect(velocity <= 301 && acceleration <= 2020, "\(velocity), \(acceleration)")
    }

    @Test func aRobotThatIsNotWhereItWasToldToBeIsStopped() throws {
        var ride = try Ride(Self.limits, "feedback: {feature: observation.state, following_error: 25}")
        try ride.go(forMs: 1000)
        #expect(ride.pilot.state == .running)
        ride.state = 40
        try ride.go(forMs: 200)
        #expect(ride.pilot.state == .stopped)
        let reason = ride.pilot.status(now: at(ride.nowNs)).reason
        #expect(reason.hasPrefix("x: the robot is at 40.0 and was told "), "\(reason)")
        #expect(reason.hasSuffix("expected a following error of at most 25.0"), "\(reason)")
        #expect(ride.pilot.stopOrder.number > 0 && ride.pilot.stopOrder.connection == nil)
    }

    @Test func aRobotOutsideItsRangeIsStopped() throws {
        var ride = try Ride(
            "actions: [{name: x, position: [0, 50], velocity: 300, acceleration: 2000}]",
            "feedback: {feature: observation.state}"
        )
        try ride.go(forMs: 1000)
        #expect(ride.pilot.state == .running)
        ride.state = 52
        try ride.go(forMs: 200)
        #expect(ride.pilot.state == .stopped)
        #expect(
            ride.pilot.status(now: at(ride.nowNs)).reason == "x: the robot is at 52.0, expected 0.0 to 50.0"
        )
    }

    /// `time_ns` goes on evenly while the robot comes to rest; only then it follows the clock.
    @Test func aClockThatIsSetForwardIsFollowedAtRest() throws {
        var ride = try Ride("actions: [{name: x, velocity: 300, acceleration: 200}]", commandHz: 100)
        ride.value = { Float($0) * 20 }
        try ride.go(forMs: 3000)
        let before = ride.commands.count
        ride.aheadNs = 3_600_000_000_000
        try ride.go(forMs: 110)
        #expect(ride.pilot.state == .holding)
        #expect(ride.pilot.status(now: at(ride.nowNs)).reason.contains("was set forward by 3600"))
        try ride.go(forMs: 3000)
        #expect(ride.pilot.state == .running)
        for (last, next) in zip(ride.commands, ride.commands.dropFirst()) where last.action != next.action {
            #expect(next.timeNs - last.timeNs <= 31_000_000)
        }
        let moved = try #require(ride.commands.last).timeNs - ride.commands[before].timeNs
        #expect(moved > 3_600_000_000_000)
    }

    @Test(arguments: [
        (UInt64(0), "stands still"), (1000, "as microseconds do"), (1_000_000, "as milliseconds do"),
        (1_000_000_000, "as seconds do"), (20, "20.0 times too slowly"),
    ])
    func stampsThatAreNoNanosecondsAreNamed(unitNs: UInt64, words: String) throws {
        var ride = try Ride(Self.limits)
        let last = UInt64(unitNs == 1_000_000_000 ? 40 : 20)
        for step in 0..<last {
            let timeNs = unitNs == 0 ? 5 : step * 100_000_000 / unitNs
            if try ride.observe(ride.observation(step, timeNs: timeNs)) {
                var chunk = try ride.chunk(step)
                try ride.pilot.receive(&chunk, isCarriedOut: true, now: at(ride.nowNs))
            }
            for _ in 0..<10 {
                ride.nowNs += 10_000_000
                if let command = ride.pilot.tick(now: at(ride.nowNs)) { ride.commands.append(command) }
            }
        }
        let reason = ride.pilot.status(now: at(ride.nowNs)).reason
        #expect(ride.pilot.state == .holding, "\(reason)")
        #expect(ride.pilot.warning?.contains(words) == true, "\(ride.pilot.warning ?? "")")
        #expect(
            reason.hasPrefix("no fresh observation for 500 ms; its time_ns")
                && reason.contains("expected nanoseconds")
        )
    }

    /// Commands at a rate that is no multiple of the control rate: each has its own place between two steps.
    @Test(arguments: [(10.0, 125.0), (15, 100), (30, 500), (10, 33.3)])
    func everyRateOfCommandsGoes(controlHz: Double, commandHz: Double) throws {
        var ride = try Ride("interpolation: linear", controlHz: controlHz, commandRate: commandHz)
        ride.stepNs = UInt64(1e9 / controlHz)
        ride.value = { Float($0) * 3 }
        try ride.go(forMs: 3000)
        #expect(ride.pilot.state == .running && ride.pilot.warning == nil)
        #expect(Double(ride.commands.count) > 2.5 * commandHz)
        for (last, next) in zip(ride.commands, ride.commands.dropFirst()) {
            #expect(abs(Double(next.timeNs - last.timeNs) - 1e9 / commandHz) <= 3)
            #expect(abs(next.step - last.step - controlHz / commandHz) < 1e-4)
            #expect(abs(Double(next.action[0]) - 3 * next.step) < 1e-3)
        }
    }
}

/// The order of stops and resumes.
@Suite struct StopOrderTests {
    private func code(_ check: () throws -> Void) -> MessageError.Code? {
        do {
            try check()
            return nil
        } catch {
            return (error as? MessageError)?.code
        }
    }

    @Test func aResumeNamesTheNewestStopOrComesOverItsConnection() {
        let (one, other): ([UInt8], [UInt8]) = ([1], [2])
        let stop = StopOrder(now: at(100), connection: one)
        let later = StopOrder(now: at(101), connection: other)
        #expect(later.number == stop.number + 1)
        #expect(code { try stop.check(seen: stop.number, by: other) } == nil)
        #expect(code { try stop.check(seen: .max, by: nil) } == nil)
        #expect(code { try later.check(seen: stop.number, by: one) } == .newerStop)
        #expect(
            code { try later.check(seen: stop.number, by: other) } == .newerStop,
            "a number counts, if there is one"
        )
        #expect(code { try stop.check(seen: nil, by: one) } == nil)
        #expect(code { try stop.check(seen: nil, by: other) } == .missingField)
        #expect(code { try StopOrder(now: at(100)).check(seen: nil, by: nil) } == .missingField)
        #expect(code { try StopOrder.none.check(seen: nil, by: one) } == nil)
    }

    @Test func numbersRiseFromDaemonToDaemon() {
        let now = StopOrder(now: .now()).number
        #expect(now > 1_700_000_000_000_000_000 && now <= Clock.wallNs() + 60_000_000_000)
    }

    @Test func everyWayToBeStoppedIsANewerStop() throws {
        var ride = try Ride()
        try ride.go(forMs: 500)
        func number() -> UInt64 { ride.pilot.stopOrder.number }
        #expect(number() == 0)
        _ = ride.pilot.stop("once", now: at(ride.nowNs))
        let first = number()
        try ride.go(forMs: 10)
        let isNew = ride.pilot.stop("again, though it is stopped", now: at(ride.nowNs))
        #expect(!isNew && number() > first)
        _ = ride.pilot.resume(now: at(ride.nowNs))
        let second = number()
        try ride.go(forMs: 300)
        ride.pilot.policyFailed("NaN", now: at(ride.nowNs))
        #expect(ride.pilot.state == .faulted && number() > second)
    }
}
