/// An estimate and the interval that it is uncertain by.
package struct Interval: Sendable, Hashable {
    package let estimate: Double
    package let low: Double
    package let high: Double

    package init(estimate: Double, low: Double, high: Double) {
        self.estimate = estimate
        self.low = low
        self.high = high
    }

    /// Of the standard normal distribution: 95 % lies within so many standard deviations.
    static let normal95 = 1.959964
}

extension Interval {
    /// The 95 % interval of a proportion.
    ///
    /// Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927.
    /// - Parameters:
    ///   - successes: 0 to `count`.
    ///   - count: 1 or more.
    package static func wilson(successes: Int, of count: Int) -> Interval {
        precondition(count > 0 && (0...count).contains(successes), "no such proportion")
        let n = Double(count)
        let z2 = normal95 * normal95
        let share = Double(successes) / n
        let centre = (share + z2 / (2 * n)) / (1 + z2 / n)
        let half = normal95 * (share * (1 - share) / n + z2 / (4 * n * n)).squareRoot() / (1 + z2 / n)
        return Interval(estimate: share, low: max(centre - half, 0), high: min(centre + half, 1))
    }
}
