import Robotics

/// What the first message of a recording says: what is needed to compute its chunks again.
public struct RecordingSession: Sendable, Hashable {
    /// What only the one who starts the daemon knows.
    public struct Setup: Sendable, Hashable {
        /// `PolicyBundle.fileFingerprint()` of the first policy.
        public var fingerprint: String
        /// That of each other policy. A session that was read has them with the policies, and none here.
        public var furtherFingerprints: [String]
        /// The seed that noise seeds are derived from.
        public var seed: UInt64
        /// Threads for the network.
        public var threads: Int
        /// Whether a robot's chunk starts from its last one.
        public var startsWarm: Bool
        /// The steps of the first policy's chunk that starts from the robot's last one, re-noised; nil: chunks take all steps.
        public var warmSteps: Int?
        /// Those of each other policy; empty: chunks take all steps. A session that was read has them with the policies, and
        /// none here.
        public var furtherWarmSteps: [Int]

        /// A setup.
        public init(
            fingerprint: String,
            furtherFingerprints: [String] = [],
            seed: UInt64,
            threads: Int,
            startsWarm: Bool,
            warmSteps: Int? = nil,
            furtherWarmSteps: [Int] = []
        ) {
            self.fingerprint = fingerprint
            self.furtherFingerprints = furtherFingerprints
            self.seed = seed
            self.threads = threads
            self.startsWarm = startsWarm
            self.warmSteps = warmSteps
            self.furtherWarmSteps = furtherWarmSteps
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
    /// The first policy's name, features and sizes.
    public var policy: PolicyDescription
    /// How it sampled that policy.
    public var sampler: SamplerDescription
    /// The other policies; empty if there was one.
    public var furtherPolicies: [RecordedPolicy] = []
    /// What the daemon was started with.
    public var setup: Setup

    /// All policies, the first included.
    public var policies: [RecordedPolicy] {
        let first = RecordedPolicy(
            policy: policy,
            sampler: sampler,
            fingerprint: setup.fingerprint,
            warmSteps: setup.warmSteps
        )
        return [first] + furtherPolicies
    }
}

extension RecordingSession {
    /// What a daemon records first.
    ///
    /// - Parameters:
    ///   - policies: what it runs, at least one.
    ///   - setup: with the fingerprint of each, and the steps of its warm chunks.
    init(daemonVersion: String, policies: [ServedPolicy], setup: Setup) {
        self.init(
            daemonVersion: daemonVersion,
            policy: policies[0].policy,
            sampler: policies[0].sampler,
            setup: setup
        )
        let further = zip(policies.dropFirst(), setup.furtherFingerprints)
        furtherPolicies = further.enumerated().map { index, further in
            RecordedPolicy(
                policy: further.0.policy,
                sampler: further.0.sampler,
                fingerprint: further.1,
                warmSteps: setup.furtherWarmSteps.isEmpty ? nil : setup.furtherWarmSteps[index]
            )
        }
    }
}

/// A policy of a recording.
public struct RecordedPolicy: Sendable, Hashable {
    /// Its name, features and sizes.
    public var policy: PolicyDescription
    /// How the daemon sampled it.
    public var sampler: SamplerDescription
    /// `PolicyBundle.fileFingerprint()`.
    public var fingerprint: String
    /// The steps of a chunk that starts from the robot's last one, re-noised; nil: chunks take all steps, or the recording says
    /// it of its first policy alone.
    public var warmSteps: Int?
}
