import Glibc

/// A moment by this machine's monotonic clock, `CLOCK_MONOTONIC`: the one kind of time for deadlines, periods and durations.
///
/// The clock is never set, and stands still while the machine is suspended. Its numbers mean nothing on another machine. A moment
/// may lie before the clock's beginning, as a robot's time stamp can. Sums and differences that no number holds stop at the ends,
/// so that a deadline ages away traps nobody.
public struct MonotonicTime: Sendable, Hashable, Comparable {
    /// Nanoseconds since the clock began; below 0 before that.
    public let nanoseconds: Int64

    /// The moment at which the clock shows so many nanoseconds.
    @inlinable
    public init(nanoseconds: some BinaryInteger) {
        self.nanoseconds = Int64(clamping: nanoseconds)
    }

    /// This moment.
    public static func now() -> MonotonicTime {
        // No system call: the kernel lends its clocks to the program (vDSO).
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// The clock's nanoseconds as messages have them; 0 before the clock's beginning.
    @inlinable
    public var unsignedNs: UInt64 { UInt64(clamping: nanoseconds) }

    /// Whether a moment is before another.
    @inlinable
    public static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Nanoseconds from another moment to this one; negative if the other is later.
    @inlinable
    public func nanoseconds(since other: MonotonicTime) -> Int64 {
        let (distance, overflow) = nanoseconds.subtractingReportingOverflow(other.nanoseconds)
        return overflow ? (nanoseconds < other.nanoseconds ? .min : .max) : distance
    }

    /// Nanoseconds that have passed since another moment; 0 if that is later.
    @inlinable
    public func elapsedNs(since other: MonotonicTime) -> UInt64 {
        UInt64(clamping: nanoseconds(since: other))
    }

    /// The moment so many nanoseconds later, or earlier if there are fewer than 0.
    @inlinable
    public func advanced(byNanoseconds count: some BinaryInteger) -> MonotonicTime {
        let distance = Int64(clamping: count)
        let (sum, overflow) = nanoseconds.addingReportingOverflow(distance)
        return MonotonicTime(nanoseconds: overflow ? (distance < 0 ? Int64.min : .max) : sum)
    }

    /// The moment a duration later.
    public static func + (time: MonotonicTime, duration: Duration) -> MonotonicTime {
        time.advanced(byNanoseconds: duration.wholeNanoseconds)
    }

    /// Moves a moment by a duration.
    public static func += (time: inout MonotonicTime, duration: Duration) { time = time + duration }

    /// The moment a duration earlier.
    public static func - (time: MonotonicTime, duration: Duration) -> MonotonicTime {
        time.advanced(byNanoseconds: (.zero - duration).wholeNanoseconds)
    }

    /// What passes from the second moment to the first.
    public static func - (left: MonotonicTime, right: MonotonicTime) -> Duration {
        .nanoseconds(left.nanoseconds(since: right))
    }
}

extension Duration {
    /// The duration in nanoseconds, cut to a whole number, and to the ends of `Int64` beyond them.
    fileprivate var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, isBeyond) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return isBeyond ? (seconds < 0 ? .min : .max) : sum
    }
}
