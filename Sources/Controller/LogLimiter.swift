/// Lets one line in a second through for each reason, and counts the others.
struct LogLimiter<Reason: Hashable> {
    private struct History {
        var lastNs: UInt64
        var suppressed = 0
    }

    private let intervalNs: UInt64
    private var histories: [Reason: History] = [:]

    init(intervalNs: UInt64 = 1_000_000_000) {
        self.intervalNs = intervalNs
    }

    /// Returns nil where the line is to be left out, else how many have been left out since the last one.
    mutating func admit(_ reason: Reason, nowNs: UInt64) -> Int? {
        if var history = histories[reason], nowNs < history.lastNs + intervalNs {
            history.suppressed += 1
            histories[reason] = history
            return nil
        }
        let suppressed = histories[reason]?.suppressed ?? 0
        histories[reason] = History(lastNs: nowNs)
        return suppressed
    }
}
