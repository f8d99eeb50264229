/// Bounds how many messages a second each sender has read, so that one that floods makes no other's chunk late: a bucket for
/// each, that holds a second's messages and fills up at the same rate.
struct RateLimiter<Sender: Hashable> {
    private struct Bucket {
        var tokens: Double
        var filledNs: UInt64
    }

    private let perSecond: Double
    private let mostSenders: Int
    private var buckets: [Sender: Bucket] = [:]

    init(perSecond: Int, mostSenders: Int) {
        self.perSecond = Double(perSecond)
        self.mostSenders = mostSenders
    }

    /// Whether another message of the sender is to be read.
    mutating func admit(_ sender: Sender, nowNs: UInt64) -> Bool {
        // Full buckets are as good as none; where there are too many others, every sender starts with a full one again.
        if buckets.count >= mostSenders, buckets[sender] == nil {
            let full = perSecond
            buckets = buckets.filter {
                $0.value.tokens + Double(nowNs &- $0.value.filledNs) * 1e-9 * perSecond < full
            }
            if buckets.count >= mostSenders { buckets.removeAll() }
        }
        var bucket = buckets[sender] ?? Bucket(tokens: perSecond, filledNs: nowNs)
        bucket.tokens = min(
            bucket.tokens + Double(nowNs &- bucket.filledNs) * 1e-9 * perSecond,
            perSecond
        )
        bucket.filledNs = nowNs
        let isAdmitted = bucket.tokens >= 1
        if isAdmitted { bucket.tokens -= 1 }
        buckets[sender] = bucket
        return isAdmitted
    }
}
