import MCAP
import Planning
import Robotics

/// What replaying needs of a recording's messages.
public enum RecordedEvent: Sendable {
    case session(RecordingSession)
    /// Messages are missing here.
    case gap(lost: UInt64)
    /// With the values of those before it that it brought along, and the daemon's monotonic clock when it was received.
    case observation(RobotObservation, preceding: [[String: [Float]]] = [], receivedNs: UInt64)
    case chunk(RecordedChunk)
    case reset(RobotID)
    /// A chunk was planned and not sent.
    case unsent(RobotID, EpisodeID)

    /// A chunk, as far as it can be computed again.
    public struct RecordedChunk: Sendable, Hashable {
        /// Whose it is.
        public var robot: RobotID
        /// The episode of the observation that it answers.
        public var episode: EpisodeID
        /// The sequence number of that observation.
        public var sequence: UInt64
        /// The seed of its noise.
        public var noiseSeed: UInt64
        /// The actions as they were sampled, before a robot's limits, and those beyond, one after the other: [k, actionDim].
        public var actions: [Float]
        /// The actions that were given rather than sampled, [k, actionDim]; see `PlanningRequest/frozen`.
        public var frozen: [Float] = []
        /// The message's `quality`: a `coarse` chunk depends on how fast the machine was.
        public var quality: ChunkQuality
        /// Whether it was sampled together with other robots' chunks.
        public var isGrouped = false
    }

    /// Reads a message; nil for one that replaying has no use for.
    ///
    /// - Throws: ``RecordedMessageError``.
    public init?(_ message: RecordedMessage) throws(RecordedMessageError) {
        guard let kind = RecordedKind(schemaName: message.schema),
            ![.latency, .command, .status, .log].contains(kind)
        else { return nil }
        let fields = try RecordedFields(message)
        switch kind {
        case .session: self = .session(try RecordingSession(fields))
        case .gap: self = .gap(lost: try fields.unsigned("lost"))
        case .observation:
            self = .observation(
                try RobotObservation(fields),
                preceding: fields.has("preceding") ? try fields.featureList("preceding") : [],
                receivedNs: try fields.unsigned("received_ns")
            )
        case .chunk: self = .chunk(try RecordedChunk(fields))
        case .reset: self = .reset(try fields.robot())
        case .unsent: self = .unsent(try fields.robot(), try fields.episode())
        case .latency, .command, .status, .log: return nil
        }
    }
}

extension RecordingSession {
    fileprivate init(_ fields: RecordedFields) throws(RecordedMessageError) {
        let format = try fields.unsigned("format")
        let readable = Self.readableVersions
        guard readable.contains(format) else {
            throw fields.error(
                "format",
                "found \(format), expected \(readable.lowerBound) to \(readable.upperBound)"
            )
        }
        daemonVersion = try fields.string("daemon_version")
        let policy = try fields.object("policy")
        var features: [FeatureDescription] = []
        for feature in try policy.objects("features") {
            features.append(
                FeatureDescription(name: try feature.string("name"), count: try feature.count("count"))
            )
        }
        self.policy = PolicyDescription(
            name: try policy.string("name"),
            features: features,
            horizon: try policy.count("horizon"),
            nObsSteps: try policy.count("n_obs_steps"),
            nActionSteps: try policy.count("n_action_steps"),
            actionDim: try policy.count("action_dim")
        )
        let sampler = try fields.object("sampler")
        self.sampler = SamplerDescription(
            solver: try sampler.string("solver"),
            steps: try sampler.count("steps"),
            method: try sampler.choice("method"),
            window: try sampler.count("window"),
            tolerance: try sampler.number("tolerance"),
            kernel: try sampler.string("kernel"),
            budgetMs: try sampler.number("budget_ms")
        )
        setup = Setup(
            fingerprint: try fields.string("fingerprint"),
            seed: try fields.unsigned("seed"),
            threads: try fields.count("threads"),
            startsWarm: try fields.bool("warm_start")
        )
    }
}

extension RobotObservation {
    fileprivate init(_ fields: RecordedFields) throws(RecordedMessageError) {
        self.init(
            robot: try fields.robot(),
            episode: try fields.episode(),
            sequence: try fields.unsigned("sequence"),
            timeNs: try fields.unsigned("time_ns"),
            values: try fields.features("observation"),
            noiseSeed: fields.has("noise_seed") ? try fields.unsigned("noise_seed") : nil
        )
        replan = fields.has("replan") ? try fields.bool("replan") : nil
        session = fields.has("session") ? try fields.unsigned("session") : nil
    }
}

extension RecordedEvent.RecordedChunk {
    fileprivate init(_ fields: RecordedFields) throws(RecordedMessageError) {
        robot = try fields.robot()
        episode = try fields.episode()
        sequence = try fields.unsigned("sequence")
        noiseSeed = try fields.unsigned("noise_seed")
        let prefix = fields.has("sampled_action") ? "sampled_" : ""
        actions = try fields.rows(prefix + "action") + fields.rows(prefix + "beyond")
        frozen = fields.has("frozen") ? try fields.rows("frozen") : []
        quality = try fields.choice("quality")
        isGrouped = try fields.bool("grouped")
    }
}
