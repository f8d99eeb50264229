import PushT
import Testing

/// The simulation against gym-pusht, number for number.
@Suite struct GymParityTests {
    static let tolerance = 1e-9

    /// Of an episode's states and what follows from them. Debian's Chipmunk for ARM multiplies and adds in one step and rounds once. The
    /// one for x86-64 and gym-pusht's round twice. The end of an episode full of contacts differs by up to 4.2e-6.
    #if arch(arm64)
        static let episodeTolerance = 1e-5
    #else
        static let episodeTolerance = tolerance
    #endif

    @Test func recordingIsWhole() {
        #expect(GymRecording.gym.resets.count == 11)
        #expect(GymRecording.gym.episodes.count == 8)
        #expect(GymRecording.gym.episodes.contains { $0.success.contains(true) })
        #expect(GymRecording.gym.episodes.contains { $0.coverage.contains { $0 > 0.2 && $0 < 0.8 } })
    }

    @Test(arguments: GymRecording.gym.resets)
    func resetFromSeed(_ reset: GymRecording.Reset) throws {
        let simulation = PushTSimulation()
        let observation = simulation.reset(seed: try #require(UInt64(reset.seed)))
        #expect(maximumDifference(observation.state, reset.state) <= Self.tolerance)
        #expect(maximumDifference(observation.keypoints, reset.keypoints) <= Self.tolerance)
        #expect(abs(simulation.coverage - reset.coverage) <= Self.tolerance)
        #expect(simulation.stepCount == 0)
        #expect(simulation.observation == observation)
    }

    @Test(arguments: GymRecording.gym.episodes)
    func episode(_ episode: GymRecording.Episode) throws {
        let simulation = PushTSimulation()
        if let seed = episode.seed {
            simulation.reset(seed: seed)
        } else {
            try simulation.reset(to: try #require(episode.initialState))
        }
        #expect(maximumDifference(simulation.observation.state, episode.firstObservation) <= Self.tolerance)
        #expect(abs(simulation.coverage - episode.firstCoverage) <= Self.tolerance)

        var stateDifference = 0.0
        var coverageDifference = 0.0
        var checked = 0
        for step in 1...300 {
            let target = episode.targets[(step - 1) / episode.hold]
            let outcome = try simulation.step(SIMD2(target[0], target[1]))
            #expect(outcome.stepCount == step)
            guard checked < episode.steps.count, episode.steps[checked] == step else { continue }
            let expected = episode.states[checked]
            stateDifference = max(stateDifference, maximumDifference(outcome.observation.state, expected))
            coverageDifference = max(coverageDifference, abs(outcome.coverage - episode.coverage[checked]))
            #expect(
                abs(outcome.reward - episode.reward[checked]) <= Self.episodeTolerance,
                "reward at step \(step)"
            )
            #expect(outcome.isSuccess == episode.success[checked], "success at step \(step)")
            #expect(outcome.isEpisodeOver == (outcome.isSuccess || step == 300))
            checked += 1
        }
        #expect(checked == episode.steps.count)
        #expect(stateDifference <= Self.episodeTolerance)
        #expect(coverageDifference <= Self.episodeTolerance)
        #expect(
            maximumDifference(simulation.observation.keypoints, episode.lastKeypoints)
                <= Self.episodeTolerance
        )
    }

    /// A used simulation is as good as a new one: nothing of the last episode is left in the physics.
    @Test func resetForgetsTheLastEpisode() throws {
        let used = PushTSimulation()
        used.reset(seed: 3)
        for step in 0..<40 {
            try used.step(step.isMultiple(of: 2) ? used.observation.blockPosition : SIMD2(500, 20))
        }
        used.reset(seed: 100_000)
        let new = PushTSimulation()
        new.reset(seed: 100_000)
        for _ in 0..<60 {
            let target = new.observation.blockPosition
            #expect(try used.step(target) == new.step(target))
        }
    }
}
