import Foundation

/// How two runs fared in the same episodes, if one counts only which of them succeeded.
package struct PairedOutcomes: Sendable, Hashable {
    /// Episodes in which both succeeded.
    package private(set) var both = 0
    /// Episodes in which only the first did.
    package private(set) var onlyFirst = 0
    /// Episodes in which only the second did.
    package private(set) var onlySecond = 0
    /// Episodes in which neither did.
    package private(set) var neither = 0

    /// - Parameter pairs: for each episode whether the first run succeeded, and whether the second did.
    package init(_ pairs: some Sequence<(Bool, Bool)>) {
        for pair in pairs {
            switch pair {
            case (true, true): both += 1
            case (true, false): onlyFirst += 1
            case (false, true): onlySecond += 1
            case (false, false): neither += 1
            }
        }
    }

    /// How likely it is, if both succeed alike, that the episodes which only one of them solved are divided as unevenly as they are,
    /// or more so: McNemar's test, exact and two-sided. 1 if there are none.
    ///
    /// Source: Q. McNemar, "Note on the Sampling Error of the Difference Between Correlated Proportions or Percentages",
    /// Psychometrika 12, 1947; the exact form is the sign test of the discordant pairs.
    package var pValue: Double {
        let count = onlyFirst + onlySecond
        guard count > 0 else { return 1 }
        // Of a fair coin thrown `count` times: the chance of so few heads, in logarithms, because 2^-count vanishes.
        let n = Double(count)
        var tail = 0.0
        for heads in 0...min(onlyFirst, onlySecond) {
            let k = Double(heads)
            let ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
            tail += exp(ways - n * log(2))
        }
        return min(2 * tail, 1)
    }
}
