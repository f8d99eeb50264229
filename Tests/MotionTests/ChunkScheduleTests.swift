import Foundation
import Robotics
import Testing

@testable import Motion

@Suite struct ChunkScheduleTests {
    static func schedule(
        _ mode: ChunkSchedule.Mode,
        _ strategy: ChunkStrategy = .receding,
        latency: Duration = .milliseconds(20)
    ) -> ChunkSchedule {
        ChunkSchedule(
            .init(
                mode: mode,
                period: .milliseconds(100),
                actionSteps: 8,
                predictedSteps: 15,
                strategy: strategy
            ),
            latency: LatencyEstimate(latency),
            planning: .milliseconds(20)
        )
    }

    /// The steps whose observations ask, where nothing arrives.
    static func asking(_ schedule: inout ChunkSchedule, in steps: ClosedRange<UInt64>) -> [UInt64] {
        var asking: [UInt64] = []
        for step in steps where schedule.request(at: step) != nil { asking.append(step) }
        return asking
    }

    @Test func whatDoesNotComeIsAskedForAgain() {
        var schedule = Self.schedule(.synchronous)
        #expect(Self.asking(&schedule, in: 0...30) == [0, 14, 28])
        #expect(schedule.action(at: 30) == nil)
    }

    @Test func synchronousAsksWhenTheActionsHaveRunOut() throws {
        var schedule = Self.schedule(.synchronous)
        try schedule.receive(chunk(0), latency: .milliseconds(20), before: 1)
        #expect(Self.asking(&schedule, in: 1...9) == [9])
        #expect((1...9).map { schedule.action(at: $0) != nil } == (1...9).map { $0 < 9 })
    }

    /// Latency in ms, and which step asks for the chunk after one that took over with step 1.
    @Test(arguments: [(20, 8), (100, 8), (101, 7), (250, 6), (799, 1)] as [(Int, UInt64)])
    func asynchronousAsksAheadByTheLatency(milliseconds: Int, expected: UInt64) throws {
        var schedule = Self.schedule(.asynchronous)
        try schedule.receive(chunk(0), latency: .milliseconds(milliseconds), before: 1)
        #expect(Self.asking(&schedule, in: 1...9).first == expected)
    }

    @Test func asynchronousGoesOnBeyond() throws {
        var schedule = Self.schedule(.asynchronous)
        try schedule.receive(chunk(0), latency: .milliseconds(20), before: 1)
        #expect((1...14).map { schedule.action(at: $0)?.isBeyond } == (1...14).map { $0 >= 8 })
        #expect(schedule.action(at: 15) == nil)
    }

    /// Encoding frames is part of planning.
    @Test(arguments: [(450, nil), (150, 300)] as [(Int, Int?)])
    func plannerIsNotAskedFasterThanItPlans(sampling: Int, vision: Int?) throws {
        var schedule = Self.schedule(.asynchronous, latency: .milliseconds(1450))
        try schedule.receive(
            chunk(0, planning: .milliseconds(sampling), vision: vision.map { .milliseconds($0) }),
            latency: .milliseconds(1450),
            before: 15
        )
        #expect(Self.asking(&schedule, in: 15...30) == [15, 20, 25, 30])
    }

    @Test func ensembleAsksAtEveryStepThatThePlannerCanPlanFor() throws {
        var schedule = Self.schedule(.asynchronous, .ensemble)
        try schedule.receive(chunk(0), latency: .milliseconds(20), before: 1)
        #expect(Self.asking(&schedule, in: 1...5) == [1, 2, 3, 4, 5])
        try schedule.receive(
            chunk(5, planning: .milliseconds(250)),
            latency: .milliseconds(250),
            before: 8
        )
        #expect(Self.asking(&schedule, in: 8...14) == [8, 11, 14])
        let mean = try #require(schedule.action(at: 9)?.values[1])
        #expect(abs(mean - 5 * exp(-0.01) / (1 + exp(-0.01))) < 1e-5, "of 0 and 5")
    }

    /// Latency in ms, the step that asks, and the steps whose actions it names: those before the chunk can take over.
    @Test(
        arguments: [(20, 8, 1), (101, 7, 2), (250, 6, 3), (799, 1, 8)] as [(Int, UInt64, UInt64)]
    )
    func inpaintNamesWhatWillBeCarriedOut(milliseconds: Int, asking: UInt64, count: UInt64) throws {
        var schedule = Self.schedule(.asynchronous, .inpaint)
        #expect(schedule.request(at: 0) == ChunkRequest(step: 0, committed: nil), "nothing is planned yet")
        try schedule.receive(chunk(0), latency: .milliseconds(milliseconds), before: 1)
        let request = (1...8).compactMap { schedule.request(at: $0) }.first
        let committed: [Float] = (asking..<asking + count).flatMap { step -> [Float] in [Float(step), 0] }
        #expect(request == ChunkRequest(step: asking, committed: ActionRows(committed, actionDim: 2)))
    }

    @Test func inpaintNamesNoMoreThanIsPlanned() throws {
        var schedule = Self.schedule(.asynchronous, .inpaint, latency: .milliseconds(1900))
        try schedule.receive(chunk(0), latency: .milliseconds(1900), before: 12)
        let request = schedule.request(at: 12)
        #expect(request?.committed == ActionRows([12, 0, 13, 0, 14, 0], actionDim: 2))
    }

    @Test(arguments: [ChunkStrategy.receding, .blend, .ensemble])
    func othersNameNothing(strategy: ChunkStrategy) throws {
        var schedule = Self.schedule(.asynchronous, strategy)
        try schedule.receive(chunk(0), latency: .milliseconds(101), before: 1)
        let requests = (1...8).compactMap { schedule.request(at: $0) }
        #expect(!requests.isEmpty)
        #expect(requests.allSatisfy { $0.committed == nil })
    }

    @Test func aRobotThatStandsStillHasNothingToName() throws {
        var schedule = Self.schedule(.synchronous, .inpaint)
        try schedule.receive(chunk(0), latency: .milliseconds(20), before: 1)
        #expect((1...9).compactMap { schedule.request(at: $0) } == [ChunkRequest(step: 9, committed: nil)])
    }

    /// Chunks of no numbers, as a broken planner could send them.
    @Test(arguments: ChunkStrategy.allCases)
    func actionsWithoutNumbersDoNoHarm(strategy: ChunkStrategy) throws {
        var schedule = Self.schedule(.asynchronous, strategy)
        var empty = try chunk(0, beyond: 0)
        (empty.actions, empty.actionDim) = ([], 0)
        schedule.receive(empty, latency: .milliseconds(20), before: 1)
        #expect((1...8).compactMap { schedule.request(at: $0) }.allSatisfy { $0.committed == nil })
        try schedule.receive(chunk(7), latency: .milliseconds(20), before: 8)
        #expect(schedule.action(at: 8)?.values == [8, 7])
    }

    @Test func longestOfTheNewestLatenciesCounts() {
        var estimate = LatencyEstimate(.milliseconds(300))
        estimate.add(.milliseconds(20))
        #expect(estimate.longest == .milliseconds(300))
        for _ in 0..<LatencyEstimate.remembered { estimate.add(.milliseconds(30)) }
        #expect(estimate.longest == .milliseconds(30))
    }

    @Test func chunkThatIsOfNoUseChangesNothing() throws {
        var schedule = Self.schedule(.asynchronous)
        let receptions = [
            try schedule.receive(chunk(4), latency: .milliseconds(20), before: 5),
            try schedule.receive(chunk(3), latency: .milliseconds(120), before: 5),
            try schedule.receive(chunk(4), latency: .milliseconds(20), before: 5),
            try schedule.receive(chunk(5, beyond: 0), latency: .seconds(1), before: 13),
        ]
        #expect(receptions == [.joined, .outdated, .outdated, .unusable])
        #expect(schedule.action(at: 5)?.values == [5, 4])
    }
}
