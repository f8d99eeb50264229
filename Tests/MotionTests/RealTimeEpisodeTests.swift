import Testing

@testable import Motion

/// Whole episodes on the virtual clock, with a planner that takes as long as it is told to.
@Suite struct RealTimeEpisodeTests {
    /// What a planner saw and a robot did.
    final class Log {
        /// Observations as they reached the planner, those that ask for no chunk included.
        var observed: [UInt64] = []
        /// The observations that asked.
        var asked: [UInt64] = []
        /// For each control step what was carried out.
        var actions: [ActionPlan.Action?] = []
        var receptions: [ChunkSchedule.Reception] = []
        /// What the observations that asked said would be carried out.
        var committed: [UInt64: [Float]] = [:]

        /// The steps in which the robot held.
        var held: [Int] { actions.indices.filter { actions[$0] == nil } }
    }

    /// Runs an episode of `steps` control steps of 100 ms.
    ///
    /// - Parameter latency: how long planning takes for an observation; nil: its chunk never comes.
    static func run(
        _ mode: ChunkSchedule.Mode,
        steps: Int = 60,
        delay: Duration = .zero,
        guess: Duration,
        strategy: ChunkStrategy = .blend,
        latency: @escaping (UInt64) -> Duration?
    ) throws -> Log {
        let log = Log()
        let line = VirtualClockLine(
            plan: { observation in
                log.observed.append(observation.sequence)
                log.asked.append(observation.sequence)
                log.committed[observation.sequence] = observation.committed?.values
                let time = latency(observation.sequence)
                // A chunk of another episode is one that never comes.
                let chunk = try chunk(
                    observation.sequence,
                    episode: time == nil ? .number(0) : observation.episode,
                    planning: time ?? .zero
                )
                return (chunk, time ?? .zero)
            },
            observe: { log.observed.append($0.sequence) }
        )
        var episode = RealTimeEpisode(
            on: line,
            settings: .init(
                mode: mode,
                period: .milliseconds(100),
                actionSteps: 8,
                predictedSteps: 15,
                strategy: strategy
            ),
            delay: delay,
            latency: LatencyEstimate(guess)
        )
        try episode.run(
            observe: { try observation($0, replan: $1 != nil, committed: $1?.committed) },
            act: { tick in
                #expect(tick.lateness == .zero)
                log.actions.append(tick.action)
                log.receptions += tick.arrived.map(\.reception)
                return log.actions.count == steps
            }
        )
        return log
    }

    static let latencies = [0, 17, 99, 100, 101, 250, 580]
    static let delays = [0, 100, 130, 500]

    @Test(arguments: latencies, delays)
    func asynchronousHandsOverWithoutAPause(latency: Int, delay: Int) throws {
        let total = Duration.milliseconds(latency + delay)
        let log = try Self.run(.asynchronous, delay: .milliseconds(delay), guess: total) { _ in
            .milliseconds(latency)
        }
        let lead = max((latency + delay + 99) / 100, 1)
        // A chunk is carried out for 8 steps, or to its end, but the planner must be able to keep up.
        let stride = max(min(8, 15 - lead), (latency + 99) / 100)
        let held = (0..<60).filter { $0 < lead || ($0 - lead) % stride >= 15 - lead }
        #expect(log.held == held, "until the first chunk can be there, and where the next cannot")
        #expect(log.receptions.allSatisfy { $0 == .joined })
        for (step, action) in log.actions.enumerated() {
            guard let action else { continue }
            #expect(action.values[0] == Float(step), "an action is carried out in the step it was meant for")
        }
        #expect(log.observed == Array(0..<UInt64(log.observed.count)), "observations arrive in order")
        #expect(zip(log.asked, log.asked.dropFirst()).allSatisfy { Int($1 - $0) == stride }, "\(log.asked)")
    }

    /// What the planner was told is what the robot did.
    @Test(arguments: latencies, delays)
    func `inpaint carries out what it named`(latency: Int, delay: Int) throws {
        let total = Duration.milliseconds(latency + delay)
        let log = try Self.run(
            .asynchronous,
            delay: .milliseconds(delay),
            guess: total,
            strategy: .inpaint
        ) { _ in .milliseconds(latency) }
        let lead = max((latency + delay + 99) / 100, 1)
        #expect(log.committed.count > 2)
        var checked = 0
        for (step, committed) in log.committed {
            let steps = min(Int(step) + lead, 60)
            // With several chunks under way, one that arrives in between changes the plan.
            guard lead < 8, steps > Int(step) else { continue }
            #expect(committed.count == 2 * lead)
            let done = log.actions[Int(step)..<steps].flatMap { $0?.values ?? [] }
            #expect(Array(committed.prefix(done.count)) == done, "step \(step)")
            checked += done.count
        }
        #expect(lead >= 8 || checked > 4, "numbers that were compared: \(checked)")
    }

    @Test(arguments: latencies, delays)
    func synchronousHoldsWhileItWaits(latency: Int, delay: Int) throws {
        let total = Duration.milliseconds(latency + delay)
        let log = try Self.run(.synchronous, delay: .milliseconds(delay), guess: total) { _ in
            .milliseconds(latency)
        }
        let lead = max((latency + delay + 99) / 100, 1)
        let cycle = lead + min(8, 15 - lead)
        #expect(log.held == (0..<60).filter { $0 % cycle < lead })
        for (step, action) in log.actions.enumerated() {
            guard let action else { continue }
            #expect(action.values == [Float(step), Float(step / cycle * cycle)], "no fade out of a stop")
        }
    }

    @Test func lateChunkIsWaitedForWithTheActionsBeyond() throws {
        let log = try Self.run(.asynchronous, guess: .milliseconds(50)) {
            $0 == 8 ? .milliseconds(350) : .milliseconds(50)
        }
        #expect(log.held == [0])
        #expect(log.asked.prefix(2) == [0, 8])
        #expect((9...11).allSatisfy { log.actions[$0]?.values[1] == 0 && log.actions[$0]?.isBeyond == true })
        #expect(log.actions[12]?.values[1] != 0, "the chunk arrived at 1150 ms")
    }

    @Test func robotHoldsWhereAChunkNeverComesAndAsksAgain() throws {
        let log = try Self.run(.asynchronous, guess: .milliseconds(50)) { $0 == 8 ? nil : .milliseconds(50) }
        #expect(log.asked.prefix(3) == [0, 8, 16], "when the chunk that was counted on would be spent")
        #expect(log.held == [0, 15, 16])
        #expect(log.actions[17]?.values == [17, 16])
    }

    @Test func firstGuessMayBeWrong() throws {
        let log = try Self.run(.asynchronous, guess: .milliseconds(1)) { _ in .milliseconds(320) }
        #expect(log.held == [0, 1, 2, 3], "and the actions beyond cover what is asked for too late")
    }

    @Test func observationArrivesLateByItsDelay() throws {
        let log = try Self.run(.asynchronous, steps: 10, delay: .milliseconds(250), guess: .milliseconds(300))
        { _ in
            .milliseconds(50)
        }
        #expect(log.observed == Array(0...6), "that of step 7 is made at 700 ms, and would arrive at 950 ms")
    }
}

@Suite struct VirtualClockLineTests {
    @Test func plannerDoesOneChunkAtATimeAndTakesTheNewestThatWaits() throws {
        var line = VirtualClockLine(
            plan: { (try chunk($0.sequence), .milliseconds(300)) },
            observe: { _ in }
        )
        line.start()
        var arrived: [(UInt64, Duration)] = []
        for step: UInt64 in 0..<9 {
            try line.publish(observation(step, replan: step < 4))
            while let next = line.nextChunk(until: .milliseconds(100) * Int(step + 1)) {
                arrived.append((next.chunk.sequence, next.time))
                #expect(line.now == next.time)
            }
            #expect(line.now == .milliseconds(100) * Int(step + 1))
        }
        // The planner is busy with 0 until 300 ms; 1 gives way to 2, and 3 finds it idle just then.
        #expect(arrived.map(\.0) == [0, 2, 3])
        #expect(arrived.map(\.1) == [.milliseconds(300), .milliseconds(600), .milliseconds(900)])
    }

    @Test func startForgetsWhatIsUnderWay() throws {
        var line = VirtualClockLine(plan: { (try chunk($0.sequence), .milliseconds(50)) }, observe: { _ in })
        line.start()
        try line.publish(observation(0, replan: true))
        line.start()
        #expect(line.nextChunk(until: .seconds(1)) == nil)
        #expect(line.now == .seconds(1))
    }
}
