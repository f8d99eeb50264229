import Glibc

/// The wall clock, which people and other machines know, and which may be set forward and back. Its readings are plain numbers
/// named `wallNs`; `MonotonicTime` is the time for everything else.
public enum Clock {
    /// Nanoseconds since 1970 in UTC.
    public static func wallNs() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
