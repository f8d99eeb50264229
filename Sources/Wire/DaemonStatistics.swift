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
    public static let stages = ["decode", "queue", "condition", "sample", "encode", "overhead", "total"]

    /// Since the start, in nanoseconds.
    public var uptimeNs: UInt64 = 0
    /// Robots whose history is kept.
    public var robots: UInt64 = 0
    /// Observations that entered a history, published or sent with `predict`.
    public var observations: UInt64 = 0
    /// Observations received again; they enter no history, and are planned again where they ask for it.
    public var duplicateObservations: UInt64 = 0
    /// Observations dropped as older than the newest of their episode.
    public var staleObservations: UInt64 = 0
    /// Observations that asked for a chunk and were overtaken by a newer one before the planner came to them.
    public var supersededObservations: UInt64 = 0
    /// Fresh observations that came to nothing: superseded, or over the rate limit.
    public var droppedObservations: UInt64 = 0
    /// Requests understood, by type.
    public var requests: [String: UInt64] = [:]
    /// Messages rejected, by reason (``MessageError/Code``).
    public var rejectedMessages: [String: UInt64] = [:]
    /// Chunks published.
    public var chunks: UInt64 = 0
    /// Chunks sent in reply to `predict`.
    public var predictions: UInt64 = 0
    /// Chunks and predictions that were ready later than the budget allows.
    public var lateChunks: UInt64 = 0
    /// Chunks and predictions finished in long steps, to be in time.
    public var coarseChunks: UInt64 = 0
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
        case commands
        case limitViolations = "limit_violations"
        case plannerErrors = "planner_errors"
        case unrecordedMessages = "unrecorded_messages"
        case lostLogLines = "lost_log_lines"
        case latencyNs = "latency_ns"
    }
}

extension DaemonStatistics {
    var messagePack: MessagePackValue {
        func counts(_ counts: [String: UInt64]) -> MessagePackValue {
            .map(MessagePackMap(sorted: counts.mapValues { .unsigned($0) }))
        }
        let latencies = latencyNs.mapValues { latency in
            MessagePackValue.map(
                MessagePackMap([
                    "count": .unsigned(latency.count),
                    "sum": .unsigned(latency.sum),
                    "p50": .unsigned(latency.p50),
                    "p90": .unsigned(latency.p90),
                    "p99": .unsigned(latency.p99),
                    "max": .unsigned(latency.max),
                ])
            )
        }
        return .map(
            MessagePackMap([
                "uptime_ns": .unsigned(uptimeNs),
                "robots": .unsigned(robots),
                "observations": .unsigned(observations),
                "duplicate_observations": .unsigned(duplicateObservations),
                "stale_observations": .unsigned(staleObservations),
                "superseded_observations": .unsigned(supersededObservations),
                "dropped_observations": .unsigned(droppedObservations),
                "requests": counts(requests),
                "rejected_messages": counts(rejectedMessages),
                "chunks": .unsigned(chunks),
                "predictions": .unsigned(predictions),
                "late_chunks": .unsigned(lateChunks),
                "coarse_chunks": .unsigned(coarseChunks),
                "commands": .unsigned(commands),
                "limit_violations": .unsigned(limitViolations),
                "planner_errors": .unsigned(plannerErrors),
                "unrecorded_messages": .unsigned(unrecordedMessages),
                "lost_log_lines": .unsigned(lostLogLines),
                "latency_ns": .map(MessagePackMap(sorted: latencies)),
            ])
        )
    }

    init(_ fields: FieldReader) throws(MessageError) {
        uptimeNs = try fields.unsigned("uptime_ns")
        robots = try fields.unsigned("robots")
        observations = try fields.unsigned("observations")
        duplicateObservations = try fields.unsigned("duplicate_observations")
        staleObservations = try fields.unsigned("stale_observations")
        supersededObservations = try fields.unsigned("superseded_observations")
        droppedObservations = try fields.unsigned("dropped_observations")
        for key in try fields.map("requests").keys {
            requests[key] = try fields.fields("requests").unsigned(key)
        }
        for key in try fields.map("rejected_messages").keys {
            rejectedMessages[key] = try fields.fields("rejected_messages").unsigned(key)
        }
        chunks = try fields.unsigned("chunks")
        predictions = try fields.unsigned("predictions")
        lateChunks = try fields.unsigned("late_chunks")
        coarseChunks = try fields.unsigned("coarse_chunks")
        commands = try fields.unsigned("commands")
        limitViolations = try fields.unsigned("limit_violations")
        plannerErrors = try fields.unsigned("planner_errors")
        unrecordedMessages = try fields.unsigned("unrecorded_messages")
        // Daemons of before do not count them.
        lostLogLines = try fields.optional("lost_log_lines") == nil ? 0 : fields.unsigned("lost_log_lines")
        for stage in try fields.map("latency_ns").keys {
            let latency = try fields.fields("latency_ns").fields(stage)
            latencyNs[stage] = try Latency(
                count: latency.unsigned("count"),
                sum: latency.optional("sum") == nil ? 0 : latency.unsigned("sum"),
                p50: latency.unsigned("p50"),
                p90: latency.unsigned("p90"),
                p99: latency.unsigned("p99"),
                max: latency.unsigned("max")
            )
        }
    }
}

extension MessagePackMap {
    /// The entries of a dictionary in the order of their keys.
    fileprivate init(sorted entries: [String: MessagePackValue]) {
        self.init()
        for (key, value) in entries.sorted(by: { $0.key < $1.key }) { _ = append(key, value) }
    }
}
