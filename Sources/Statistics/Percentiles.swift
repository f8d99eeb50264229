/// Order statistics of a set of measurements.
package struct Percentiles {
    private let sorted: [Double]

    package init(_ values: some Sequence<Double>) {
        self.sorted = values.sorted()
    }

    /// The smallest measurement that at least `percent` of all measurements do not exceed (nearest rank);
    /// 0 if there are none.
    package subscript(percent: Double) -> Double {
        guard !sorted.isEmpty else { return 0 }
        let rank = (percent / 100 * Double(sorted.count)).rounded(.up)
        return sorted[min(max(Int(rank), 1), sorted.count) - 1]
    }
}
