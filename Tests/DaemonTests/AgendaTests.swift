import Robotics
import Sampling
import RobotDescription
import Testing

@testable import Daemon
@testable import Planning

/// The rules of histories, staleness, superseding and turns, without sockets.
@Suite struct AgendaTests {
    static func agenda(
        nObsSteps: Int = 3,
        robots: Int = 4,
        predictions: Int = 3,
        files: [RobotFile] = []
    ) -> Agenda {
        var configuration = DaemonConfiguration()
        configuration.robots = files
        configuration.maximumRobots = robots
        configuration.maximumWaitingPredictions = predictions
        return Agenda(emptyHistories: [emptyHistory(nObsSteps: nObsSteps)], settings: configuration.agenda)
    }

    static let client = PlanningJob.Destination.client(route: [[1]], number: nil)

    static func firsts(_ job: PlanningJob?) -> [Float]? {
        (job?.history).map(firstNumbers)
    }

    /// Plans what waits and returns the observations it was planned from.
    static func plan(_ agenda: inout Agenda) -> [Float]? {
        let job = agenda.next().first
        if let job { _ = agenda.finish(job) }
        return firsts(job)
    }

    @discardableResult
    static func receive(
        _ agenda: inout Agenda,
        _ observation: RobotObservation,
        for destination: PlanningJob.Destination = .topic,
        receivedNs: UInt64 = 1
    ) throws -> Agenda.Reception {
        let fitting = try agenda.check(observation)
        let reception = try agenda.receive(fitting, for: destination, received: at(receivedNs))
        if observation.replan ?? true || destination != .topic {
            agenda.ask(
                for: observation,
                destination: destination,
                committed: observation.committed,
                received: at(receivedNs),
                queued: at(2)
            )
        }
        return reception
    }

    static func reset(
        _ agenda: inout Agenda,
        robot: String = "arm1",
        episode: EpisodeID? = nil
    ) throws -> [PlanningJob]? {
        agenda.reset(try id(robot), episode: episode)
    }

    @Test(
        arguments: [
            (
                ["observation.state": nil], .missingFeature, "observation.observation.state",
                "missing; the policy expects observation.state [2], observation.environment_state [3]"
            ),
            (
                ["observation.state": [1]], .badArray, "observation.observation.state",
                "1 numbers, expected 2"
            ),
            (
                ["observation.environment_state": [1, .nan, 3]], .notFinite,
                "observation.observation.environment_state", "element 1 is nan, expected a finite number"
            ),
            (
                ["b\n": [1], "c": [2]], .unknownFeature, "observation",
                "2 unknown, the first \"b?\"; the policy expects observation.state [2], "
                    + "observation.environment_state [3]"
            ),
        ] as [([String: [Float]?], MessageError.Code, String, String)]
    )
    func anObservationThatDoesNotFitIsNamed(
        changes: [String: [Float]?],
        code: MessageError.Code,
        field: String,
        text: String
    ) throws {
        let agenda = Self.agenda()
        var spoilt = try observation(0, first: 1)
        for (name, values) in changes { spoilt.values[name] = values }
        let fitting = try observation(0, first: 1)
        let expected = MessageError(code, field: field, text)
        #expect(throws: expected) { try agenda.check(spoilt) }
        #expect(throws: expected) {
            try agenda.check(fitting, preceding: [fitting.observed, spoilt.observed])
        }
    }

    @Test func historyIsPaddedWithTheFirstAndSlides() throws {
        var agenda = Self.agenda()
        try Self.receive(&agenda, observation(0, first: 10))
        #expect(Self.plan(&agenda) == [10, 10, 10])
        try Self.receive(&agenda, observation(1, first: 11, replan: false))
        #expect(Self.plan(&agenda) == nil)
        try Self.receive(&agenda, observation(2, first: 12))
        #expect(Self.plan(&agenda) == [10, 11, 12])
        try Self.receive(&agenda, observation(7, first: 13))
        #expect(Self.plan(&agenda) == [11, 12, 13])
    }

    @Test func historyIsThatOfTheObservationAnswered() throws {
        var agenda = Self.agenda()
        try Self.receive(&agenda, observation(0, first: 10))
        try Self.receive(&agenda, observation(1, first: 11, replan: false))
        let job = agenda.next().first
        #expect(job?.sequence == 0)
        #expect(Self.firsts(job) == [10, 10, 10])
    }

    @Test func newestWins() throws {
        var agenda = Self.agenda()
        for sequence in 0..<5 {
            try Self.receive(&agenda, observation(UInt64(sequence), first: Float(sequence)))
        }
        #expect(agenda.superseded == 4)
        #expect(Self.plan(&agenda) == [2, 3, 4])
        #expect(Self.plan(&agenda) == nil)
    }

    @Test func olderIsStaleAndChangesNothing() throws {
        var agenda = Self.agenda()
        try Self.receive(&agenda, observation(5, first: 5))
        let error = #expect(throws: MessageError.self) { try Self.receive(&agenda, observation(4, first: 4)) }
        #expect(error?.code == .stale)
        #expect(Self.plan(&agenda) == [5, 5, 5])
        try Self.receive(&agenda, observation(6, first: 6))
        #expect(Self.plan(&agenda) == [5, 5, 6])
    }

    @Test func repeatIsPlannedAgainFromTheSameHistoryAndSeed() throws {
        var agenda = Self.agenda()
        try Self.receive(&agenda, observation(0, first: 10, noiseSeed: nil))
        let first = try #require(agenda.next().first)
        // While the first is in flight, its chunk answers both.
        #expect(try Self.receive(&agenda, observation(0, first: 10, noiseSeed: nil)) == .duplicate)
        let isWanted = agenda.finish(first)
        #expect(isWanted)
        #expect(Self.plan(&agenda) == nil)
        #expect(try Self.receive(&agenda, observation(0, first: 99, noiseSeed: nil)) == .duplicate)
        let again = try #require(agenda.next().first)
        #expect(Self.firsts(again) == [10, 10, 10])
        #expect(again.noiseSeed == first.noiseSeed)
        _ = agenda.finish(again)
        try Self.receive(&agenda, observation(0, first: 10, replan: false))
        #expect(Self.plan(&agenda) == nil)
        try Self.receive(&agenda, observation(1, first: 11))
        #expect(Self.plan(&agenda) == [10, 10, 11])
        #expect(agenda.superseded == 0)
    }

    @Test func newEpisodeStartsAfreshWhateverItsSequence() throws {
        var agenda = Self.agenda()
        try Self.receive(&agenda, observation(50, first: 1))
        try Self.receive(&agenda, observation(0, first: 2, episode: .number(2), replan: false))
        #expect(Self.plan(&agenda) == nil, "the old episode's chunk is not wanted any more")
        #expect(agenda.superseded == 1)
        try Self.receive(&agenda, observation(1, first: 3, episode: .number(2)))
        #expect(Self.plan(&agenda) == [2, 2, 3])
        try Self.receive(&agenda, observation(0, first: 4, episode: .name("2")))
        #expect(Self.plan(&agenda) == [4, 4, 4])
    }

    @Test func resetForgetsHistoryAndWorkInFlight() throws {
        var agenda = Self.agenda()
        #expect(try Self.reset(&agenda, episode: nil) == nil)
        try Self.receive(&agenda, observation(5, first: 5), for: Self.client)
        let planned = try #require(agenda.next().first)
        try Self.receive(&agenda, observation(6, first: 6), for: Self.client)
        try Self.receive(&agenda, observation(6, first: 7, robot: "arm2"))
        #expect(try Self.reset(&agenda, episode: .number(9)) == nil)
        let dropped = try #require(try Self.reset(&agenda, episode: .number(1)))
        #expect(Set(dropped.map(\.sequence)) == [5, 6])
        #expect(agenda.unansweredPredictions.isEmpty)
        let isWanted = agenda.finish(planned)
        #expect(!isWanted, "what was in flight was reset")
        #expect(Self.plan(&agenda) == [7, 7, 7])
        #expect(Self.plan(&agenda) == nil)
        try Self.receive(&agenda, observation(0, first: 1))
        #expect(Self.plan(&agenda) == [1, 1, 1])
    }

    @Test func robotsTakeTurns() throws {
        var agenda = Self.agenda()
        var planned: [String] = []
        for round in 0..<3 {
            for robot in ["a", "b", "c"] {
                // Robot a floods.
                for repetition in 0..<(robot == "a" ? 10 : 1) {
                    let sequence = UInt64(round * 10 + repetition)
                    try Self.receive(&agenda, observation(sequence, first: 0, robot: robot))
                }
            }
            while let job = agenda.next().first {
                planned.append(job.robot.text)
                _ = agenda.finish(job)
            }
        }
        #expect(planned == ["a", "b", "c", "a", "b", "c", "a", "b", "c"])
    }

    @Test func robotsArePlannedTogetherAsTheRuleSays() throws {
        var agenda = Self.agenda(robots: 6)
        for robot in ["a", "b", "c", "d", "e"] {
            try Self.receive(&agenda, observation(0, first: 1, robot: robot))
        }
        // A second job of the first robot, which is not planned together with its first.
        try Self.receive(&agenda, observation(1, first: 2, robot: "a"), for: Self.client)
        var asked: [Int] = []
        func next() -> [PlanningJob] {
            agenda.next { _, waiting in
                asked.append(waiting)
                return 3
            }
        }
        let group = next()
        #expect(group.map(\.robot.text) == ["a", "b", "c"])
        #expect(group.allSatisfy { $0.groupsWaiting == 1 })
        #expect(next().isEmpty, "one group at a time")
        #expect(try Self.reset(&agenda, robot: "b")?.count == 1)
        let wanted = group.map { agenda.finish($0) }
        #expect(wanted == [true, false, true])
        let rest = next()
        #expect(rest.map(\.robot.text) == ["d", "e", "a"])
        #expect(rest.allSatisfy { $0.groupsWaiting == 0 })
        let restWanted = rest.map { agenda.finish($0) }
        #expect(restWanted == [true, true, true])
        #expect(next().isEmpty)
        #expect(asked == [5, 3])
    }

    @Test(
        arguments: [
            // In turn 8 chunks of 91 ms are there after 410 ms in the mean, together after 400.
            (8, nil, 8), (2, nil, 1), (1, nil, 1), (9, nil, 8),
            // Two have time enough in turn, three have not.
            (2, 200, 1), (3, 200, 3), (1, 20, 1), (8, 20, 8), (100, 20, 8),
            // All have time enough in turn, and are served sooner together all the same.
            (8, 1000, 8), (6, 1000, 1),
        ] as [(waiting: Int, budgetMs: UInt64?, size: Int)]
    )
    func robotsAreGroupedWhereTheyAreServedSooner(waiting: Int, budgetMs: UInt64?, size: Int) {
        let grouping = Grouping(togetherNs: [91, 220, 240, 260, 290, 320, 360, 400].map { $0 * 1e6 })
        #expect(grouping.size(waiting: waiting, budgetNs: budgetMs.map { $0 * 1_000_000 }) == size)
    }

    /// A pass takes 10, and 1 for each sample.
    @Test func aGroupTakesWhatThePassesOfItsChunksTakeTogether() {
        let times = ForwardTimes(nanoseconds: (1...6).map { 10 + Double($0) })
        func grouping(_ chunks: [[Int]]) -> [Double] {
            Grouping(chunks: chunks, times: times, largestBatch: 6, most: 3).togetherNs
        }
        #expect(grouping([[1, 1, 1, 1]]) == [44, 48, 52])
        // Two samples in each of two passes, then one; and three in one pass.
        let alone = (12 + 12 + 11 + 13.0) / 2
        let two = 15 + 12 + 11.0
        // Both that are alike, or the other one twice. A batch of 7 or 8 is cut: 6, and what is left.
        let three = ((16 + 11) + 14 + 12.0 + (16 + 12) + 12 + 11.0) / 2
        #expect(grouping([[2, 2, 1], [3]]) == [alone, two, three])
    }

    @Test func oneRobotsPredictionsDoNotHoldUpAnother() throws {
        var agenda = Self.agenda()
        for sequence in 0..<3 {
            try Self.receive(&agenda, observation(UInt64(sequence), first: 0, robot: "a"), for: Self.client)
        }
        try Self.receive(&agenda, observation(0, first: 0, robot: "b"))
        var planned: [String] = []
        while let job = agenda.next().first {
            planned.append("\(job.robot)\(job.sequence)")
            _ = agenda.finish(job)
        }
        #expect(planned == ["a0", "b0", "a1", "a2"])
    }

    /// Plans until nothing waits; a job is told by robot and sequence number. `after` is called when one is done.
    static func order(
        _ agenda: inout Agenda,
        most: Int = 100,
        after: (inout Agenda, PlanningJob) throws -> Void = { _, _ in }
    ) rethrows -> [String] {
        var planned: [String] = []
        while planned.count < most, let job = agenda.next().first {
            planned.append("\(job.robot)\(job.sequence)")
            _ = agenda.finish(job)
            try after(&agenda, job)
        }
        return planned
    }

    @Test(arguments: [false, true])
    func aRobotsOwnObservationComesBeforePredictionsForIt(hasFile: Bool) throws {
        var agenda = Self.agenda(files: hasFile ? [try RobotDaemonTests.file("robot: a")] : [])
        for sequence in 0..<UInt64(3) {
            try Self.receive(&agenda, observation(sequence, first: 0, robot: "a"), for: Self.client)
        }
        try Self.receive(&agenda, observation(3, first: 0, robot: "a"))
        // Each chunk that the robot gets has it ask for the next one.
        let planned = try Self.order(&agenda, most: 8) { agenda, job in
            guard job.destination == .topic else { return }
            try Self.receive(&agenda, observation(job.sequence + 1, first: 0, robot: "a"))
        }
        let expected =
            hasFile
            ? ["a3", "a4", "a5", "a6", "a7", "a8", "a9", "a10"]
            : ["a3", "a0", "a4", "a1", "a5", "a2", "a6", "a7"]
        #expect(planned == expected)
    }

    @Test func robotsWithCommandsComeBeforeOthers() throws {
        var agenda = Self.agenda(robots: 6, files: [try RobotDaemonTests.file("robot: c")])
        for robot in ["a", "b"] { try Self.receive(&agenda, observation(0, first: 0, robot: robot)) }
        try Self.receive(&agenda, observation(0, first: 0, robot: "c"), for: Self.client)
        try Self.receive(&agenda, observation(1, first: 0, robot: "c"))
        try Self.receive(&agenda, observation(0, first: 0, robot: "d"), for: Self.client)
        // Those behind it take no part of its time.
        let first = agenda.next { _, waiting in waiting }
        #expect(first.map(\.robot.text) == ["c"])
        #expect(first.map(\.destination) == [.topic])
        #expect(first.map(\.groupsWaiting) == [0])
        for job in first { _ = agenda.finish(job) }
        #expect(try Self.order(&agenda) == ["a0", "b0", "c0", "d0"])

        // A file without an id is for every robot.
        agenda = Self.agenda(files: [try RobotDaemonTests.file()])
        try Self.receive(&agenda, observation(0, first: 0, robot: "a"), for: Self.client)
        try Self.receive(&agenda, observation(0, first: 0, robot: "b"))
        #expect(try Self.order(&agenda) == ["b0", "a0"])
    }

    @Test func robotsWithCommandsDoNotStarveOthersForEver() throws {
        var agenda = Self.agenda(files: [try RobotDaemonTests.file("robot: a")])
        try Self.receive(&agenda, observation(0, first: 0, robot: "a"))
        for sequence in 0..<UInt64(2) {
            try Self.receive(&agenda, observation(sequence, first: 0, robot: "b"), for: Self.client)
        }
        let planned = try Self.order(&agenda, most: 20) { agenda, job in
            guard job.robot.text == "a" else { return }
            try Self.receive(&agenda, observation(job.sequence + 1, first: 0, robot: "a"))
        }
        let others = planned.indices.filter { planned[$0].hasPrefix("b") }
        #expect(others == [Turns.mostInARow, 2 * Turns.mostInARow + 1])
    }

    @Test func whatANewEpisodeOvertakesHasNoTurn() throws {
        var agenda = Self.agenda(files: [try RobotDaemonTests.file("robot: a")])
        for robot in ["a", "b"] {
            try Self.receive(&agenda, observation(0, first: 0, robot: robot), for: Self.client)
            try Self.receive(&agenda, observation(1, first: 0, robot: robot))
            let next = try observation(0, first: 0, robot: robot, episode: .number(2), replan: false)
            try Self.receive(&agenda, next)
        }
        #expect(try Self.order(&agenda) == ["a0", "b0"])
        #expect(agenda.next().isEmpty)
    }

    @Test func predictionsAreAllAnsweredUpToABound() throws {
        var agenda = Self.agenda(predictions: 2)
        try Self.receive(&agenda, observation(0, first: 0, replan: false), for: Self.client)
        try Self.receive(&agenda, observation(1, first: 1), for: Self.client)
        let error = #expect(throws: MessageError.self) {
            try Self.receive(&agenda, observation(2, first: 2), for: Self.client)
        }
        #expect(error?.code == .busy)
        #expect(agenda.unansweredPredictions.count == 2)
        #expect(Self.plan(&agenda) == [0, 0, 0])
        #expect(agenda.unansweredPredictions.count == 1)
        try Self.receive(&agenda, observation(2, first: 2), for: Self.client)
        #expect(Self.plan(&agenda) == [0, 0, 1])
        #expect(Self.plan(&agenda) == [0, 1, 2])
        #expect(Self.plan(&agenda) == nil)
    }

    @Test func leastRecentRobotIsForgotten() throws {
        var agenda = Self.agenda(robots: 3, predictions: 1)
        for robot in ["a", "b", "c"] { try Self.receive(&agenda, observation(0, first: 1, robot: robot)) }
        try Self.receive(&agenda, observation(1, first: 2, robot: "a", replan: false))
        // While all are at work, there is no room.
        let error = #expect(throws: MessageError.self) {
            try Self.receive(&agenda, observation(0, first: 1, robot: "d"))
        }
        #expect(error?.code == .busy)
        try Self.receive(&agenda, observation(0, first: 1, robot: "d"), receivedNs: 2_000_000_000)
        #expect(agenda.robotCount == 3)
        var planned: [String] = []
        while let job = agenda.next().first {
            planned.append(job.robot.text)
            _ = agenda.finish(job)
        }
        #expect(planned == ["a", "c", "d"])
        // Robot b is new again: its old sequence number does not make it stale.
        try Self.receive(&agenda, observation(0, first: 3, robot: "b"), receivedNs: 4_000_000_000)
        #expect(Self.plan(&agenda) == [3, 3, 3])
    }

    /// The values that docs/PROTOCOL.md and its formula give.
    @Test func noiseSeedIsAsDocumented() throws {
        let arm1 = try id("arm1")
        #expect(
            NoiseSeed.derived(from: 0, robot: arm1, episode: .number(7), sequence: 8)
                == 11_858_078_140_823_481_186
        )
        #expect(
            NoiseSeed.derived(from: 1, robot: try id("b"), episode: .name("x"), sequence: 1 << 63)
                == 8_283_364_244_579_951_434
        )
    }

    @Test func logLimiterCountsWhatItLeavesOut() {
        var limiter = LogLimiter<String>(intervalNs: 100)
        #expect(limiter.admit("a", now: at(0)) == 0)
        #expect(limiter.admit("a", now: at(50)) == nil)
        #expect(limiter.admit("b", now: at(60)) == 0)
        #expect(limiter.admit("a", now: at(99)) == nil)
        #expect(limiter.admit("a", now: at(100)) == 2)
        #expect(limiter.admit("a", now: at(200)) == 0)
    }
}
