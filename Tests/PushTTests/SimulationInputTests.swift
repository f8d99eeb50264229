import PushT
import Testing

@Suite struct SimulationInputTests {
    @Test(
        arguments: [
            (SIMD2(Double.nan, 10), PushTError.action(component: "x", value: .nan, limit: 512)),
            (SIMD2(10, Double.infinity), .action(component: "y", value: .infinity, limit: 512)),
            (SIMD2(-Double.infinity, 10), .action(component: "x", value: -.infinity, limit: 512)),
            (SIMD2(512.001, 10), .action(component: "x", value: 512.001, limit: 512)),
            (SIMD2(10, -0.5), .action(component: "y", value: -0.5, limit: 512)),
        ]
    )
    func refusedActionMovesNothing(action: SIMD2<Double>, expected: PushTError) throws {
        let simulation = PushTSimulation()
        let before = simulation.observation
        let error = #expect(throws: PushTError.self) { try simulation.step(action) }
        // NaN is not equal to itself, so errors are compared as text.
        #expect(error?.description == expected.description)
        #expect(simulation.observation == before)
        #expect(simulation.stepCount == 0)
    }

    @Test func actionsAtTheLimitsAreTaken() throws {
        let simulation = PushTSimulation()
        for action in [SIMD2(0.0, 0), SIMD2(512, 512), SIMD2(0, 512)] { try simulation.step(action) }
        #expect(simulation.stepCount == 3)
    }

    @Test(
        arguments: [
            [], [1, 2, 3, 4], [1, 2, 3, 4, 5, 6],
            [.nan, 1, 1, 1, 0], [1, 513, 1, 1, 0], [1, 1, -1, 1, 0], [1, 1, 1, .infinity, 0],
            [1, 1, 1, 1, .nan], [1, 1, 1, 1, 1e7],
        ] as [[Double]]
    )
    func refusedStateMovesNothing(state: [Double]) {
        let simulation = PushTSimulation()
        let before = simulation.observation
        #expect(throws: PushTError.self) { try simulation.reset(to: state) }
        #expect(simulation.observation == before)
    }

    @Test func errorNamesComponentValueAndExpectation() {
        let action = PushTError.action(component: "x", value: 600, limit: 512)
        #expect(action.description == "action x is 600.0, expected a number in [0, 512.0]")
        #expect(PushTError.stateCount(3).description.contains("has 3 numbers, expected 5"))
    }

    @Test func clampingMakesAnActionThatIsTaken() {
        let world = Scenario.pushT.world
        #expect(world.clamp(SIMD2(-3, 600)) == SIMD2(0, 512))
        #expect(world.clamp(SIMD2(7, 8)) == SIMD2(7, 8))
        #expect(!world.contains(world.clamp(SIMD2(.nan, 8))))
    }
}
