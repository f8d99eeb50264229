import Denoiser
import Foundation
import Policy
import PushT
import Sampling

/// Observation histories to measure with.
enum BenchmarkHistories {
    /// Seeds that no score is measured on.
    private static let firstSeed: UInt64 = 500_000

    /// As many histories as wanted: for a PushT policy those at which it plans in simulated episodes, which it drives with
    /// 10 steps of DDIM; for another the middle of its normalisation, again and again.
    static func collect(_ count: Int, bundle: PolicyBundle, network: UNet1D) throws -> [ObservationHistory] {
        guard bundle.observesPushT else {
            var history = bundle.makeHistory()
            try history.append(bundle.middleObservation)
            return [ObservationHistory](repeating: history, count: count)
        }
        var settings = bundle.configuration.defaultSettings
        settings.solver = .ddim
        settings.numInferenceSteps = min(10, bundle.configuration.numTrainTimesteps)
        settings.method = .sequential
        let policy = try DiffusionPolicy(bundle: bundle, settings: settings, network: network)
        let simulation = PushTSimulation()
        var histories: [ObservationHistory] = []
        var seed = firstSeed
        while histories.count < count {
            var observation = simulation.reset(seed: seed)
            var history = policy.makeHistory()
            var actions: ArraySlice<SIMD2<Double>> = []
            var isOver = false
            while !isOver && histories.count < count {
                try history.append(Observation(pushT: observation))
                if actions.isEmpty {
                    histories.append(history)
                    let chunk = try policy.actionChunk(for: history, seed: seed &+ UInt64(histories.count))
                    actions =
                        stride(from: 0, to: chunk.actions.count, by: 2).map {
                            SIMD2(Double(chunk.actions[$0]), Double(chunk.actions[$0 + 1]))
                        }[...]
                }
                guard let action = actions.popFirst() else { break }
                let outcome = try simulation.step(simulation.scenario.world.clamp(action))
                observation = outcome.observation
                isOver = outcome.isEpisodeOver
            }
            seed += 1
        }
        return histories
    }
}

extension PolicyBundle {
    /// Whether the policy observes and does what the PushT simulator offers.
    var observesPushT: Bool {
        let features = observationFeatures.map { "\($0.name) \($0.count)" }.sorted()
        return configuration.actionDim == 2
            && features == ["observation.environment_state 16", "observation.state 2"]
    }
}

extension Observation {
    /// What the simulator shows, under LeRobot's names.
    init(pushT observation: PushTObservation) {
        self.init(values: [
            "observation.state": [
                Float(observation.agentPosition.x), Float(observation.agentPosition.y),
            ],
            "observation.environment_state": observation.keypoints.map { Float($0) },
        ])
    }
}
