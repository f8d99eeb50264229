import Testing

@testable import RealTime

@Suite struct ChunkScheduleTests {
    static func schedule(_ mode: ChunkSchedule.Mode, latency: Duration = .milliseconds(20)) -> ChunkSchedule {
        ChunkSchedule(
            .init(mode: mode, period: .milliseconds(100), actionSteps: 8, predictedSteps: 15, crossFade: 0),
            latency: LatencyEstimate(latency),
            planning: .milliseconds(20)
        )
    }

    /// The steps whose observations ask, where nothing arrives.
    static func asking(_ schedule: inout ChunkSchedule, in steps: ClosedRange<UInt64>) -> [UInt64] {
        var asking: [UInt64] = []
        for step in steps where schedule.asks(at: step) { asking.append(step) }
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

    @Test func plannerIsNotAskedFasterThanItPlans() throws {
        var schedule = Self.schedule(.asynchronous, latency: .milliseconds(1450))
        try schedule.receive(
            chunk(0, planning: .milliseconds(450)),
            latency: .milliseconds(1450),
            before: 15
        )
        #expect(Self.asking(&schedule, in: 15...30) == [15, 20, 25, 30])
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
