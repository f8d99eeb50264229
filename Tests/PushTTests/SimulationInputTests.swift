import PushT
import Testing

@Suite struct SimulationInputTests {
    @Test(
        arguments: [
            (SIMD2(Double.nan, 10), PushTError.action(component: "x", value: .nan)),
            (SIMD2(10, Double.infinity), .action(component: "y", value: .infinity)),
            (SIMD2(-Double.infinity, 10), .action(component: "x", value: -.infinity)),
            (SIMD2(10_001, 10), .action(component: "x", value: 10_001)),
            (SIMD2(10, -20_000), .action(component: "y", value: -20_000)),
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

    @Test func actionsAtAndBeyondTheWallsAreTaken() throws {
        let simulation = PushTSimulation()
        for action in [SIMD2(0.0, 0), SIMD2(512, 512), SIMD2(-300, 900)] { try simulation.step(action) }
        #expect(simulation.stepCount == 3)
    }

    @Test(
        arguments: [
            [], [1, 2, 3, 4], [1, 2, 3, 4, 5, 6],
            [.nan, 1, 1, 1, 0], [1, 10_001, 1, 1, 0], [1, 1, -10_001, 1, 0], [1, 1, 1, .infinity, 0],
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
        let action = PushTError.action(component: "x", value: 20_000)
        #expect(action.description == "action x is 20000.0, expected a number in [-10000.0, 10000.0]")
        #expect(PushTError.stateCount(3).description.contains("has 3 numbers, expected 5"))
    }

    @Test func clampingMakesAnActionThatIsTaken() {
        let world = Scenario.pushT.world
        #expect(world.clamp(SIMD2(-3, 600)) == SIMD2(0, 512))
        #expect(world.clamp(SIMD2(7, 8)) == SIMD2(7, 8))
        #expect(!world.contains(world.clamp(SIMD2(.nan, 8))))
    }
}
