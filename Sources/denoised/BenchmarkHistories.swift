import Denoiser
import Policy
import Sampling

/// Observation histories to measure with.
enum BenchmarkHistories {
    /// Seeds that no score is measured on.
    private static let firstSeed: UInt64 = 500_000

    /// As many histories as wanted: for a PushT policy those at which it plans in simulated episodes, which it drives with
    /// 10 steps of DDIM; for another the middle of its normalisation, again and again.
    static func collect(_ count: Int, bundle: PolicyBundle, network: UNet1D) throws -> [ObservationHistory] {
        guard bundle.pushTRefusal == nil else {
            var history = bundle.makeHistory()
            try history.append(bundle.middleObservation)
            return [ObservationHistory](repeating: history, count: count)
        }
        var settings = bundle.configuration.defaultSettings
        settings.solver = .ddim
        settings.numInferenceSteps = min(10, bundle.configuration.numTrainTimesteps)
        settings.method = .sequential
        let policy = try DiffusionPolicy(bundle: bundle, settings: settings, network: network)
        let episodes = PushTEpisodes()
        var histories: [ObservationHistory] = []
        var seed = firstSeed
        while histories.count < count {
            try episodes.run(seed: seed, history: policy.makeHistory()) { history, _ in
                histories.append(history)
                guard histories.count < count else { return nil }
                return try policy.actionChunk(for: history, seed: seed &+ UInt64(histories.count))
            }
            seed += 1
        }
        return histories
    }
}
