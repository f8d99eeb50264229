/// How long single passes of the network took, by batch size.
public struct PassTimings {
    /// Element i for batches of i + 1.
    private var nanoseconds: [[Double]]

    /// Smallest number of passes that counts, unless they took `longestDisturbance` together. Of fewer, all may have been disturbed.
    private static let fewestPasses = 8
    /// Other work hardly holds up a pass for longer, in nanoseconds.
    private static let longestDisturbance = 50e6

    /// None yet.
    ///
    /// - Parameter maximumBatch: at least 1.
    public init(maximumBatch: Int) {
        nanoseconds = [[Double]](repeating: [], count: maximumBatch)
    }

    /// Adds a pass over `batch` samples, 1 to the maximum.
    public mutating func add(batch: Int, nanoseconds elapsed: Double) {
        nanoseconds[batch - 1].append(elapsed)
    }

    /// The middle one of the times of a batch size that has passes.
    public func median(batch: Int) -> Double { quantile(0.5, batch: batch) }

    /// Times of passes that no other load disturbed, shape [maximumBatch]. For batch sizes with enough passes, and for the
    /// largest, it is the 10th percentile; other sizes are interpolated linearly.
    ///
    /// Other load makes passes longer and never shorter. The shortest of many are the same with and without it, as long as
    /// some passes ran undisturbed.
    ///
    /// - Precondition: There is a pass of batch 1 and one of the largest batch.
    var undisturbed: [Double] {
        var times: [Double] = []
        for batch in 1...nanoseconds.count {
            let isEnd = batch == 1 || batch == nanoseconds.count
            guard isEnd || isEnough(nanoseconds[batch - 1]) else { continue }
            let time = quantile(0.1, batch: batch)
            let smaller = times.count
            let smallerTime = times.last ?? time
            for between in smaller + 1...batch {
                let part = Double(between - smaller) / Double(batch - smaller)
                times.append(smallerTime + part * (time - smallerTime))
            }
        }
        return times
    }

    private func isEnough(_ times: [Double]) -> Bool {
        times.count >= Self.fewestPasses || times.reduce(0, +) >= Self.longestDisturbance
    }

    private func quantile(_ part: Double, batch: Int) -> Double {
        let sorted = nanoseconds[batch - 1].sorted()
        return sorted[Int(Double(sorted.count - 1) * part)]
    }
}
