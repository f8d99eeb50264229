import Clocks
import Robotics
import Testing

@testable import Daemon
@testable import Piloting

@Suite struct PilotTests {
    @Test(arguments: [10, 50, 100], [UInt64(1), 30, 250])
    func eachTickHasItsCommandOnceAndInOrder(commandHz: Int, planningMs: UInt64) throws {
        var ride = try Ride(commandHz: commandHz)
        ride.planningNs = planningMs * 1_000_000
        try ride.go(forMs: 5000)
        let first = try #require(ride.commands.first)
        #expect(ride.states == [.running])
        #expect(first.step * 100 >= Double(planningMs) - 1)
        #expect(ride.commands.map(\.tick) == Array(first.tick..<first.tick + UInt64(ride.commands.count)))
        #expect(ride.commands.count >= (5000 - Int(planningMs) - 120) * commandHz / 1000)
        for command in ride.commands {
            #expect(command.step == Double(command.tick) * 10 / Double(commandHz))
            // The action of the step that the tick is in: none whose time has passed, none before its time.
            #expect(command.action == [Float(command.step.rounded(.down))])
            let meantNs = Ride.startNs - Ride.behindNs + UInt64(command.step * 1e8)
            #expect(command.timeNs.distance(to: meantNs).magnitude <= 1)
            #expect(command.sequence <= UInt64(command.step) && !command.isLimited)
        }
    }

    @Test func chunkTooLateForEveryActionIsNotUsed() throws {
        var ride = try Ride()
        ride.planningNs = 1_300_000_000
        try ride.go(forMs: 4000)
        #expect(ride.commands.isEmpty)
        #expect(ride.pilot.state == .idle)
    }

    @Test func planThatRunsOutIsHeldThenStopped() throws {
        var ride = try Ride(
            "actions: [{name: x, velocity: 100, acceleration: 40}]",
            "watchdogs: {stop_after_ms: 2000}"
        )
        try ride.go(forMs: 500)
        ride.doesPlan = false
        try ride.go(forMs: 1500)
        #expect(ride.states == [.running, .holding])
        let held = ride.commands.filter { $0.state == .holding }.map { $0.action[0] }
        #expect(Set(held.suffix(10)).count == 1, "at rest")
        #expect(ride.pilot.state == .holding)
        ride.doesPlan = true
        try ride.go(forMs: 900)
        #expect(ride.pilot.state == .running, "a chunk goes on")
        ride.doesPlan = false
        try ride.go(forMs: 5500)
        #expect(ride.pilot.state == .stopped)
        let count = ride.commands.count
        ride.doesPlan = true
        try ride.go(forMs: 1000)
        #expect(ride.commands.count == count, "nothing is sent to a stopped robot")
    }

    @Test func observationsThatStopAreHeld() throws {
        var ride = try Ride("watchdogs: {observation_ms: 300, stop_after_ms: never}")
        try ride.go(forMs: 500)
        #expect(ride.pilot.state == .running)
        ride.doesObserve = false
        try ride.go(forMs: 290)
        #expect(ride.pilot.state == .running)
        try ride.go(forMs: 100)
        #expect(ride.pilot.state == .holding)
        let count = ride.commands.count
        try ride.go(forMs: 60_000)
        #expect(ride.pilot.state == .holding, "it never stops by itself")
        #expect(ride.commands.count >= count + 2900)
        ride.doesObserve = true
        ride.step += 606
        try ride.go(forMs: 500)
        #expect(ride.pilot.state == .running)
    }

    @Test func clockThatGoesBackIsRefusedAndHeld() throws {
        var ride = try Ride()
        try ride.go(forMs: 500)
        let early = try ride.observation(ride.step, timeNs: 100)
        let error = #expect(throws: MessageError.self) {
            try ride.pilot.admit(early, received: at(ride.nowNs))
        }
        #expect(error?.code == .clockBackwards && error?.field == "time_ns")
        #expect(ride.pilot.state == .holding)
        // In another episode the clock is another.
        ride.episode = .number(2)
        let first = try ride.observation(0, timeNs: 100)
        let asks = try ride.observe(first)
        #expect(asks)
        #expect(ride.pilot.state == .idle)
    }

    /// The robot's clock stands still for longer than an observation is fresh: held, and put right by a new episode at once.
    @Test func clockThatStoodStillIsHeldUntilANewEpisode() throws {
        var ride = try Ride("watchdogs: {observation_ms: 300, stop_after_ms: never}")
        try ride.go(forMs: 1000)
        #expect(ride.pilot.state == .running)
        try ride.standStill(forMs: 400)
        try ride.go(forMs: 3000)
        #expect(ride.pilot.state == .holding)
        ride.episode = .number(2)
        try ride.go(forMs: 500)
        #expect(ride.pilot.state == .running)
    }

    @Test func brokenLimitStopsWhereTheFileSaysSo() throws {
        var ride = try Ride(
            "actions: [{name: x, position: [0, 20], velocity: 60}]",
            "on_violation: stop"
        )
        try ride.go(forMs: 700)
        #expect(ride.pilot.state == .running && ride.pilot.limitViolations == 0)
        // Control step 14 leaps from 14 to 19: too fast, and inside.
        ride.value = { $0 < 14 ? Float($0) : 19 }
        try ride.go(forMs: 2000)
        #expect(ride.pilot.state == .stopped)
        #expect(ride.pilot.limitViolations == 1)
        #expect(ride.commands.allSatisfy { $0.action[0] <= 14.5 }, "the command that breaks it is not sent")
        #expect(ride.pilot.refusal?.message.contains("x: velocity limit") == true)
    }

    @Test func chunkOutsideStopsBeforeItIsThere() throws {
        var ride = try Ride("actions: [{name: x, position: [0, 20]}]", "on_violation: stop")
        ride.value = { $0 == 2 ? 20.1 : 1 }
        try ride.go(forMs: 1000)
        #expect(ride.pilot.state == .stopped)
        #expect(ride.pilot.refusal?.message.contains("x is 20.1, expected 0.0 to 20.0") == true)
        #expect(ride.commands.isEmpty)
    }

    @Test func clampedCommandsSayThatTheyAre() throws {
        var ride = try Ride("actions: [{name: x, position: [0, 5]}]")
        try ride.go(forMs: 2000)
        #expect(ride.pilot.state == .running)
        #expect(ride.commands.last?.action == [5])
        #expect(ride.commands.allSatisfy { $0.action[0] <= 5 })
        #expect(ride.pilot.limitViolations > 0)
        var fast = try Ride("actions: [{name: x, velocity: 5}]")
        try fast.go(forMs: 1000)
        #expect(fast.commands.contains { $0.isLimited })
    }

    @Test func stopBrakesThenIsSilentUntilResume() throws {
        var ride = try Ride("actions: [{name: x, velocity: 200, acceleration: 100}]")
        try ride.go(forMs: 1000)
        let running = ride.commands.count
        let hasStopped = ride.pilot.stop("a stop was requested", now: at(ride.nowNs))
        #expect(hasStopped)
        let hasStoppedAgain = ride.pilot.stop("again", now: at(ride.nowNs))
        #expect(!hasStoppedAgain)
        try ride.go(forMs: 2000)
        let braking = ride.commands.dropFirst(running)
        #expect(braking.allSatisfy { $0.state == .holding })
        #expect((2...40).contains(braking.count), "as long as it takes to come to rest")
        #expect(ride.pilot.nextTick(after: at(ride.nowNs))?.unsignedNs == nil)
        var late = try ride.chunk(ride.step)
        let nowNs = ride.nowNs
        let refused = #expect(throws: MessageError.self) {
            try ride.pilot.receive(&late, isCarriedOut: false, now: at(nowNs))
        }
        #expect(refused?.code == .stopped)
        let stopped = ride.commands.count
        let hasResumed = ride.pilot.resume(now: at(ride.nowNs))
        #expect(hasResumed)
        let hasResumedAgain = ride.pilot.resume(now: at(ride.nowNs))
        #expect(!hasResumedAgain)
        #expect(ride.pilot.state == .idle)
        try ride.go(forMs: 500)
        #expect(ride.pilot.state == .running)
        #expect(ride.commands.count > stopped)
    }

    /// From where the robot says it is, not from where it was told to be before it was stopped.
    @Test func motionBeginsWhereTheRobotIs() throws {
        var ride = try Ride(
            "actions: [{name: x, velocity: 10}]",
            "feedback: {feature: observation.state}"
        )
        ride.state = -40
        try ride.go(forMs: 300)
        #expect(abs(try #require(ride.commands.first).action[0] - -40) < 0.21)
        _ = ride.pilot.stop("stop", now: at(ride.nowNs))
        try ride.go(forMs: 300)
        (ride.state, ride.commands) = (25, [])
        _ = ride.pilot.resume(now: at(ride.nowNs))
        try ride.go(forMs: 300)
        #expect(abs(try #require(ride.commands.first).action[0] - 25) < 0.21)
    }

    /// A new episode in the middle of a motion: the old one is brought to rest first.
    @Test func newEpisodeBeginsAtRest() throws {
        var ride = try Ride(
            "actions: [{name: x, velocity: 100, acceleration: 50}]",
            "feedback: {feature: observation.state}",
            commandHz: 100
        )
        ride.value = { Float($0) * 2 }
        try ride.go(forMs: 2000)
        let old = ride.commands.count
        (ride.episode, ride.step, ride.planningNs) = (.number(2), 0, 1_000_000)
        try ride.go(forMs: 2000)
        #expect(ride.pilot.state == .running)
        // Up to where the feedback counts, no change of speed is more than 50 / 100.
        let places = ride.commands.map { $0.action[0] }
        let leap = try #require((old..<places.count).first { abs(places[$0] - places[$0 - 1]) > 1 })
        #expect(places[leap - 1] == places[leap - 2], "it has come to rest")
        for index in old - 2..<leap - 1 {
            let change = places[index + 1] - 2 * places[index] + places[index - 1]
            #expect(abs(change) * 100 <= 0.51)
        }
        #expect(abs(places[leap]) < 0.5, "then it begins at 0")
    }

    @Test func onlyOneSessionSpeaksAtATime() throws {
        var ride = try Ride()
        try ride.go(forMs: 500)
        func code(of session: UInt64?, afterMs: UInt64) -> MessageError.Code? {
            var pilot = ride.pilot
            do {
                var other = try ride.observation(0)
                (other.session, other.episode) = (session, .number(9))
                try pilot.admit(other, received: at(ride.nowNs + afterMs * 1_000_000))
                return nil
            } catch let error as MessageError {
                return error.code
            } catch {
                return .planner
            }
        }
        #expect(code(of: 2, afterMs: 0) == .robotTaken)
        #expect(code(of: nil, afterMs: 800) == .robotTaken)
        #expect(code(of: 2, afterMs: 1000) == nil)
        #expect(code(of: 1, afterMs: 0) == nil)
        ride.pilot.endEpisode("the robot was reset", now: at(ride.nowNs))
        #expect(code(of: 2, afterMs: 0) == nil, "a reset frees it")
        ride.pilot.follow(Ride.policy, at: 0, reservedFor: 3, now: at(ride.nowNs))
        #expect(code(of: 2, afterMs: 999) == .robotTaken, "it is kept for who named a policy")
        #expect(code(of: 3, afterMs: 0) == nil)
        #expect(code(of: 2, afterMs: 1000) == nil)
        #expect(ride.pilot.policy(for: try ride.observation(0)) == nil, "but then no policy drives it")
    }

    /// A process that was started again counts from 0, in the same episode.
    @Test func newSessionBeginsAnEpisode() throws {
        var ride = try Ride()
        try ride.go(forMs: 1500)
        ride.doesObserve = false
        try ride.go(forMs: 1200)
        (ride.doesObserve, ride.session, ride.step, ride.commands) = (true, 2, 0, [])
        #expect(ride.pilot.isOfNewSession(try ride.observation(0)))
        try ride.go(forMs: 1000)
        #expect(ride.pilot.state == .running)
        #expect(try #require(ride.commands.last).step < 60)
        #expect(ride.pilot.status(now: at(ride.nowNs)).sequence < 30)
    }

    static let impossible: [(clock: String, sequence: UInt64, timeNs: UInt64, field: String)] = [
        ("own", (1 << 40) + 1, 0, "sequence"), ("own", .max, 0, "sequence"),
        ("own", 0, (1 << 62) + 1, "time_ns"), ("own", 0, .max, "time_ns"),
        ("monotonic", 0, 0, "time_ns"), ("monotonic", 0, Ride.startNs + 10_000_000_001, "time_ns"),
        ("monotonic", 0, Ride.startNs - 10_000_000_001, "time_ns"), ("wall", 0, 1000, "time_ns"),
    ]

    @Test(arguments: impossible.indices)
    func impossibleTimesAreRefused(index: Int) throws {
        let (clock, sequence, timeNs, field) = Self.impossible[index]
        var ride = try Ride("clock: \(clock)")
        let bad = try ride.observation(sequence, timeNs: timeNs)
        let error = #expect(throws: MessageError.self) { try ride.pilot.admit(bad, received: at(ride.nowNs)) }
        #expect(error?.code == .outOfRange && error?.field == field)
    }

    @Test func predictionIsNotWaitedForByCommands() throws {
        var ride = try Ride()
        let first = try ride.observation(0)
        try ride.pilot.admit(first, received: at(ride.nowNs))
        _ = ride.pilot.observe(first, isNew: true, isPublished: false, received: at(ride.nowNs))
        let asks = try ride.observe(ride.observation(1))
        #expect(asks, "the next one asks")
    }

    @Test func repeatsDoNotKeepARobotFresh() throws {
        var ride = try Ride("watchdogs: {observation_ms: 300}")
        try ride.go(forMs: 500)
        ride.doesObserve = false
        let newest = try ride.observation(ride.step - 1)
        for _ in 0..<5 {
            try ride.pilot.admit(newest, received: at(ride.nowNs))
            let asks = ride.pilot.observe(newest, isNew: false, received: at(ride.nowNs))
            #expect(!asks)
            try ride.go(forMs: 100)
        }
        #expect(ride.pilot.state == .holding)
    }

    @Test func failedPolicyIsAFaultUntilResume() throws {
        var ride = try Ride("actions: [{name: x, velocity: 100, acceleration: 100}]")
        try ride.go(forMs: 500)
        ride.pilot.policyFailed("NaN", now: at(ride.nowNs))
        #expect(ride.pilot.state == .faulted)
        try ride.go(forMs: 1000)
        let count = ride.commands.count
        try ride.go(forMs: 1000)
        #expect(ride.commands.count == count)
        #expect(ride.pilot.status(now: at(ride.nowNs)).reason == "NaN")
        let hasResumed = ride.pilot.resume(now: at(ride.nowNs))
        #expect(hasResumed)
        try ride.go(forMs: 500)
        #expect(ride.pilot.state == .running)
    }

    @Test func robotWithoutAFileGetsNoCommands() throws {
        var pilot = Pilot(
            robot: try id("arm2"),
            file: nil,
            strategy: .receding,
            policy: Ride.policy,
            now: at(0)
        )
        let ride = try Ride()
        let first = try ride.observation(0, timeNs: .max)
        try pilot.admit(first, received: at(5))
        let asks = pilot.observe(first, isNew: true, received: at(5))
        #expect(asks)
        let asksAgain = pilot.observe(first, isNew: false, received: at(5))
        #expect(asksAgain)
        var chunk = try ride.chunk(0)
        try pilot.receive(&chunk, isCarriedOut: true, now: at(6))
        #expect(pilot.state == .running && pilot.mayBeForgotten)
        let command = pilot.tick(now: at(7))
        #expect(pilot.nextTick(after: at(7))?.unsignedNs == nil && command == nil)
        pilot.policyFailed("x", now: at(8))
        #expect(pilot.state == .running)
        let hasStopped = pilot.stop("x", now: at(9))
        #expect(hasStopped && !pilot.mayBeForgotten)
    }

    /// Anything in any order: nothing traps, and what is sent keeps the limits. Most rides have commands in each tenth of their
    /// events, so the rules are tried over the whole length.
    @Test(arguments: 0..<4)
    func `random events keep the rules`(part: UInt64) throws {
        var whole = 0
        for seed in 10 * part..<10 * part + 10 {
            let commands = try checkRandomEvents(seed: seed)
            whole += commands.allSatisfy { $0 > 0 } ? 1 : 0
        }
        #expect(whole >= 8, "rides of 10 that had commands to their end")
    }

    /// Checks a ride of 3000 events, and returns how many commands it had in each tenth.
    private func checkRandomEvents(seed: UInt64) throws -> [Int] {
        var random = try RandomRide(seed: seed)
        var (commands, braking) = ([Int](repeating: 0, count: 10), 0)
        for event in 0..<3000 {
            try random.happen()
            let (nowNs, state) = (random.ride.nowNs, random.ride.pilot.state)
            // A robot that a person holds is told to stay, without end.
            let isHalted = state == .stopped || state == .faulted
            if let nextNs = random.ride.pilot.nextTick(after: at(nowNs))?.unsignedNs {
                #expect(nextNs > nowNs)
            }
            guard let command = random.tick() else { continue }
            commands[event / 300] += 1
            #expect(RandomRide.position.contains(command.action[0]), "\(command)")
            let second = random.tick()
            #expect(second == nil, "one a tick")
            braking = isHalted ? braking + 1 : 0
            #expect(Double(braking) <= RandomRide.longestBraking * Double(random.commandHz) + 3)
            #expect(command.state == (random.ride.pilot.state == .running ? .running : .holding))
        }
        try random.end()
        #expect(random.ride.pilot.nextTick(after: at(random.ride.nowNs)) == nil)
        let last = random.tick(afterNs: 1_000_000_000)
        #expect(last == nil)
        return commands
    }
}
