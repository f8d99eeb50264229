import Clocks

/// Bounds how many messages a second each sender has read, so that one that floods makes no other's chunk late: a bucket for
/// each, that holds a second's messages and fills up at the same rate. A long message counts as several.
struct RateLimiter<Sender: Hashable> {
    private struct Bucket {
        var tokens: Double
        var filled: MonotonicTime
    }

    /// A message counts as one for each so many bytes begun.
    private let countedBytes: Int
    private let perSecond: Double
    private let mostSenders: Int
    private var buckets: [Sender: Bucket] = [:]

    init(perSecond: Int, countedBytes: Int = 4096, mostSenders: Int) {
        self.countedBytes = countedBytes
        self.perSecond = Double(perSecond)
        self.mostSenders = mostSenders
    }

    /// Whether another message of the sender, of so many bytes, is to be read.
    mutating func admit(_ sender: Sender, bytes: Int = 0, now: MonotonicTime) -> Bool {
        // Full buckets are as good as none; if there are too many others, every sender starts with a full one again.
        if buckets.count >= mostSenders, buckets[sender] == nil {
            let full = perSecond
            buckets = buckets.filter {
                $0.value.tokens + Double(now.elapsedNs(since: $0.value.filled)) * 1e-9 * perSecond < full
            }
            if buckets.count >= mostSenders { buckets.removeAll() }
        }
        var bucket = buckets[sender] ?? Bucket(tokens: perSecond, filled: now)
        bucket.tokens = min(
            bucket.tokens + Double(now.elapsedNs(since: bucket.filled)) * 1e-9 * perSecond,
            perSecond
        )
        bucket.filled = now
        // Never more than a full bucket, or the longest messages would never be read.
        let cost = min(Double(max((bytes - 1) / countedBytes + 1, 1)), perSecond)
        let isAdmitted = bucket.tokens >= cost
        if isAdmitted { bucket.tokens -= cost }
        buckets[sender] = bucket
        return isAdmitted
    }
}
