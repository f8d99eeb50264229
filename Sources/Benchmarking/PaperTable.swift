import Policy
import Sampling
import Statistics

/// What the ParaDiGMS paper (Shih et al. 2023, arXiv 2305.16317) reports of its robot experiments, with window 20.
package struct PublishedFigures: Encodable {
    package let solver: Solver
    package let steps: Int
    /// Of ParaDiGMS, for a chunk.
    package let iterations: Double
    package let evaluations: Double
    /// Over sequential sampling, by time of an episode; the range over the paper's tasks.
    package let speedUpLow: Double
    package let speedUpHigh: Double

    package static let all = [
        PublishedFigures(
            solver: .ddpm,
            steps: 100,
            iterations: 25,
            evaluations: 390,
            speedUpLow: 3.3,
            speedUpHigh: 3.7
        ),
        PublishedFigures(
            solver: .ddim,
            steps: 15,
            iterations: 7,
            evaluations: 47,
            speedUpLow: 1.6,
            speedUpHigh: 1.8
        ),
        PublishedFigures(
            solver: .dpmSolverPlusPlus,
            steps: 15,
            iterations: 6,
            evaluations: 41,
            speedUpLow: 1.7,
            speedUpHigh: 2.0
        ),
    ]

    private enum CodingKeys: CodingKey {
        case iterations, evaluations, speedUpLow, speedUpHigh
    }
}

/// A way of sampling, and the episodes that it played.
package struct PaperPlayer {
    /// A sampled chunk and what it cost.
    package struct Chunk {
        package let report: SamplingReport
        /// From the observation to the actions.
        package let milliseconds: Double
    }

    package let policy: DiffusionPolicy
    /// The paper's figures for the same solver.
    package let published: PublishedFigures
    /// The episodes' rewards, and whether they succeeded, in the order in which they were played.
    package private(set) var rewards: [Double] = []
    package private(set) var successes: [Bool] = []
    /// The episodes' chunks, in the same order.
    package private(set) var chunks: [[Chunk]] = []

    package init(policy: DiffusionPolicy, published: PublishedFigures) {
        self.policy = policy
        self.published = published
    }

    /// Plays the episode of a seed.
    package mutating func play(seed: UInt64, in episodes: PushTEpisodes) throws {
        var chunks: [Chunk] = []
        let recording = try episodes.run(seed: seed, history: policy.makeHistory()) { history, step in
            let noiseSeed = PushTEpisodes.noiseSeed(seed: seed, step: step)
            let (chunk, milliseconds) = try timed {
                try policy.sample(SamplingRequest(history: history, noise: .seed(noiseSeed)))
            }
            chunks.append(Chunk(report: chunk.report, milliseconds: milliseconds))
            return chunk
        }
        rewards.append(recording.score)
        successes.append(recording.isSuccess)
        self.chunks.append(chunks)
    }
}

/// What `bench paper` reports.
package struct PaperTable: Encodable {
    /// One way of sampling.
    package struct Result: Encodable {
        package let solver: String
        package let steps: Int
        package let method: String
        /// The window in use; 1 for sequential sampling.
        package let window: Int
        package let tolerance: Float
        package let precision: String
        package let kernel: String
        package let threads: Int
        package let episodes: Int
        package let chunks: Int
        /// For a chunk.
        package let iterationsMean: Double
        package let evaluationsMean: Double
        /// Of the episodes' rewards; the standard error is left out if there is one episode.
        package let rewardMean: Double
        package let rewardStandardError: Double?
        /// Of the reward less sequential sampling's for the same seed.
        package let rewardDifferenceMean: Double
        package let rewardDifferenceStandardError: Double?
        package let successRate: Double
        /// Time spent sampling in an episode.
        package let episodeSecondsMean: Double
        /// For a chunk.
        package let msP50: Double
        package let msP99: Double
        /// Over sequential sampling: of the chunks' median time, and of the mean time of an episode.
        package let speedUpChunk: Double
        package let speedUpEpisode: Double
        /// Of each episode, in the order of the seeds.
        package let rewards: [Double]
        /// Whether each episode succeeded, in the same order.
        package let successes: [Bool]
        /// The paper's figures for the same, left out if it has none.
        package let paper: PublishedFigures?
    }

    package let policy: String
    /// Of the first episode.
    package let seed: UInt64
    package let episodes: Int
    package let results: [Result]

    /// - Parameter players: all of them having played the same episodes, at least one; each solver's first is the sequential
    ///   one.
    package init(policy: String, seed: UInt64, players: [PaperPlayer]) {
        self.policy = policy
        self.seed = seed
        self.episodes = players.first?.rewards.count ?? 0
        var sequential: [Solver: PaperPlayer] = [:]
        self.results = players.map { player in
            let solver = player.policy.settings.solver
            let reference = sequential[solver] ?? player
            sequential[solver] = reference
            return Result(player, sequential: reference)
        }
    }
}

extension PaperTable.Result {
    fileprivate init(_ player: PaperPlayer, sequential: PaperPlayer) {
        let settings = player.policy.settings
        let reports = player.chunks.joined().map(\.report)
        let (median, p99) = player.chunkMilliseconds
        let reward = MeanEstimate(player.rewards)
        let difference = MeanEstimate(zip(player.rewards, sequential.rewards).map { $0 - $1 })
        let published = player.published
        self.init(
            solver: settings.solver.rawValue,
            steps: settings.numInferenceSteps,
            method: settings.method.name,
            window: reports.first?.window ?? 1,
            tolerance: settings.method.tolerance,
            precision: player.policy.kernel.precision.rawValue,
            kernel: player.policy.kernel.description,
            threads: player.policy.threads,
            episodes: player.rewards.count,
            chunks: reports.count,
            iterationsMean: MeanEstimate(reports.map { Double($0.parallelIterations) }).mean,
            evaluationsMean: MeanEstimate(reports.map { Double($0.modelEvaluations) }).mean,
            rewardMean: reward.mean,
            rewardStandardError: reward.standardError,
            rewardDifferenceMean: difference.mean,
            rewardDifferenceStandardError: difference.standardError,
            successRate: MeanEstimate(player.successes.map { $0 ? 1 : 0 }).mean,
            episodeSecondsMean: player.episodeSeconds,
            msP50: median,
            msP99: p99,
            speedUpChunk: sequential.chunkMilliseconds.median / median,
            speedUpEpisode: sequential.episodeSeconds / player.episodeSeconds,
            rewards: player.rewards,
            successes: player.successes,
            paper: settings.method.isParaDiGMS && settings.numInferenceSteps == published.steps
                ? published : nil
        )
    }
}

extension PaperPlayer {
    fileprivate var chunkMilliseconds: (median: Double, p99: Double) {
        let percentiles = Percentiles(chunks.joined().map(\.milliseconds))
        return (percentiles[50], percentiles[99])
    }

    /// The mean time spent sampling in an episode.
    fileprivate var episodeSeconds: Double {
        MeanEstimate(chunks.map { $0.reduce(0) { $0 + $1.milliseconds } / 1e3 }).mean
    }
}

extension SamplerSettings.Method {
    fileprivate var isParaDiGMS: Bool {
        if case .paradigms = self { true } else { false }
    }
}

/// The mean of some values, and how sure it is.
package struct MeanEstimate {
    package let mean: Double
    /// The values' standard deviation (with n - 1) over the root of n; nil if n is 1.
    package let standardError: Double?

    /// - Parameter values: at least one.
    package init(_ values: [Double]) {
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        self.mean = mean
        if values.count > 1 {
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            self.standardError = (squares / (count - 1) / count).squareRoot()
        } else {
            self.standardError = nil
        }
    }
}
