import Clocks

/// Tells a service manager that the daemon works, as long as it does.
///
/// The socket thread calls ``beat(now:)`` on every turn of its loop. So the reports end when that thread hangs, and they
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
    private var due = MonotonicTime(nanoseconds: 0)
    private var planningSince: MonotonicTime?
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
    public func isPlannerHung(now: MonotonicTime) -> Bool {
        guard let planningSince else { return false }
        let (longest, overflow) = longestPlanNs.multipliedReportingOverflow(by: 10)
        let limit = Self.patienceNs.addingReportingOverflow(longest)
        return !overflow && !limit.overflow && now.elapsedNs(since: planningSince) > limit.partialValue
    }

    /// Reports, if a report is due and nothing hangs.
    ///
    /// - Parameter now: the present time.
    public mutating func beat(now: MonotonicTime) {
        guard now >= due, !isPlannerHung(now: now) else { return }
        due = now.advanced(byNanoseconds: report() ? intervalNs : max(intervalNs / 5, 1))
    }

    /// When the loop must call ``beat(now:)`` again.
    public func nextBeat(now: MonotonicTime) -> MonotonicTime {
        // A planner that hangs is not to make the loop spin.
        isPlannerHung(now: now) ? now.advanced(byNanoseconds: intervalNs) : due
    }

    /// The planner has been given work.
    mutating func planningBegan(now: MonotonicTime) { planningSince = now }

    /// The planner has handed its work back.
    mutating func planningEnded(now: MonotonicTime) {
        guard let began = planningSince else { return }
        planningSince = nil
        longestPlanNs = max(longestPlanNs, now.elapsedNs(since: began))
    }
}
