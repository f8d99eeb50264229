import CLinux
import Clocks
import Glibc

/// A timer that wakes a thread which waits in ``ZeroMQSocket/wait(for:wakeUp:alarm:timeout:)`` at a time to the
/// microsecond, where a timeout has whole milliseconds. For the thread that made it.
public final class Alarm {
    let descriptor: Int32
    private var due: MonotonicTime?

    /// - Throws: ``ZeroMQError`` if the system has no descriptor left.
    public init() throws(ZeroMQError) {
        descriptor = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_NONBLOCK) | Int32(TFD_CLOEXEC))
        guard descriptor >= 0 else { throw ZeroMQError("make a timer", code: errno) }
    }

    deinit { close(descriptor) }

    /// Rings at a time, at once if that is over, and no longer at any other.
    public func set(to due: MonotonicTime) throws(ZeroMQError) {
        guard self.due != due else { return }
        var time = itimerspec()
        // An expiry of 0 would disarm it.
        let expiry = max(due.nanoseconds, 1)
        time.it_value.tv_sec = time_t(expiry / 1_000_000_000)
        time.it_value.tv_nsec = Int(expiry % 1_000_000_000)
        guard timerfd_settime(descriptor, Int32(TFD_TIMER_ABSTIME), &time, nil) == 0 else {
            throw ZeroMQError("set a timer", code: errno)
        }
        self.due = due
    }

    /// Takes back that it rang.
    func clear() {
        var expirations: UInt64 = 0
        _ = read(descriptor, &expirations, 8)
        due = nil
    }
}
