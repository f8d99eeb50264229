import NumPyRandom

extension Interval {
    /// Samples that a mean's interval is computed from.
    package static let resamples = 10_000
    /// Of more values than this, the interval is that of the normal distribution: the two agree by then, and drawing so
    /// many values again and again would take seconds.
    package static let mostResampledValues = 10_000

    /// The 95 % interval of the mean of some values: from the 2.5th to the 97.5th percentile of the means of ``resamples``
    /// samples of the same size, drawn from the values with replacement. It is the same in every run.
    ///
    /// `policies/training/score_intervals.py` draws the same samples, so that the two agree.
    /// Source: B. Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7, 1979.
    ///
    /// - Returns: nil for fewer than two values, which do not say how far they spread.
    package static func mean(_ values: [Double], seed: UInt64 = 0) -> Interval? {
        guard values.count > 1 else { return nil }
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        guard values.count <= mostResampledValues else {
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
            let half = normal95 * (variance / count).squareRoot()
            return Interval(estimate: mean, low: mean - half, high: mean + half)
        }
        // The same value throughout; what rounding would make of its sums is no interval.
        if values.allSatisfy({ $0 == values[0] }) {
            return Interval(estimate: values[0], low: values[0], high: values[0])
        }
        var random = PCG64(seed: seed)
        var means = (0..<resamples).map { _ in
            var sum = 0.0
            for _ in values.indices { sum += values[random.integer(in: 0..<values.count)] }
            return sum / count
        }
        means.sort()
        return Interval(
            estimate: mean,
            low: interpolated(means, percent: 2.5),
            high: interpolated(means, percent: 97.5)
        )
    }

    /// A percentile of sorted values between the two next to it, as `numpy.percentile` has it.
    private static func interpolated(_ sorted: [Double], percent: Double) -> Double {
        let place = percent / 100 * Double(sorted.count - 1)
        let index = min(Int(place), sorted.count - 2)
        return sorted[index] + (place - Double(index)) * (sorted[index + 1] - sorted[index])
    }
}
