import Foundation

/// How often times fell into ranges that follow one another. Each range is a sixteenth of an octave: its end is 4.4 % above its start.
package struct LatencyHistogram: Sendable, Hashable, Encodable {
    /// Ranges in which a time doubles.
    package static let bucketsPerOctave = 16
    /// Bucket 0 begins at one microsecond. Shorter times than 1/1024 of it, and longer ones than 2^40, are in the outermost buckets.
    private static let buckets = -10 * bucketsPerOctave...40 * bucketsPerOctave

    /// The number of the first range: it begins at 2^(firstBucket / 16) microseconds.
    package private(set) var firstBucket = 0
    /// How many times are in each range, from the first that has some to the last.
    package private(set) var counts: [Int] = []

    package init(milliseconds: some Sequence<Double>) {
        var found: [Int: Int] = [:]
        for time in milliseconds { found[Self.bucket(of: time), default: 0] += 1 }
        guard let first = found.keys.min(), let last = found.keys.max() else { return }
        firstBucket = first
        counts = (first...last).map { found[$0] ?? 0 }
    }

    /// - Returns: nil for buckets that there are not.
    package init?(firstBucket: Int, counts: [Int]) {
        guard counts.count <= Self.buckets.count, Self.buckets.contains(firstBucket),
            counts.isEmpty || Self.buckets.contains(firstBucket + counts.count - 1)
        else { return nil }
        (self.firstBucket, self.counts) = (firstBucket, counts)
    }

    /// Each range in milliseconds, and how many times are in it.
    package var bins: [(range: ClosedRange<Double>, count: Double)] {
        counts.enumerated().map { index, count in
            (Self.start(of: firstBucket + index)...Self.start(of: firstBucket + index + 1), Double(count))
        }
    }

    /// The upper end, in milliseconds, of the range that has the percentile (nearest rank); 0 if there are no times.
    ///
    /// - Parameter percent: 0 to 100.
    package func percentile(_ percent: Double) -> Double {
        let total = counts.reduce(0) { $0 + Double($1) }
        let rank = max((percent / 100 * total).rounded(.up), 1)
        var below = 0.0
        for (range, count) in bins {
            below += count
            if below >= rank { return range.upperBound }
        }
        return bins.last?.range.upperBound ?? 0
    }

    /// The times of both.
    package static func + (one: LatencyHistogram, other: LatencyHistogram) -> LatencyHistogram {
        guard !one.counts.isEmpty else { return other }
        guard !other.counts.isEmpty else { return one }
        var sum = one
        sum.firstBucket = min(one.firstBucket, other.firstBucket)
        let end = max(one.firstBucket + one.counts.count, other.firstBucket + other.counts.count)
        sum.counts = [Int](repeating: 0, count: end - sum.firstBucket)
        for histogram in [one, other] {
            for (index, count) in histogram.counts.enumerated() {
                sum.counts[histogram.firstBucket - sum.firstBucket + index] += count
            }
        }
        return sum
    }

    /// How many times there are.
    package var total: Int { counts.reduce(0, +) }

    /// In milliseconds.
    private static func start(of bucket: Int) -> Double {
        exp2(Double(bucket) / Double(bucketsPerOctave)) / 1e3
    }

    private static func bucket(of milliseconds: Double) -> Int {
        guard milliseconds > 0 else { return buckets.lowerBound }
        let bucket = (Double(bucketsPerOctave) * log2(milliseconds * 1e3)).rounded(.down)
        return Int(min(max(bucket, Double(buckets.lowerBound)), Double(buckets.upperBound)))
    }
}

/// The histograms of a run's stages, as `denoised sim --json` prints them.
package struct LatencyHistograms: Sendable, Encodable {
    package let bucketsPerOctave = LatencyHistogram.bucketsPerOctave
    package let stages: [String: LatencyHistogram]

    package init(_ stages: [String: LatencyHistogram]) { self.stages = stages }
}
