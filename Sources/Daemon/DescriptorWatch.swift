import Clocks
import Glibc
import Logging

/// Notices when few file descriptors are left: without one, libzmq cannot take connections, and one of its threads spins.
struct DescriptorWatch {
    /// What is known of the descriptors at a time.
    enum Finding: Hashable {
        /// The lowest number that is free. All below are in use, for the system gives out the lowest.
        case lowestFree(Int)
        /// None is free.
        case none
    }

    /// The time between two looks, in nanoseconds: a look takes some microseconds.
    private static let intervalNs: UInt64 = 1_000_000_000
    /// The time between two lines of the log.
    private static let linesIntervalNs: UInt64 = 60_000_000_000

    private let look: () -> (finding: Finding, limit: Int)
    private var problem: String?
    private var looked: MonotonicTime?
    private var told: MonotonicTime?

    /// A watch that has not looked.
    init(look: @escaping () -> (finding: Finding, limit: Int) = Self.look) { self.look = look }

    /// Few are left when it is less: a twentieth of the limit, 32 at least.
    static func few(of limit: Int) -> Int { max(limit / 20, 32) }

    /// What is wrong, in words; nil if nothing is.
    static func problem(_ finding: Finding, limit: Int) -> String? {
        let left: Int
        switch finding {
        case .none: left = 0
        case .lowestFree(let number): left = max(limit - number, 0)
        }
        guard left < few(of: limit) else { return nil }
        return left == 0
            ? "no file descriptor is left of \(limit): nobody else can connect"
            : "at most \(left) of \(limit) file descriptors are left, and each connection takes one"
    }

    /// What was found at the last look, a second ago or less; the log is told as well, again each minute.
    ///
    /// - Parameter now: the present time.
    mutating func warning(now: MonotonicTime, logger: Logger) -> String? {
        if let looked, now.elapsedNs(since: looked) < Self.intervalNs { return problem }
        looked = now
        let (finding, limit) = look()
        problem = Self.problem(finding, limit: limit)
        guard let problem else {
            if told != nil { logger.notice("there are file descriptors again") }
            told = nil
            return nil
        }
        if told.map({ now.elapsedNs(since: $0) >= Self.linesIntervalNs }) ?? true {
            logger.warning("\(problem)")
            told = now
        }
        return problem
    }

    private static func look() -> (finding: Finding, limit: Int) {
        let limit = Int(clamping: DescriptorLimit.current)
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            // Where there is no such file, nothing is known.
            return (errno == EMFILE || errno == ENFILE ? .none : .lowestFree(0), limit)
        }
        close(descriptor)
        return (.lowestFree(Int(descriptor)), limit)
    }
}
