import Clocks

/// When a robot's commands are due: once a period of the daemon's monotonic clock, whatever observations say.
///
/// Commands fall on a grid that begins at a control step. One that went out late is followed by others nine tenths of a period
/// apart until they are on the grid again, so that no two commands come in a burst.
package struct CommandPacer: Sendable {
    /// From one command to the next, in nanoseconds.
    package let periodNs: Double
    /// A point of the grid.
    private var origin = MonotonicTime(nanoseconds: 0)
    /// When the next command is due; nil if none is.
    package private(set) var due: MonotonicTime?
    /// When the last due time was used.
    private var last: MonotonicTime?
    /// Since when a command is missing if none goes out: the last one, or the first due time.
    private var since = MonotonicTime(nanoseconds: 0)

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

    /// Has commands go out from now on, on a grid through `origin`; does nothing if they do already.
    package mutating func start(at now: MonotonicTime, origin: MonotonicTime) {
        guard due == nil else { return }
        self.origin = origin
        let earliest = last.map { max(now, $0.advanced(byNanoseconds: leastNs)) } ?? now
        let first = grid(from: earliest)
        (due, since) = (first, first)
    }

    /// Brings the next command forward to the earliest time at which it may come; the robot is to be braked.
    package mutating func hasten(at now: MonotonicTime) {
        guard let due, let last else { return }
        self.due = min(due, max(now, last.advanced(byNanoseconds: leastNs)))
    }

    /// Has no command go out from now on.
    package mutating func stop() { due = nil }

    /// Uses the due time, if it has come. Returns whether it had.
    package mutating func take(at now: MonotonicTime) -> Bool {
        guard let due, now >= due else { return false }
        (last, since) = (now, now)
        self.due = max(
            grid(from: due.advanced(byNanoseconds: 1 + UInt64(periodNs / 1000))),
            now.advanced(byNanoseconds: leastNs)
        )
        return true
    }

    /// For how long no command has gone out although one was due; nil if that is no longer than a motion bears.
    package func pauseNs(at now: MonotonicTime) -> UInt64? {
        guard due != nil, now.elapsedNs(since: since) > longestGapNs else { return nil }
        return now.elapsedNs(since: since)
    }

    /// The first point of the grid that is not before a time.
    private func grid(from time: MonotonicTime) -> MonotonicTime {
        let away = Double(time.nanoseconds(since: origin))
        // Far from the origin a nanosecond is lost in a `Double`; a grid through the time itself will do.
        guard abs(away) < 1e15 else { return time }
        let next = origin.advanced(
            byNanoseconds: Int64(((away - 0.5) / periodNs).rounded(.up) * periodNs)
        )
        return max(next, time)
    }
}
