import Testing

@testable import Sampling

/// Steps of x' = x / 2 + x_0 / 4 + x_0' / 8 + 2 z, whose output is x_0 itself.
enum HandSteps {
    static func steps(_ count: Int) -> [SolverStep] {
        (0..<count).map { index in
            SolverStep(
                timestep: 10 * (count - index),
                posteriorVariance: 1,
                cleanSample: CleanSampleEquation(fromSample: 0, fromOutput: 1, scale: 1),
                clipSampleRange: nil,
                sampleWeight: 0.5,
                x0Weight: 0.25,
                previousX0Weight: 0.125,
                noiseScale: 2
            )
        }
    }
}

@Suite struct TrajectoryTests {
    private let none = FrozenElements(sampleSize: 1)

    /// Four steps of one element that start at 1, towards 0.5.
    private func started(_ noise: [Float] = [1, 0, 0, 0, 0]) -> Trajectory {
        var trajectory = Trajectory(steps: HandSteps.steps(4), sampleSize: 1)
        trajectory.start(from: noise.span, towards: [0.5])
        return trajectory
    }

    private func record(_ outputs: [(step: Int, output: Float)], in trajectory: inout Trajectory) {
        var batch = Batch(steps: HandSteps.steps(4), sampleSize: 1, capacity: outputs.count)
        for (row, (step, output)) in outputs.enumerated() {
            batch.append(trajectory.samples, row: step, step: step)
            batch.outputs[row] = output
        }
        for row in outputs.indices { trajectory.record(batch, row: row) }
    }

    @Test func aStepUsesTheLastX0() {
        let noise: [Float] = [1, 0.5, 0, 0, 0]
        var trajectory = started(noise)
        trajectory.advanceWithLastX0(0, noise: noise.span, frozen: none)
        // 1/2 + 0.5/4 + 0.5/8 + 2 * 0.5
        #expect(trajectory.samples[1] == 1.6875)
        #expect(trajectory.cleanSamples[1] == 0.5)
    }

    @Test func aStepUsesAnOutput() {
        let noise = [Float](repeating: 0, count: 5)
        var trajectory = started()
        trajectory.advance(0, outputs: [4], noise: noise.span, frozen: none)
        // 1/2 + 4/4 + 0.5/8
        #expect(trajectory.samples[1] == 1.5625)
        #expect(trajectory.cleanSamples[1] == 4)
        trajectory.advance(1, outputs: [-2], noise: noise.span, frozen: none)
        // 1.5625/2 - 2/4 + 4/8
        #expect(trajectory.samples[2] == 0.78125)
    }

    /// Between x_0 = 1 at step 0 and 4 at step 3; the line starts at what step 0 used, 2.
    @Test func aStepOnABridgeUsesTheLine() {
        let noise = [Float](repeating: 0, count: 5)
        var trajectory = started()
        record([(0, 1), (3, 4)], in: &trajectory)
        trajectory.advance(0, outputs: [2], noise: noise.span, frozen: none)
        trajectory.advanceOnBridge(1, from: 0, to: 3, noise: noise.span, frozen: none)
        trajectory.advanceOnBridge(2, from: 0, to: 3, noise: noise.span, frozen: none)
        #expect(trajectory.cleanSamples == [0.5, 2, 3, 4, 0])
    }

    @Test func frozenElementsKeepTheirX0() {
        let noise = [Float](repeating: 0, count: 6)
        var trajectory = Trajectory(steps: HandSteps.steps(2), sampleSize: 2)
        trajectory.start(from: noise.span, towards: [0.5, 0.5])
        var frozen = FrozenElements(sampleSize: 2)
        let known: [Float] = [0.75]
        frozen.set(known.span, from: 1)
        trajectory.advance(0, outputs: [4, 4], noise: noise.span, frozen: frozen)
        trajectory.advanceWithLastX0(1, noise: noise.span, frozen: frozen)
        #expect(trajectory.cleanSamples == [0.5, 0.5, 4, 0.75, 4, 0.75])
    }

    @Test func aDisplacementIsFromWhereTheOutputWasEvaluated() {
        let noise = [Float](repeating: 0, count: 5)
        var trajectory = started()
        trajectory.advance(0, outputs: [4], noise: noise.span, frozen: none)
        #expect(!trajectory.isEvaluated[1])
        record([(1, 7)], in: &trajectory)
        #expect(trajectory.isEvaluated[1])
        #expect(trajectory.outputs[1] == 7)
        #expect(trajectory.largestDisplacement(of: 1) == 0)
        trajectory.advance(0, outputs: [2], noise: noise.span, frozen: none)
        #expect(trajectory.largestDisplacement(of: 1) == 0.5)
        trajectory.advance(0, outputs: [.nan], noise: noise.span, frozen: none)
        #expect(trajectory.largestDisplacement(of: 1).isNaN)
        let other: [Float] = [3, 0, 0, 0, 0]
        trajectory.start(from: other.span, towards: [0])
        #expect(!trajectory.isEvaluated[1])
    }

    /// x_0 of steps 0, 1 and 3 is 1, 4 and 4: at step 1 the line has risen to 2.
    @Test func aDistanceIsFromTheLineBetweenTheNeighbours() {
        let noise = [Float](repeating: 0, count: 5)
        var trajectory = started()
        for (step, output) in [1, 4, 9, 4].enumerated() {
            trajectory.advance(step, outputs: [Float(output)], noise: noise.span, frozen: none)
        }
        record([(0, 1), (1, 4)], in: &trajectory)
        #expect(trajectory.distanceFromLine(of: 1, from: 0, to: 3) == nil)
        record([(3, 4)], in: &trajectory)
        #expect(trajectory.distanceFromLine(of: 1, from: 0, to: 3) == 2)
    }
}
