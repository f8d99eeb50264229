import Foundation

/// What values an axis shows, and the place of each.
package struct Axis: Sendable {
    package struct Tick: Sendable, Hashable {
        package let value: Double
        package let label: String
    }

    package enum Scale: Sendable { case linear, logarithmic }

    package let scale: Scale
    package let low: Double
    package let high: Double
    package let ticks: [Tick]

    /// Where a value lies, from 0 at the axis's low end to 1 at its high one. What is beyond the ends lies on them.
    package func place(_ value: Double) -> Double {
        let share =
            switch scale {
            case .linear: (value - low) / (high - low)
            case .logarithmic: value > 0 ? log(value / low) / log(high / low) : 0
            }
        return share.isFinite ? min(max(share, 0), 1) : 0
    }

    /// An axis with about `count` round ticks.
    ///
    /// - Parameters:
    ///   - values: what it shows; all of it.
    ///   - within: values that there cannot be: the axis ends there at the latest.
    package static func linear(
        _ values: some Sequence<Double>,
        within bounds: ClosedRange<Double> = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude,
        count: Int = 5
    ) -> Axis {
        let values = values.filter(\.isFinite)
        var low = values.min() ?? 0
        var high = values.max() ?? 1
        if high - low < 1e-9 * max(abs(high), abs(low), 1) {
            let middle = max(abs(low) * 0.1, 0.05)
            (low, high) = (low - middle, high + middle)
        }
        let step = roundStep((high - low) / Double(count))
        low = max((low / step + 1e-9).rounded(.down) * step, bounds.lowerBound)
        high = min((high / step - 1e-9).rounded(.up) * step, bounds.upperBound)
        let digits = max(0, Int(-log10(step).rounded(.down)))
        let first = (low / step - 1e-9).rounded(.up)
        let ticks = (0...Int(((high / step + 1e-9).rounded(.down) - first))).map {
            let value = (first + Double($0)) * step
            let label = String(format: "%.\(digits)f", abs(value))
            return Tick(value: value, label: value < 0 ? "\u{2212}" + label : label)
        }
        return Axis(scale: .linear, low: low, high: high, ticks: ticks)
    }

    /// An axis on which equal distances are equal ratios, with ticks at 1, 2 and 5 times powers of ten, or at the powers alone if
    /// there are many.
    ///
    /// - Parameter values: those above 0 count.
    package static func logarithmic(_ values: some Sequence<Double>) -> Axis {
        let values = values.filter { $0 > 0 && $0.isFinite }
        var low = values.min() ?? 1
        var high = values.max() ?? 10
        if high / low < 2 { (low, high) = (low / 1.5, high * 1.5) }
        let decades = (Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up)))
        let fine = log10(high / low) < 2.2
        let ticks = decades.flatMap { decade in (fine ? [1, 2, 5] : [1]).map { $0 * pow(10, Double(decade)) }
        }
        .filter { $0 >= low * 0.999 && $0 <= high * 1.001 }
        // Between two ticks: its middle will do.
        let middle = Tick(
            value: (low * high).squareRoot(),
            label: String(format: "%.2g", (low * high).squareRoot())
        )
        return Axis(
            scale: .logarithmic,
            low: low,
            high: high,
            ticks: ticks.isEmpty ? [middle] : ticks.map { Tick(value: $0, label: shortest($0)) }
        )
    }

    /// 1, 2 or 5 times a power of ten, at least `size`.
    private static func roundStep(_ size: Double) -> Double {
        let magnitude = pow(10, log10(size).rounded(.down))
        return [1, 2, 5, 10].map { $0 * magnitude }.first { $0 >= size * 0.999 } ?? 10 * magnitude
    }

    private static func shortest(_ value: Double) -> String {
        let exponent = log10(value).rounded()
        let isPower = abs(value / pow(10, exponent) - 1) < 1e-9
        guard isPower, exponent < -3 || exponent > 5 else {
            return value >= 1 ? SVG.number(value, digits: 0) : String(format: "%g", value)
        }
        let raised = String(Int(exponent)).map { digit in
            digit == "-" ? "\u{207b}" : superscripts[digit.wholeNumberValue ?? 0]
        }
        return "10" + raised.joined()
    }

    private static let superscripts = [
        "\u{2070}", "\u{b9}", "\u{b2}", "\u{b3}", "\u{2074}", "\u{2075}", "\u{2076}", "\u{2077}", "\u{2078}",
        "\u{2079}",
    ]
}
