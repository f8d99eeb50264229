/// A policy that a daemon runs.
public struct ServedPolicy: Sendable, Hashable {
    /// Its name among the daemon's, its features and sizes.
    public var policy: PolicyDescription
    /// How it is sampled.
    public var sampler: SamplerDescription
    /// Bytes of its weights in memory.
    public var weightBytes: Int
    /// How far its calibration has come, in hundredths; 100: chunks are sampled as was asked for.
    public var calibrationPercent: UInt64

    /// A policy that is sampled in that way.
    public init(
        policy: PolicyDescription,
        sampler: SamplerDescription,
        weightBytes: Int = 0,
        calibrationPercent: UInt64 = 100
    ) {
        self.policy = policy
        self.sampler = sampler
        self.weightBytes = weightBytes
        self.calibrationPercent = calibrationPercent
    }
}
