import Clocks
import Planning

/// Whether a daemon works, and if not, why.
public struct DaemonHealth: Sendable, Hashable {
    /// What is wrong, in words; empty if nothing is.
    public let failures: [String]

    /// Whether nothing is wrong.
    public var isWorking: Bool { failures.isEmpty }

    /// Without a heartbeat for so long, the socket thread counts as hung. It sends ten a second.
    public static let longestSilenceNs: UInt64 = 2_000_000_000
    /// At one chunk for so long, the planner counts as hung.
    public static let longestPlanNs: UInt64 = Watchdog.patienceNs

    /// The health at a time.
    ///
    /// - Parameters:
    ///   - heartbeat: when the socket thread sent its last heartbeat; nil if it has sent none.
    ///   - planningSince: since when the planner has been at one chunk; nil if it is at none.
    ///   - now: the present time.
    public init(heartbeat: MonotonicTime?, planningSince: MonotonicTime?, now: MonotonicTime) {
        func age(_ since: MonotonicTime) -> UInt64 { now.elapsedNs(since: since) }
        func seconds(_ nanoseconds: UInt64) -> String {
            let tenths = nanoseconds / 100_000_000
            return "\(tenths / 10).\(tenths % 10) s"
        }
        var failures: [String] = []
        if let heartbeat {
            let silence = age(heartbeat)
            if silence > Self.longestSilenceNs {
                failures.append("the socket thread has sent no heartbeat for \(seconds(silence))")
            }
        } else {
            failures.append("the socket thread has sent no heartbeat yet")
        }
        if let planning = planningSince.map(age), planning > Self.longestPlanNs {
            failures.append("the planner has been at one chunk for \(seconds(planning))")
        }
        self.failures = failures
    }
}
