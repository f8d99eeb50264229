import Robotics

/// What a daemon has done since it started: counters, and the latency of each stage.
public struct DaemonStatistics: Sendable, Hashable, Codable {
    /// The distribution of a time, in nanoseconds, to three significant digits.
    public struct Latency: Sendable, Hashable, Codable {
        /// The number of times recorded.
        public var count: UInt64
        /// The sum of all times.
        public var sum: UInt64
        /// The median.
        public var p50: UInt64
        /// The 90th percentile.
        public var p90: UInt64
        /// The 99th percentile.
        public var p99: UInt64
        /// The longest.
        public var max: UInt64

        /// A distribution with these figures.
        public init(count: UInt64, sum: UInt64 = 0, p50: UInt64, p90: UInt64, p99: UInt64, max: UInt64) {
            self.count = count
            self.sum = sum
            self.p50 = p50
            self.p90 = p90
            self.p99 = p99
            self.max = max
        }
    }

    /// The keys of ``latencyNs``: a chunk's stages in the order of its way, then the sums.
    public static let stages = [
        "decode", "queue", "vision", "condition", "sample", "encode", "overhead", "total",
    ]
    /// Those of a policy without cameras.
    package static let stagesWithoutCameras = stages.filter { $0 != "vision" }

    /// Since the start, in nanoseconds.
    public var uptimeNs: UInt64 = 0
    /// Robots whose history is kept.
    public var robots: UInt64 = 0
    /// Observations that entered a history, published or sent with `predict`.
    public var observations: UInt64 = 0
    /// Observations received again; they enter no history, and are planned again if they ask for it.
    public var duplicateObservations: UInt64 = 0
    /// Observations dropped as older than the newest of their episode.
    public var staleObservations: UInt64 = 0
    /// Observations that asked for a chunk and were overtaken by a newer one before the planner came to them.
    public var supersededObservations: UInt64 = 0
    /// Fresh observations that came to nothing: superseded, or over the rate limit.
    public var droppedObservations: UInt64 = 0
    /// Requests understood, by type.
    public var requests: [String: UInt64] = [:]
    /// Messages rejected, by reason (`MessageError.Code`).
    public var rejectedMessages: [String: UInt64] = [:]
    /// Chunks published.
    public var chunks: UInt64 = 0
    /// Chunks sent in reply to `predict`.
    public var predictions: UInt64 = 0
    /// Chunks and predictions that were ready later than the budget allows.
    public var lateChunks: UInt64 = 0
    /// Chunks and predictions finished in coarse steps, to be in time.
    public var coarseChunks: UInt64 = 0
    /// Chunks and predictions that started from the robot's last chunk, re-noised; those among them that were finished in coarse
    /// steps do not count.
    public var warmChunks: UInt64 = 0
    /// Commands published.
    public var commands: UInt64 = 0
    /// Commands, and chunks, that had to be changed or held back to keep a robot's limits.
    public var limitViolations: UInt64 = 0
    /// Accepted observations on which the policy failed.
    public var plannerErrors: UInt64 = 0
    /// Messages that were to be recorded and found no room; see docs/RECORDING.md.
    public var unrecordedMessages: UInt64 = 0
    /// Lines of the daemon's log that were lost, because nobody read them or they could not be written.
    public var lostLogLines: UInt64 = 0
    /// The latency of each stage of a chunk: `decode`, `queue`, `condition`, `sample`, `encode`, `total`, and
    /// `overhead`, which is `total` less `queue`, `condition` and `sample`.
    public var latencyNs: [String: Latency] = [:]

    /// A daemon that has done nothing.
    public init() {}

    enum CodingKeys: String, CodingKey {
        case uptimeNs = "uptime_ns"
        case robots
        case observations
        case duplicateObservations = "duplicate_observations"
        case staleObservations = "stale_observations"
        case supersededObservations = "superseded_observations"
        case droppedObservations = "dropped_observations"
        case requests
        case rejectedMessages = "rejected_messages"
        case chunks
        case predictions
        case lateChunks = "late_chunks"
        case coarseChunks = "coarse_chunks"
        case warmChunks = "warm_chunks"
        case commands
        case limitViolations = "limit_violations"
        case plannerErrors = "planner_errors"
        case unrecordedMessages = "unrecorded_messages"
        case lostLogLines = "lost_log_lines"
        case latencyNs = "latency_ns"
    }
}

extension DaemonStatistics {
    /// The fields of the statistics.
    package static let table = MessageTable(
        DaemonStatistics(),
        [
            .required("uptime_ns", \.uptimeNs, .unsigned, "since the start"),
            .required("robots", \.robots, .unsigned, "robots whose history is kept"),
            .required("observations", \.observations, .unsigned, "observations that entered a history"),
            .required(
                "duplicate_observations",
                \.duplicateObservations,
                .unsigned,
                "observations received again"
            ),
            .required(
                "stale_observations",
                \.staleObservations,
                .unsigned,
                "observations older than the newest of their episode"
            ),
            .required(
                "superseded_observations",
                \.supersededObservations,
                .unsigned,
                "observations overtaken by a newer one before their turn"
            ),
            .required(
                "dropped_observations",
                \.droppedObservations,
                .unsigned,
                "observations superseded or over the rate limit"
            ),
            .required(
                "requests",
                \.requests,
                .counters,
                "requests understood, by type; those of the [GR00T endpoint](GR00T.md) as `gr00t.get_action` and so on"
            ),
            .required(
                "rejected_messages",
                \.rejectedMessages,
                .counters,
                "messages that could not be used, by code"
            ),
            .required("chunks", \.chunks, .unsigned, "chunks published"),
            .required("predictions", \.predictions, .unsigned, "`predict` requests answered with a chunk"),
            .required(
                "late_chunks",
                \.lateChunks,
                .unsigned,
                "chunks and predictions that were ready later than the budget"
            ),
            .required(
                "coarse_chunks",
                \.coarseChunks,
                .unsigned,
                "chunks and predictions finished in coarse steps, to keep the budget"
            ),
            .added(
                "warm_chunks",
                \.warmChunks,
                .unsigned,
                "chunks and predictions of the quality `warm`"
            ),
            .required("commands", \.commands, .unsigned, "commands published"),
            .required(
                "limit_violations",
                \.limitViolations,
                .unsigned,
                "commands and chunks that limits changed or held back"
            ),
            .required(
                "planner_errors",
                \.plannerErrors,
                .unsigned,
                "accepted observations on which the policy failed"
            ),
            .required(
                "unrecorded_messages",
                \.unrecordedMessages,
                .unsigned,
                "messages lost to the recording ([RECORDING.md](RECORDING.md))"
            ),
            .added(
                "lost_log_lines",
                \.lostLogLines,
                .unsigned,
                "lines lost to the log ([OPERATIONS.md](OPERATIONS.md#the-log))"
            ),
            .required(
                "latency_ns",
                \.latencyNs,
                .maps(Latency.table),
                """
                for each stage of a chunk (those of `stages_ns`) a map, see below; the stage `overhead` is `decode` and \
                `encode` together: what a chunk costs besides waiting and the policy
                """
            ),
        ]
    )
}

extension DaemonStatistics.Latency {
    /// The figures of a distribution.
    package static let table = MessageTable(
        DaemonStatistics.Latency(count: 0, p50: 0, p90: 0, p99: 0, max: 0),
        [
            .required("count", \.count, .unsigned, "how many times were recorded"),
            .added("sum", \.sum, .unsigned, "their sum"),
            .required("p50", \.p50, .unsigned, "the median, like the others to three significant digits"),
            .required("p90", \.p90, .unsigned, "the 90th percentile"),
            .required("p99", \.p99, .unsigned, "the 99th percentile"),
            .required("max", \.max, .unsigned, "the longest"),
        ]
    )
}
