import Testing

@testable import RealTime

@Suite struct ActionPlanTests {
    @Test func actionsOfStepsThatHaveBegunAreLeftOut() throws {
        var plan = ActionPlan()
        #expect(plan.action(at: 0) == nil)
        let joined = try plan.join(chunk(10, actions: 4, beyond: 2), at: 13, crossFade: 0)
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
        try plan.join(chunk(10), at: 11, crossFade: 0)
        let before = plan
        for step: UInt64 in [11, 18] {
            let joined = try plan.join(chunk(12, actions: 4, beyond: 2), at: step, crossFade: 0)
            #expect(!joined)
        }
        #expect(plan == before)
    }

    @Test func chunkFadesIntoTheNext() throws {
        var plan = ActionPlan()
        try plan.join(chunk(0), at: 0, crossFade: 3)
        #expect(plan.action(at: 0)?.values == [0, 0], "nothing to fade from")
        try plan.join(chunk(8), at: 9, crossFade: 3)
        #expect(
            (9...13).map { plan.action(at: $0)?.values } == [[9, 2], [10, 4], [11, 6], [12, 8], [13, 8]]
        )
    }

    @Test func fadeEndsWhereTheOldPlanEnds() throws {
        var plan = ActionPlan()
        try plan.join(chunk(0, actions: 4, beyond: 1), at: 0, crossFade: 3)
        try plan.join(chunk(4, actions: 4, beyond: 1), at: 4, crossFade: 3)
        #expect((4...6).map { plan.action(at: $0)?.values } == [[4, 1], [5, 4], [6, 4]])
    }
}
