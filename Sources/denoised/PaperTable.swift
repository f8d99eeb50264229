import BenchmarkNetworks
import MCAP
import Sampling

/// What the ParaDiGMS paper (Shih et al. 2023, arXiv 2305.16317) reports of its robot experiments, with window 20.
struct PublishedFigures: Encodable {
    let solver: Solver
    let steps: Int
    /// Of ParaDiGMS, for a chunk.
    let iterations: Double
    let evaluations: Double
    /// Over sequential sampling, by time of an episode; the range over the paper's tasks.
    let speedUpLow: Double
    let speedUpHigh: Double

    static let all = [
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

    /// One cell for people.
    var line: String {
        "\(fixed(iterations, 0)) it, \(fixed(evaluations, 0)) ev, \(fixed(speedUpLow, 1))-\(fixed(speedUpHigh, 1))x"
    }
}

/// What `bench paper` reports.
struct PaperTable: Encodable {
    /// One way of sampling.
    struct Result: Encodable {
        let solver: String
        let steps: Int
        let method: String
        /// The window in use; 1 for sequential sampling.
        let window: Int
        let tolerance: Float
        let precision: String
        let kernel: String
        let threads: Int
        let episodes: Int
        let chunks: Int
        /// For a chunk.
        let iterationsMean: Double
        let evaluationsMean: Double
        /// Of the episodes' rewards; the standard error is left out if there is one episode.
        let rewardMean: Double
        let rewardStandardError: Double?
        /// Of the reward less sequential sampling's for the same seed.
        let rewardDifferenceMean: Double
        let rewardDifferenceStandardError: Double?
        let successRate: Double
        /// Time spent sampling in an episode.
        let episodeSecondsMean: Double
        /// For a chunk.
        let msP50: Double
        let msP99: Double
        /// Over sequential sampling: of the chunks' median time, and of the mean time of an episode.
        let speedUpChunk: Double
        let speedUpEpisode: Double
        /// Of each episode, in the order of the seeds.
        let rewards: [Double]
        /// The paper's figures for the same, left out if it has none.
        let paper: PublishedFigures?
    }

    let policy: String
    /// Of the first episode.
    let seed: UInt64
    let episodes: Int
    let results: [Result]

    /// - Parameter players: all of them having played the same episodes, at least one; each solver's first is the sequential
    ///   one.
    init(policy: String, seed: UInt64, players: [PaperPlayer]) {
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

    func print() {
        guard let first = results.first else { return }
        Console.result(
            "\(policy): \(first.kernel), \(first.threads) threads, \(episodes) episode\(episodes == 1 ? "" : "s") "
                + "from seed \(seed)\n"
        )
        var table = Table(
            "solver",
            "method",
            "window",
            "iterations",
            "evaluations",
            "reward",
            "difference",
            "success",
            "s an episode",
            "ms a chunk",
            "p99",
            "speed-up",
            "by episode",
            "paper"
        )
        for result in results {
            let isSequential = result.method == SamplerSettings.Method.sequential.name
            table.add(
                "\(result.solver) \(result.steps)",
                result.method,
                String(result.window),
                fixed(result.iterationsMean, 1),
                fixed(result.evaluationsMean, 1),
                Self.cell(result.rewardMean, result.rewardStandardError),
                isSequential
                    ? "" : Self.cell(result.rewardDifferenceMean, result.rewardDifferenceStandardError),
                fixed(result.successRate, 2),
                fixed(result.episodeSecondsMean, 3),
                fixed(result.msP50, 2),
                fixed(result.msP99, 2),
                isSequential ? "" : fixed(result.speedUpChunk, 2) + "x",
                isSequential ? "" : fixed(result.speedUpEpisode, 2) + "x",
                result.paper?.line ?? ""
            )
        }
        table.print()
    }

    private static func cell(_ mean: Double, _ standardError: Double?) -> String {
        fixed(mean, 4) + (standardError.map { " +-" + fixed($0, 4) } ?? "")
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

/// The mean of a sample, and how sure it is.
struct MeanEstimate {
    let mean: Double
    /// The sample's standard deviation (with n - 1) over the root of n; nil if n is 1.
    let standardError: Double?

    /// - Parameter values: at least one.
    init(_ values: [Double]) {
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
