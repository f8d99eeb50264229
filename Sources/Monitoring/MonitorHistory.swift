import Wire

/// What a monitor remembers of a daemon's heartbeats: enough for rates, and for when an error occurred last.
public struct MonitorHistory: Sendable {
    /// A count of something that goes wrong.
    struct Trouble: Sendable, Hashable {
        /// How often it has occurred since the daemon started.
        var count: UInt64
        /// When the count was seen to rise last, by the monitor's monotonic clock in nanoseconds; nil if it has not risen
        /// since the first heartbeat.
        var roseNs: UInt64?
    }

    /// Rates are over so long, in nanoseconds.
    static let recentNs: UInt64 = 5_000_000_000

    /// The newest heartbeat.
    public var latest: StatusMessage? { recent.last }
    /// When it came, by the monitor's monotonic clock in nanoseconds.
    public private(set) var receivedNs: UInt64?
    private(set) var troubles: [String: Trouble] = [:]
    private var recent: [StatusMessage] = []

    /// No heartbeat yet.
    public init() {}

    /// Takes a heartbeat in. Returns whether it is from another daemon than those before it, or one that was started again;
    /// those are forgotten then.
    @discardableResult
    public mutating func receive(_ status: StatusMessage, nowNs: UInt64) -> Bool {
        let isFromAnother = latest.map { Self.startNs(of: $0) != Self.startNs(of: status) } ?? false
        if isFromAnother {
            recent = []
            troubles = [:]
        }
        let isFirst = recent.isEmpty
        for (name, count) in Self.counts(of: status.statistics) where count > 0 {
            let before = troubles[name]?.count ?? 0
            guard count != before else { continue }
            troubles[name] = Trouble(count: count, roseNs: isFirst ? nil : nowNs)
        }
        recent.append(status)
        // One that is older than that is kept, so that the whole time is covered.
        while recent.count > 2, status.monotonicNs - recent[1].monotonicNs >= Self.recentNs {
            recent.removeFirst()
        }
        receivedNs = nowNs
        return isFromAnother
    }

    /// By how much a count rose in a second, over the newest heartbeats; nil if fewer than two heartbeats have it.
    func rate(_ count: (StatusMessage) -> UInt64?) -> Double? {
        guard let last = recent.last, let lastCount = count(last) else { return nil }
        for status in recent.dropLast() {
            guard let firstCount = count(status), firstCount <= lastCount,
                last.monotonicNs > status.monotonicNs
            else { continue }
            return Double(lastCount - firstCount) * 1e9 / Double(last.monotonicNs - status.monotonicNs)
        }
        return nil
    }

    /// When the daemon started, by its own monotonic clock: a heartbeat's two times are of the same moment.
    private static func startNs(of status: StatusMessage) -> UInt64 {
        status.monotonicNs &- status.statistics.uptimeNs
    }

    private static func counts(of statistics: DaemonStatistics) -> [String: UInt64] {
        var counts = [
            "late chunk": statistics.lateChunks,
            "limit violation": statistics.limitViolations,
            "planner error": statistics.plannerErrors,
        ]
        for (reason, count) in statistics.rejectedMessages { counts["rejected: \(reason)"] = count }
        return counts
    }
}
