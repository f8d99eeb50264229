/// When a robot's commands are due: once a period of the daemon's monotonic clock, whatever observations say.
///
/// Commands fall on a grid that begins at a control step. One that went out late is followed by others nine tenths of a period
/// apart until they are on the grid again, so that no two commands come in a burst.
package struct CommandPacer: Sendable {
    /// From one command to the next, in nanoseconds.
    package let periodNs: Double
    /// A point of the grid.
    private var originNs: UInt64 = 0
    /// When the next command is due; nil if none is.
    package private(set) var dueNs: UInt64?
    /// When the last due time was used.
    private var lastNs: UInt64?
    /// Since when a command is missing if none goes out: the last one, or the first due time.
    private var sinceNs: UInt64 = 0

    /// The shortest time between two commands, in periods.
    package static let leastPeriods = 0.9
    /// Without a command for longer than this many periods and this many nanoseconds, a motion is over.
    private static let longestGapPeriods = 3.0
    private static let longestGapNs = 20e6

    /// - Parameter hz: commands a second, above 0.
    package init(hz: Double) { periodNs = 1e9 / hz }

    /// The shortest time between two commands, in nanoseconds.
    package var leastNs: UInt64 { UInt64(periodNs * Self.leastPeriods) }

    /// The longest time between two commands of one motion, in nanoseconds.
    package var longestGapNs: UInt64 { UInt64(max(periodNs * Self.longestGapPeriods, Self.longestGapNs)) }

    /// Has commands go out from now on, on a grid through `originNs`; does nothing if they do already.
    package mutating func start(at nowNs: UInt64, originNs: UInt64) {
        guard dueNs == nil else { return }
        self.originNs = originNs
        let earliestNs = max(nowNs, lastNs.map { $0 &+ leastNs } ?? 0)
        let firstNs = gridNs(from: earliestNs)
        (dueNs, sinceNs) = (firstNs, firstNs)
    }

    /// Brings the next command forward to the earliest time at which it may come; the robot is to be braked.
    package mutating func hasten(at nowNs: UInt64) {
        guard let dueNs, let lastNs else { return }
        self.dueNs = min(dueNs, max(nowNs, lastNs &+ leastNs))
    }

    /// Has no command go out from now on.
    package mutating func stop() { dueNs = nil }

    /// Uses the due time, if it has come. Returns whether it had.
    package mutating func take(at nowNs: UInt64) -> Bool {
        guard let dueNs, nowNs >= dueNs else { return false }
        (lastNs, sinceNs) = (nowNs, nowNs)
        self.dueNs = max(gridNs(from: dueNs + 1 + UInt64(periodNs / 1000)), nowNs + leastNs)
        return true
    }

    /// For how long no command has gone out although one was due; nil if that is no longer than a motion bears.
    package func pauseNs(at nowNs: UInt64) -> UInt64? {
        guard dueNs != nil, nowNs > sinceNs, nowNs - sinceNs > longestGapNs else { return nil }
        return nowNs - sinceNs
    }

    /// The first point of the grid that is not before a time.
    private func gridNs(from timeNs: UInt64) -> UInt64 {
        let away = Double(Int64(bitPattern: timeNs &- originNs))
        // Far from the origin a nanosecond is lost in a `Double`; a grid through the time itself will do.
        guard abs(away) < 1e15 else { return timeNs }
        let nextNs = originNs &+ UInt64(bitPattern: Int64(((away - 0.5) / periodNs).rounded(.up) * periodNs))
        return max(nextNs, timeNs)
    }
}
