import Robotics

/// What the first message of a recording says: what is needed to compute its chunks again.
public struct RecordingSession: Sendable, Hashable {
    /// What only the one who starts the daemon knows.
    public struct Setup: Sendable, Hashable {
        /// `PolicyBundle.fileFingerprint()`.
        public var fingerprint: String
        /// The seed that noise seeds are derived from.
        public var seed: UInt64
        /// Threads for the network.
        public var threads: Int
        /// Whether a robot's chunk starts from its last one.
        public var startsWarm: Bool

        /// A setup.
        public init(fingerprint: String, seed: UInt64, threads: Int, startsWarm: Bool) {
            self.fingerprint = fingerprint
            self.seed = seed
            self.threads = threads
            self.startsWarm = startsWarm
        }
    }

    /// The version in which recordings are written: of their topics and of what their messages mean.
    ///
    /// Format 1 had lists of lists for actions, an episode's id as a number or a string, and an object of robots in `status`.
    public static let formatVersion: UInt64 = 2
    /// The versions that a replay reads.
    public static let readableVersions: ClosedRange<UInt64> = 1...formatVersion

    /// The daemon that recorded.
    public var daemonVersion: String
    /// The policy's name, features and sizes.
    public var policy: PolicyDescription
    /// How it sampled.
    public var sampler: SamplerDescription
    /// What the daemon was started with.
    public var setup: Setup
}
