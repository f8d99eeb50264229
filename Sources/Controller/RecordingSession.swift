import Wire

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

    /// The recording's own version: of its topics and of what its messages mean.
    public static let formatVersion: UInt64 = 1

    /// The daemon that recorded.
    public var daemonVersion: String
    /// The policy's name, features and sizes.
    public var policy: InfoMessage.Policy
    /// How it sampled.
    public var sampler: InfoMessage.Sampler
    /// What the daemon was started with.
    public var setup: Setup
}
