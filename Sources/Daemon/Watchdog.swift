/// Tells a service manager that the daemon works, as long as it does.
///
/// The socket thread calls ``beat(nowNs:)`` on every turn of its loop. So the reports end when that thread hangs, and they
/// end when the planner has been at one piece of work for longer than is plausible: 30 s and ten times the longest that it
/// has taken so far. Then the service manager kills the daemon and starts it again.
///
/// A report is due twice within the time that the service manager allows. One that could not be sent is due again after a
/// tenth of that time.
public struct Watchdog: Sendable {
    /// What a planner that has not planned yet may take, in nanoseconds.
    static let patienceNs: UInt64 = 30_000_000_000

    private let intervalNs: UInt64
    private let report: @Sendable () -> Bool
    private var dueNs: UInt64 = 0
    private var planningSinceNs: UInt64?
    private var longestPlanNs: UInt64 = 0

    /// - Parameters:
    ///   - timeoutNs: the time, in nanoseconds, within which the service manager must hear a report; positive.
    ///   - report: sends one, without waiting; returns whether it was sent.
    public init(timeoutNs: UInt64, report: @escaping @Sendable () -> Bool) {
        precondition(timeoutNs > 0, "a watchdog's time is positive")
        intervalNs = max(timeoutNs / 2, 1)
        self.report = report
    }

    /// Whether the planner has been at its work for longer than is plausible.
    public func isPlannerHung(nowNs: UInt64) -> Bool {
        guard let planningSinceNs, nowNs > planningSinceNs else { return false }
        let (longest, overflow) = longestPlanNs.multipliedReportingOverflow(by: 10)
        let limit = Self.patienceNs.addingReportingOverflow(longest)
        return !overflow && !limit.overflow && nowNs - planningSinceNs > limit.partialValue
    }

    /// Reports, if a report is due and nothing hangs.
    ///
    /// - Parameter nowNs: the monotonic clock, in nanoseconds.
    public mutating func beat(nowNs: UInt64) {
        guard nowNs >= dueNs, !isPlannerHung(nowNs: nowNs) else { return }
        dueNs = nowNs + (report() ? intervalNs : max(intervalNs / 5, 1))
    }

    /// The monotonic clock, in nanoseconds, at which the loop must call ``beat(nowNs:)`` again.
    public func nextBeatNs(nowNs: UInt64) -> UInt64 {
        // A planner that hangs is not to make the loop spin.
        isPlannerHung(nowNs: nowNs) ? nowNs + intervalNs : dueNs
    }

    /// The planner has been given work.
    mutating func planningBegan(nowNs: UInt64) { planningSinceNs = nowNs }

    /// The planner has handed its work back.
    mutating func planningEnded(nowNs: UInt64) {
        guard let began = planningSinceNs else { return }
        planningSinceNs = nil
        longestPlanNs = max(longestPlanNs, nowNs > began ? nowNs - began : 0)
    }
}
