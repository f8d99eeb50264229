import CLinux
import Foundation
import Glibc

/// Why a thread cannot have a priority.
public struct RealTimePriorityError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The priority that was asked for.
    public let level: Int
    package let code: CInt

    /// The priority, what the system says and what it wants.
    public var description: String {
        let reason = String(cString: strerror(code))
        guard code == EPERM else { return "real-time priority \(level): \(reason)" }
        let limit = RealTimePriority.highestAllowed.map(String.init) ?? "unknown"
        return """
            real-time priority \(level): \(reason); the limit (ulimit -r, LimitRTPRIO= in a systemd unit) is \(limit), \
            expected at least \(level), or the capability CAP_SYS_NICE
            """
    }
}

/// A priority under Linux's first-in, first-out scheduling (`man 7 sched`): the thread runs as soon as it can, before every
/// thread that has none.
public struct RealTimePriority: Sendable, Hashable {
    /// What a priority may be; a higher one comes first. The kernel's own threads for interrupts have 50.
    public static let levels = 1...99

    /// The priority, in ``levels``.
    public let level: Int

    /// A priority that the system has been asked for, and has given.
    ///
    /// - Parameter level: in ``levels``.
    /// - Throws: ``RealTimePriorityError`` if the system gives the process no such priority.
    public init(_ level: Int) throws(RealTimePriorityError) {
        precondition(Self.levels.contains(level), "a real-time priority is in \(Self.levels)")
        self.level = level
        let asked = OneShot<Result<Void, RealTimePriorityError>>()
        let thread = Thread { [self] in
            dn_name_this_thread("priority")
            asked.set(Result { () throws(RealTimePriorityError) in try takeOnThisThread() })
        }
        thread.start()
        try asked.wait().get()
    }

    /// Gives the priority to the thread that calls, and not to threads that it starts.
    ///
    /// - Throws: ``RealTimePriorityError`` if the system has come to refuse it.
    package func takeOnThisThread() throws(RealTimePriorityError) {
        var parameters = sched_param()
        parameters.sched_priority = CInt(level)
        guard sched_setscheduler(0, SCHED_FIFO | CInt(SCHED_RESET_ON_FORK), &parameters) == 0 else {
            throw RealTimePriorityError(level: level, code: errno)
        }
    }

    /// The highest priority that the process may take without a capability, 0 for none; nil if the system does not say.
    fileprivate static var highestAllowed: UInt? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(__RLIMIT_RTPRIO.rawValue), &limit) == 0 else { return nil }
        return UInt(limit.rlim_cur)
    }
}
