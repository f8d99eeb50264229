import Foundation
import Testing

@testable import Motion

@Suite struct ActionPlanTests {
    @Test func actionsOfStepsThatHaveBegunAreLeftOut() throws {
        var plan = ActionPlan()
        #expect(plan.action(at: 0) == nil)
        let joined = try plan.join(chunk(10, actions: 4, beyond: 2), at: 13, by: .fade(steps: 0))
        #expect(joined)
        #expect(plan.firstStep == 13)
        #expect(plan.end == 16)
        #expect(plan.action(at: 12) == nil)
        #expect(plan.action(at: 13) == .init(values: [13, 10], isBeyond: false))
        #expect(plan.action(at: 14) == .init(values: [14, 10], isBeyond: true))
        #expect(plan.action(at: 15) == .init(values: [15, 10], isBeyond: true))
        #expect(plan.action(at: 16) == nil)
    }

    @Test func chunkWithoutAnActionForTheStepChangesNothing() throws {
        var plan = ActionPlan()
        try plan.join(chunk(10), at: 11, by: .fade(steps: 0))
        let before = plan
        for step: UInt64 in [11, 18] {
            let joined = try plan.join(chunk(12, actions: 4, beyond: 2), at: step, by: .fade(steps: 0))
            #expect(!joined)
        }
        #expect(plan == before)
    }

    @Test func chunkFadesIntoTheNext() throws {
        var plan = ActionPlan()
        try plan.join(chunk(0), at: 0, by: .fade(steps: 3))
        #expect(plan.action(at: 0)?.values == [0, 0], "nothing to fade from")
        try plan.join(chunk(8), at: 9, by: .fade(steps: 3))
        #expect(
            (9...13).map { plan.action(at: $0)?.values } == [[9, 2], [10, 4], [11, 6], [12, 8], [13, 8]]
        )
    }

    @Test func fadeEndsWhereTheOldPlanEnds() throws {
        var plan = ActionPlan()
        try plan.join(chunk(0, actions: 4, beyond: 1), at: 0, by: .fade(steps: 3))
        try plan.join(chunk(4, actions: 4, beyond: 1), at: 4, by: .fade(steps: 3))
        #expect((4...6).map { plan.action(at: $0)?.values } == [[4, 1], [5, 4], [6, 4]])
    }

    /// What is frozen in a chunk is the old plan already: the fade begins after it.
    @Test func chunkFadesAfterWhatIsFrozenInIt() throws {
        var plan = ActionPlan()
        try plan.join(chunk(0), at: 0, by: .fade(steps: 0))
        var next = try chunk(8)
        next.frozen = [8, 0, 9, 0, 10, 0]
        next.actions.replaceSubrange(0..<6, with: next.frozen)
        plan.join(next, at: 9, by: .fade(steps: 1))
        #expect((9...13).map { plan.action(at: $0)?.values[1] } == [0, 0, 4, 8, 8])
    }

    @Test func actionsBeforeTheTakeOverAreKeptForReadingBetweenSteps() throws {
        var plan = ActionPlan()
        try plan.join(chunk(0), at: 0, by: .fade(steps: 0))
        try plan.join(chunk(8), at: 10, by: .fade(steps: 0))
        #expect(plan.firstStep == 10)
        #expect((5...11).map { plan.action(at: $0)?.values[1] } == [nil, 0, 0, 0, 0, 8, 8])
        // Nothing is kept across a gap.
        try plan.join(chunk(30), at: 31, by: .fade(steps: 0))
        #expect(
            (21...32).map { plan.action(at: $0)?.values[1] } == [Float?](repeating: nil, count: 10) + [
                30, 30,
            ]
        )
    }

    @Test func averageWeighsTheOldestMost() throws {
        var plan = ActionPlan()
        for sequence: UInt64 in 0...2 {
            try plan.join(chunk(sequence), at: sequence + 1, by: .average(decay: 0.5))
        }
        let weights = (0...2).map { exp(-0.5 * Double($0)) }
        let mean = (weights[1] + 2 * weights[2]) / weights.reduce(0, +)
        for step: UInt64 in 3...14 {
            let values = try #require(plan.action(at: step)?.values)
            #expect(values[0] == Float(step), "each action at the step it was meant for")
            #expect(abs(Double(values[1]) - mean) < 1e-6)
        }
        // Where the oldest has nothing to say, the next is the oldest.
        let last = try #require(plan.action(at: 15)?.values)
        #expect(abs(Double(last[1]) - (weights[0] + 2 * weights[1]) / (weights[0] + weights[1])) < 1e-6)
        #expect(plan.action(at: 16)?.values == [16, 2])
        #expect(plan.end == 17)
        // Steps 8 and 9 are actions proper of one chunk still, step 10 of none.
        #expect((8...10).map { plan.action(at: $0)?.isBeyond } == [false, false, true])
    }

    @Test func averageForgetsWhatHasRunOutAndOtherWaysOfJoining() throws {
        var plan = ActionPlan()
        try plan.join(chunk(0), at: 0, by: .average(decay: 0))
        try plan.join(chunk(20), at: 21, by: .average(decay: 0))
        #expect(plan.action(at: 21)?.values == [21, 20])
        try plan.join(chunk(22), at: 23, by: .fade(steps: 0))
        try plan.join(chunk(24), at: 25, by: .average(decay: 0))
        #expect(plan.action(at: 25)?.values == [25, 24])
    }
}
