/// What a file says about a run: episodes and their scores, times of chunks, or both.
package struct Run: Sendable {
    /// What made the run.
    package enum Origin: Sendable, Hashable {
        /// `denoised sim`, or the evaluation that ends a training.
        case episodes
        /// A row of `denoised bench paper`.
        case paper
        /// What a daemon recorded.
        case recording
    }

    package struct Episode: Sendable, Hashable {
        package let seed: UInt64
        /// 0 to 1.
        package let score: Double
        /// Nil: the file does not say it of each episode.
        package let isSuccess: Bool?
        package let steps: Int?
        /// 0 to 1; nil: the file does not say.
        package var maxCoverage: Double?
    }

    /// How chunks were sampled.
    package struct Sampler: Sendable, Hashable {
        package var solver: String
        package var steps: Int
        package var method: String
        package var window: Int
        package var tolerance: Double
        /// Precision and instruction set.
        package var kernel: String
        /// 0: no budget was to be kept.
        package var budgetMs = 0.0
    }

    /// Percentiles of a time, in milliseconds.
    package struct Latency: Sendable, Hashable {
        package var p50: Double
        package var p90: Double?
        package var p99: Double
        package var max: Double?
    }

    /// What a chunk's time is divided into, and the two sums of it.
    package enum Stage: String, Sendable, CaseIterable {
        case decode, queue, vision, condition, sample, encode
        /// All of it in the daemon.
        case total
        /// As the robot sees it.
        case roundTrip = "round_trip"

        /// Those that follow one another in the daemon.
        package static let parts: [Stage] = [.decode, .queue, .vision, .condition, .sample, .encode]
    }

    /// How control steps went in a world that did not wait.
    package struct RealTime: Sendable, Hashable {
        /// Nil: the file does not say.
        package var schedule: String?
        package var delayMs: Double?
        package var steps: Int
        package var heldSteps: Int
        package var beyondSteps: Int
        package var lateSteps: Int
        /// How abruptly the target's velocity changed where chunks took over, in the mean, and elsewhere.
        package var jumpMean: Double
        package var otherJumpMean: Double
        /// How many jumps the means are of; nil: the file does not say.
        package var jumps: Int?
        package var otherJumps: Int?
    }

    /// What became of a camera's frames.
    package struct Camera: Sendable, Hashable {
        package var name: String
        package var encoding: String
        package var disturbances: String?
        package var lostFrames: Int?
        package var repeatedFrames: Int?
        package var blindSteps: Int?
    }

    /// The file, as it was given; of a joined run, the first.
    package let file: String
    /// Which of the file's runs it is; empty: the file has one.
    package let part: String
    package let origin: Origin
    package var policy: String?
    package var sampler: Sampler?
    /// The version of `denoised` that ran.
    package var version: String?
    package var episodes: [Episode] = []
    /// How many episodes succeeded; nil: the file does not say.
    package var successes: Int?
    package var chunks: Int?
    /// Of a chunk, in the mean.
    package var iterationsMean: Double?
    package var evaluationsMean: Double?
    /// How many chunks had each quality.
    package var qualities: [String: Int] = [:]
    /// How many chunks took longer in the daemon than the budget allows; nil: there was no budget, or the file does not say.
    package var lateChunks: Int?
    package var latency: [Stage: Latency] = [:]
    package var histograms: [Stage: LatencyHistogram] = [:]
    package var median: ExampleChunk?
    package var slowest: ExampleChunk?
    package var realTime: RealTime?
    package var camera: Camera?
    /// Which share of a run the file has; of a joined run, its first shard. Nil: a whole run.
    package var sharded: ShardedRun?
    /// How it was joined from shards; nil: it was not.
    package var joining: Joining?
    /// What the file lacks or what is strange about it, a sentence each.
    package var notes: [String] = []

    /// The files that it was made from, as they were given.
    package var files: [String] { joining.flatMap { $0.files.isEmpty ? nil : $0.files } ?? [file] }

    package init(file: String, part: String = "", origin: Origin) {
        (self.file, self.part, self.origin) = (file, part, origin)
    }
}

/// A way of sampling, and by how much its chunks differ from the sequential ones: a row of `denoised bench chunk`.
package struct DeviationPoint: Sendable, Hashable {
    /// The file, as it was given.
    package let file: String
    package let policy: String
    package let sampler: Run.Sampler
    package let precision: String
    package let iterationsMean: Double
    package let evaluationsMean: Double
    /// In normalised units, in which the actions span 2.
    package let deviationMean: Double
    package let deviationMax: Double
    package let latency: Run.Latency
}
