import MCAP
import Planning
import Robotics

/// What replaying needs of a recording's messages.
public enum RecordedEvent: Sendable {
    case session(RecordingSession)
    /// Messages are missing here.
    case gap(lost: UInt64)
    /// What a camera saw.
    case frame(RecordedFrame)
    /// An observation without its frames, with those before it that it brought along, and the daemon's monotonic clock when it was
    /// received.
    case observation(
        RobotObservation,
        preceding: [Observation] = [],
        frames: FrameNumbers = FrameNumbers(),
        receivedNs: UInt64
    )
    case chunk(RecordedChunk)
    /// A robot was forgotten. `policy`: the name of what drives it from then on; nil: the only policy, or none.
    case reset(RobotID, policy: String? = nil)
    /// A chunk was planned and not sent.
    case unsent(RobotID, EpisodeID)

    /// The frames that an observation has: their numbers, by camera.
    public struct FrameNumbers: Sendable, Hashable {
        /// Its own.
        public var own: [String: UInt64]
        /// Those of each observation that it brought along, oldest first; empty if they have none.
        public var preceding: [[String: UInt64]]

        /// The numbers of these frames.
        public init(own: [String: UInt64] = [:], preceding: [[String: UInt64]] = []) {
            self.own = own
            self.preceding = preceding
        }
    }

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
        /// The name of the policy that planned it; nil: the recording has one.
        public var policy: String?
        /// How its denoising steps were taken, with the window and tolerance in use; nil: as the session says.
        public var sampling: Sampling?

        /// A method with its window and tolerance.
        public struct Sampling: Sendable, Hashable {
            /// How denoising steps are taken.
            public var method: SamplingMethod
            /// The window in use; 1 if sequential.
            public var window: Int
            /// The tolerance, in the method's own unit; 0 if sequential.
            public var tolerance: Double

            /// A method with its window and tolerance.
            public init(method: SamplingMethod, window: Int, tolerance: Double) {
                self.method = method
                self.window = window
                self.tolerance = tolerance
            }
        }
    }

    /// Reads a message; nil for one that replaying has no use for.
    ///
    /// - Throws: ``RecordedMessageError``.
    public init?(_ message: RecordedMessage) throws(RecordedMessageError) {
        guard let kind = RecordedKind(schemaName: message.schema),
            ![.latency, .command, .status, .log].contains(kind)
        else { return nil }
        switch kind {
        case .session: self = .session(try RecordingSession.table.read(message))
        case .gap: self = .gap(lost: try RecordedGap.table.read(message).lost)
        case .frame:
            guard let frame = try RecordedFrame(message) else { return nil }
            self = .frame(frame)
        case .observation:
            let recorded = try RecordedObservation.replayed.read(message)
            self = .observation(
                recorded.observation,
                preceding: recorded.preceding,
                frames: FrameNumbers(own: recorded.frameNumbers, preceding: recorded.precedingFrameNumbers),
                receivedNs: recorded.receivedNs
            )
        case .chunk: self = .chunk(RecordedChunk(try RecordedChunkMessage.replayed.read(message)))
        case .reset:
            let recorded = try RecordedRobot.reset.read(message)
            self = .reset(recorded.robot, policy: recorded.policy)
        case .unsent:
            let recorded = try RecordedRobot.unsent.read(message)
            self = .unsent(recorded.robot, recorded.episode)
        case .latency, .command, .status, .log: return nil
        }
    }
}

extension RecordedEvent.RecordedChunk {
    fileprivate init(_ recorded: RecordedChunkMessage) {
        let chunk = recorded.chunk
        robot = chunk.robot
        episode = chunk.episode
        sequence = chunk.sequence
        noiseSeed = chunk.noiseSeed
        actions =
            (recorded.sampledActions?.values ?? chunk.actions)
            + (recorded.sampledActions == nil ? chunk.beyond : recorded.sampledBeyond?.values ?? [])
        frozen = chunk.frozen
        quality = chunk.sampling.quality
        isGrouped = recorded.isGrouped
        policy = chunk.policy
        sampling = Sampling(
            method: chunk.sampling.method,
            window: chunk.sampling.window,
            tolerance: chunk.sampling.tolerance
        )
    }
}
