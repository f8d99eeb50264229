import Networks
import Policy
import Robotics
import Tuning

/// Observation histories to measure with.
package enum BenchmarkHistories {
    /// Seeds that no score is measured on.
    private static let firstSeed: UInt64 = 500_000

    /// Where a chunk is planned.
    package struct Plan {
        package let history: ObservationHistory
        /// What was predicted for the plan before it in its episode, [horizon, actionDim]; nil for an episode's first.
        package let previousPrediction: [Float]?
    }

    /// The histories of as many plans as wanted.
    package static func collect(_ count: Int, bundle: PolicyBundle, network: UNet1D) throws
        -> [ObservationHistory]
    {
        try plans(count, bundle: bundle, network: network).map(\.history)
    }

    /// A history of the same observations, whose frames no policy knows: it must encode them.
    package static func withNewFrames(_ history: ObservationHistory) -> ObservationHistory {
        guard !history.cameras.isEmpty else { return history }
        var copy = history
        copy.reset()
        for var observation in history.observations {
            observation.frames = observation.frames.mapValues { CameraFrame($0.content) }
            do {
                try copy.append(observation)
            } catch {
                preconditionFailure("it was in a history: \(error)")
            }
        }
        return copy
    }

    /// As many plans as wanted: for a PushT policy those of simulated episodes, which it drives with 10 steps of DDIM; for
    /// another the middle of its normalisation, again and again.
    package static func plans(_ count: Int, bundle: PolicyBundle, network: UNet1D) throws -> [Plan] {
        guard let features = try? PushTFeatures(of: bundle) else {
            var history = bundle.makeHistory()
            try history.append(bundle.middleObservation)
            return [Plan](repeating: Plan(history: history, previousPrediction: nil), count: count)
        }
        var settings = bundle.configuration.defaultSettings
        settings.solver = .ddim
        settings.numInferenceSteps = min(10, bundle.configuration.numTrainTimesteps)
        settings.method = .sequential
        let policy = try DiffusionPolicy(bundle: bundle, settings: settings, network: network)
        let episodes = try PushTEpisodes(features)
        var plans: [Plan] = []
        var seed = firstSeed
        while plans.count < count {
            var previousPrediction: [Float]?
            try episodes.run(seed: seed, history: policy.makeHistory()) { history, _ in
                plans.append(Plan(history: history, previousPrediction: previousPrediction))
                guard plans.count < count else { return nil }
                let noiseSeed = seed &+ UInt64(plans.count)
                let chunk = try policy.sample(SamplingRequest(history: history, noise: .seed(noiseSeed)))
                previousPrediction = chunk.prediction
                return chunk
            }
            seed += 1
        }
        return plans
    }
}
