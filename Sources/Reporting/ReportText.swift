import Drawing
import ForeignText
import Foundation

/// How numbers and names stand on the page.
enum ReportText {
    /// With so many decimals, always.
    static func fixed(_ value: Double, _ decimals: Int) -> String {
        let text = String(format: "%.\(decimals)f", value)
        // A minus sign as wide as a plus, and none before zero.
        guard text.hasPrefix("-") else { return text }
        return text.contains { ("1"..."9").contains($0) }
            ? "\u{2212}" + text.dropFirst() : String(text.dropFirst())
    }

    /// A score, or a difference of scores without its sign.
    static func score(_ value: Double) -> String { fixed(value, 3) }

    /// A difference of scores.
    static func difference(_ value: Double) -> String {
        let text = fixed(value, 3)
        return value >= 0.0005 ? "+" + text : text
    }

    /// A share of 1 in percent.
    static func percent(_ share: Double) -> String { fixed(share * 100, 1) + " %" }

    /// With as few digits as say it to so many places: a tolerance, a budget.
    static func short(_ value: Double, places: Int = 3) -> String { String(format: "%.\(places)g", value) }

    static func milliseconds(_ time: Double) -> String { fixed(time, 3) }

    /// A probability.
    static func probability(_ value: Double) -> String { value < 0.001 ? "< 0.001" : fixed(value, 3) }

    static func interval(_ low: String, _ high: String) -> String { "\(low) to \(high)" }

    /// A name from a file.
    static func name(_ text: String) -> String { printable(text, limit: 80) }

    /// `1 episode`, `2 episodes`.
    static func count(_ number: Int, _ noun: String) -> String {
        "\(number) \(noun)\(number == 1 ? "" : "s")"
    }

    /// A sentence with code in it: what stands between two backticks.
    static func sentence(_ text: String) -> [HTML] {
        text.split(separator: "`", omittingEmptySubsequences: false).enumerated().map { index, part in
            index.isMultiple(of: 2) ? HTML(text: String(part)) : HTML("code", text: String(part))
        }
    }
}
