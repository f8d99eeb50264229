import Clocks

/// Lets one line in a second through for each reason, and counts the others.
struct LogLimiter<Reason: Hashable> {
    private struct History {
        var last: MonotonicTime
        var suppressed = 0
    }

    private let intervalNs: UInt64
    private var histories: [Reason: History] = [:]

    init(intervalNs: UInt64 = 1_000_000_000) {
        self.intervalNs = intervalNs
    }

    /// Returns nil if the line is to be left out, else how many have been left out since the last one.
    mutating func admit(_ reason: Reason, now: MonotonicTime) -> Int? {
        if var history = histories[reason], now.elapsedNs(since: history.last) < intervalNs {
            history.suppressed += 1
            histories[reason] = history
            return nil
        }
        let suppressed = histories[reason]?.suppressed ?? 0
        histories[reason] = History(last: now)
        return suppressed
    }
}

/// Lets a number of lines a second through, and counts the others.
struct LogBudget {
    private static let linesPerSecond = 20
    private static let secondNs: UInt64 = 1_000_000_000

    private var began = MonotonicTime(nanoseconds: 0)
    private var lines = 0
    private var suppressed = 0

    /// Returns nil if the line is to be left out, else how many have been left out since the last one.
    mutating func admit(now: MonotonicTime) -> Int? {
        if now.elapsedNs(since: began) >= Self.secondNs { (began, lines) = (now, 0) }
        guard lines < Self.linesPerSecond else {
            suppressed += 1
            return nil
        }
        defer { (lines, suppressed) = (lines + 1, 0) }
        return suppressed
    }
}
