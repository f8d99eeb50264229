import Robotics
import Wire

/// What there is to tell of a daemon at a time.
public struct DaemonSnapshot: Sendable {
    /// The daemon's version.
    public var version: String
    /// What it runs, and how it samples that; empty until it is known.
    public var policies: [ServedPolicy]
    /// Its last heartbeat; nil before the first.
    public var status: StatusMessage?
    /// What is wrong with it, in words; empty if it works.
    public var failures: [String]
    /// The monotonic clock, in nanoseconds.
    public var nowNs: UInt64

    /// A snapshot of these parts.
    public init(
        version: String,
        policies: [ServedPolicy],
        status: StatusMessage?,
        failures: [String],
        nowNs: UInt64
    ) {
        self.version = version
        self.policies = policies
        self.status = status
        self.failures = failures
        self.nowNs = nowNs
    }
}
