import CLinux
import Glibc
import Logging

/// What a process that serves asks of the system for itself.
public enum ProcessLimits {
    /// More than what a message of the longest takes while it is read: what is kept of it serves the next.
    private static let keptBytes: Int32 = 8 << 20

    /// Makes the process ready to serve many connections: long messages cost no new memory each, and it may have as many file
    /// descriptors as the system allows it. ``MemoryReturn`` gives back what is kept.
    public static func prepareToServe(logger: Logger) {
        if !dn_keep_freed_blocks(keptBytes) { logger.debug("the C library keeps its own rule of memory") }
        do throws(DescriptorLimit.Refusal) {
            let limit = try DescriptorLimit.raise()
            logger.debug("\(limit) file descriptors at most")
        } catch {
            logger.warning("the limit of file descriptors stays at \(error.limit): \(error.reason)")
        }
    }
}

/// How many file descriptors the process may have. Each connection takes one.
enum DescriptorLimit {
    /// The system does not let the limit be raised.
    struct Refusal: Error {
        /// The limit as it stays.
        let limit: rlim_t
        /// What the system says.
        let reason: String
    }

    /// The limit that is in force.
    static var current: rlim_t { limits.rlim_cur }

    private static var limits: rlimit {
        var limits = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
        return limits
    }

    /// Raises the limit to the highest that needs no privilege. Returns what it is then.
    static func raise() throws(Refusal) -> rlim_t {
        let before = limits
        guard before.rlim_cur < before.rlim_max else { return before.rlim_cur }
        var raised = before
        raised.rlim_cur = raised.rlim_max
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 else {
            throw Refusal(limit: before.rlim_cur, reason: String(cString: strerror(errno)))
        }
        return raised.rlim_cur
    }
}
