import Testing

@testable import Motion

@Suite struct ActionInterpolationTests {
    /// A plan of one number a step, from a step on.
    static func plan(_ values: [Float], from step: UInt64 = 10) throws -> ActionPlan {
        var chunk = try chunk(step, actions: values.count, beyond: 0)
        (chunk.actions, chunk.actionDim) = (values, 1)
        var plan = ActionPlan()
        plan.join(chunk, at: step, by: .fade(steps: 0))
        return plan
    }

    static let values: [Float] = [0, 1, 4, 4, 4, -2, -2.5, 3, 3.5]

    @Test(arguments: ActionInterpolation.allCases)
    func stepsHaveTheirActionsAndNothingIsOutsideThePlan(_ kind: ActionInterpolation) throws {
        let plan = try Self.plan(Self.values)
        for (index, value) in Self.values.enumerated() {
            #expect(plan.action(at: Double(10 + index), interpolation: kind) == [value])
        }
        // The last action is held for its step.
        #expect(plan.action(at: 18.99, interpolation: kind) == [3.5])
        for time in [9.999, 19, 19.5, -1, .nan, .infinity, -.infinity, 1e300] {
            #expect(plan.action(at: time, interpolation: kind) == nil, "\(time)")
        }
        #expect(ActionPlan().action(at: 0, interpolation: kind) == nil)
    }

    @Test func holdAndLinear() throws {
        let plan = try Self.plan(Self.values)
        #expect(plan.action(at: 11.75, interpolation: .hold) == [1])
        #expect(plan.action(at: 11.75, interpolation: .linear) == [3.25])
        #expect(plan.action(at: 15.5, interpolation: .linear) == [-2.25])
    }

    /// The values of the paper's formula: harmonic means of neighbouring slopes.
    @Test func cubicHasTheHarmonicMeansOfTheSlopes() throws {
        let plan = try Self.plan([0, 1, 4, 6])
        // Slopes 1, 3, 2: tangents 1.5 and 2.4 about the middle segment; half way the cubic is the mean plus an eighth of
        // their difference.
        let middle = try #require(plan.action(at: 11.5, interpolation: .cubic)?.first)
        #expect(abs(middle - (2.5 + (1.5 - 2.4) / 8)) < 1e-6)
        // At the ends the tangent is the segment's own slope.
        let first = try #require(plan.action(at: 10.5, interpolation: .cubic)?.first)
        #expect(abs(first - (0.5 + (1 - 1.5) / 8)) < 1e-6)
    }

    @Test func cubicStaysBetweenItsNeighboursAndIsSmooth() throws {
        let plan = try Self.plan(Self.values)
        func value(_ time: Double) throws -> Float {
            try #require(plan.action(at: time, interpolation: .cubic)?.first)
        }
        for index in 0..<Self.values.count - 1 {
            let (start, end) = (Self.values[index], Self.values[index + 1])
            var last = start
            for part in stride(from: 0.0, to: 1, by: 1.0 / 64) {
                let here = try value(Double(10 + index) + part)
                #expect(min(start, end)...max(start, end) ~= here)
                #expect(start <= end ? here >= last : here <= last, "monotone between two steps")
                last = here
            }
        }
        for knot in 11..<18 {
            let time = Double(knot)
            let before = try (value(time) - value(time - 1.0 / 128)) * 128
            let after = try (value(time + 1.0 / 128) - value(time)) * 128
            #expect(abs(before - after) < 0.3, "velocity at \(knot): \(before), \(after)")
        }
    }

    /// A chunk that takes over as many steps ahead as the interpolation looks changes nothing of the motion under way.
    @Test(arguments: ActionInterpolation.allCases)
    func takeOverDoesNotBendTheStepUnderWay(_ kind: ActionInterpolation) throws {
        var schedule = ChunkSchedule(
            .init(
                mode: .asynchronous,
                period: .milliseconds(100),
                actionSteps: 8,
                predictedSteps: 15,
                strategy: .receding,
                interpolation: kind
            ),
            latency: LatencyEstimate(.milliseconds(20)),
            planning: .zero
        )
        try schedule.receive(chunk(0), latency: .milliseconds(20), before: 1)
        #expect(schedule.action(at: 1)?.values == [1, 0], "nothing to be continuous with")
        let times = stride(from: 8.0, to: 9, by: 0.125)
        let before = times.map { schedule.action(atTime: $0) }
        try schedule.receive(chunk(8), latency: .milliseconds(50), before: 9)
        #expect(times.map { schedule.action(atTime: $0) } == before)
        let takeOver = 9 + UInt64(kind.lookahead)
        #expect((8...12).map { schedule.action(at: $0)?.values[1] } == (8...12).map { $0 < takeOver ? 0 : 8 })
    }
}
