import Testing

@testable import Sampling

/// Equations (3) and (9) of docs/SAMPLING.md with values that are computed by hand.
@Suite struct LinearizedNetworkTests {
    private let noise: [Float] = [1, 0, 0, 0]
    private let none = FrozenElements(sampleSize: 1)

    /// Three steps of one element with gain 1/2.
    private func network() -> LinearizedNetwork {
        LinearizedNetwork(
            steps: HandSteps.steps(3),
            sampleSize: 1,
            linearization: OutputLinearization(
                gains: [0.5, 0.5, 0.5],
                errors: [0.25, 0.25, 0.25],
                rounding: [0.25, 0.25, 0.25],
                volatility: [0, 0, 0]
            )
        )
    }

    /// Moves the sample of step 1 to 1/2 + x_0/4.
    private func move(_ trajectory: inout Trajectory, x0: Float) {
        trajectory.advance(0, outputs: [x0], noise: noise.span, frozen: none)
    }

    private func learn(
        _ output: Float,
        step: Int,
        _ network: inout LinearizedNetwork,
        _ trajectory: inout Trajectory
    ) -> Float {
        var batch = Batch(steps: HandSteps.steps(3), sampleSize: 1, capacity: 1)
        batch.append(trajectory.samples, row: step, step: step)
        batch.outputs[0] = output
        return network.learn(from: batch, rows: 0..<1, on: &trajectory)
    }

    private func expected(_ step: Int, _ network: inout LinearizedNetwork, _ trajectory: Trajectory) -> Float
    {
        network.expectOutputs(of: step, on: trajectory)
        return network.expectedOutputs[0]
    }

    @Test func anOutputFollowsItsSampleByGainAndSecant() {
        var network = network()
        var trajectory = Trajectory(steps: HandSteps.steps(3), sampleSize: 1)
        trajectory.start(from: noise.span, towards: [0])
        network.startSample()
        move(&trajectory, x0: 0)
        #expect(learn(2, step: 1, &network, &trajectory) == 0, "nothing to compare with")
        #expect(!network.hasSecant(1))
        #expect(expected(1, &network, trajectory) == 2)

        // Displaced by 1, at gain 1/2.
        move(&trajectory, x0: 4)
        #expect(expected(1, &network, trajectory) == 2.5)
        // It rises by 1 more than expected, of an error of 1/4 and a rounding of 1/4.
        #expect(learn(3.5, step: 1, &network, &trajectory) == 2)
        #expect(network.hasSecant(1))
        // A shift of 0.3 at most, of which 0.3 are taken over.
        #expect(abs(network.gainShift - 0.09) < 1e-6)

        // Half as far again: half of the gain's change and of the secant's.
        move(&trajectory, x0: 6)
        #expect(expected(1, &network, trajectory) == 3.5 + 0.25 + 0.5)
        // Three times as far, and back: no further than the secant reaches.
        move(&trajectory, x0: 16)
        #expect(expected(1, &network, trajectory) == 3.5 + 1.5 + 1)
        move(&trajectory, x0: -8)
        #expect(expected(1, &network, trajectory) == 3.5 - 1.5 - 1)
    }

    @Test func stepsWithoutSecantShareTheShift() {
        var network = network()
        var trajectory = Trajectory(steps: HandSteps.steps(3), sampleSize: 1)
        trajectory.start(from: noise.span, towards: [0])
        network.startSample()
        move(&trajectory, x0: 0)
        trajectory.advance(1, outputs: [0], noise: noise.span, frozen: none)
        _ = learn(1, step: 2, &network, &trajectory)
        _ = learn(2, step: 1, &network, &trajectory)
        move(&trajectory, x0: 4)
        _ = learn(3.5, step: 1, &network, &trajectory)
        // The sample of step 2 moves by 1/2 times 1 and by 1/8 of 4.
        trajectory.advance(1, outputs: [0], noise: noise.span, frozen: none)
        #expect(trajectory.largestDisplacement(of: 2) == 1)
        #expect(abs(expected(2, &network, trajectory) - (1 + 0.5 + 0.09)) < 1e-6)

        network.startSample()
        #expect(network.gainShift == 0)
        #expect(!network.hasSecant(1))
        #expect(expected(2, &network, trajectory) == 1.5)
    }

    /// Of ten steps the last one is decided. A displacement of 0.0001 is rounding.
    @Test func stiffnessIsNotWatchedWhereNothingIsChosen() {
        let steps = HandSteps.steps(10)
        let noise = [Float](repeating: 0, count: 11)
        func stiffness(of step: Int, moved: Float) -> Float {
            var network = LinearizedNetwork(
                steps: steps,
                sampleSize: 1,
                linearization: .unknown(steps: 10)
            )
            var trajectory = Trajectory(steps: steps, sampleSize: 1)
            trajectory.start(from: noise.span, towards: [0])
            network.startSample()
            var batch = Batch(steps: steps, sampleSize: 1, capacity: 1)
            batch.append(trajectory.samples, row: step, step: step)
            _ = network.learn(from: batch, rows: 0..<1, on: &trajectory)
            trajectory.advance(step - 1, outputs: [4 * moved], noise: noise.span, frozen: none)
            batch.outputs[0] = 5 * moved
            return network.learn(from: batch, rows: 0..<1, on: &trajectory)
        }
        #expect(stiffness(of: 8, moved: 1) == 5)
        #expect(stiffness(of: 9, moved: 1) == 0)
        #expect(stiffness(of: 8, moved: 0.00005) == 0)
    }
}
