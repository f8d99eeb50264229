import Glibc

/// The clocks that time stamps come from.
public enum Clock {
    /// Nanoseconds of `CLOCK_MONOTONIC`: never set back, and without meaning on another machine.
    public static func monotonicNs() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }

    /// Nanoseconds since 1970 in UTC.
    public static func wallNs() -> UInt64 { nanoseconds(CLOCK_REALTIME) }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
