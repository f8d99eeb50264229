/// Which keys somebody may have meant who wrote one that does not exist.
extension ConfigurationTable {
    private static let mostSuggestions = 3

    /// The paths of keys or sections that are meant, it seems; none if nothing is alike.
    ///
    /// - Parameter path: from the top, as it was written; an option's name (`budget-ms`) counts too.
    package func suggestions(for path: String) -> [String] {
        let wanted = Self.comparable(path)
        let name = Self.lastName(of: wanted)
        // In another section, or by the option's name.
        let exact = keys.filter { Self.lastName(of: $0.path) == name || Self.comparable($0.option) == name }
        let candidates = keys.map(\.path) + sections.sorted()
        guard exact.isEmpty else {
            let paths = exact.map(\.path)
            // A letter too many or too few is as likely as another section.
            let near = candidates.filter { !paths.contains($0) && Self.distance(wanted, $0) == 1 }
            return Array((near + paths).prefix(Self.mostSuggestions))
        }

        let distances = candidates.map { candidate in
            min(
                Self.distance(wanted, candidate),
                Self.distance(name, Self.lastName(of: candidate))
            )
        }
        // A third of the letters may be wrong.
        guard let least = distances.min(), least <= max(1, name.count / 3) else { return [] }
        let nearest = zip(candidates, distances).filter { $0.1 == least }.map(\.0)
        return Array(nearest.prefix(Self.mostSuggestions))
    }

    /// A name as keys are written: `--Budget-MS` as `budget_ms`.
    private static func comparable(_ text: String) -> String {
        String(text.lowercased().replacing("-", with: "_").drop { $0 == "_" }.prefix(128))
    }

    private static func lastName(of path: String) -> String {
        path.lastIndex(of: ".").map { String(path[path.index(after: $0)...]) } ?? path
    }

    /// How many letters are to be added, removed, replaced or swapped with their neighbour, to get from one text to the other
    /// (optimal string alignment: no letter is touched twice).
    static func distance(_ first: String, _ second: String) -> Int {
        let (first, second) = (Array(first.unicodeScalars), Array(second.unicodeScalars))
        var rows = [Array(0...second.count)]
        for i in first.indices {
            var row = [i + 1]
            for j in second.indices {
                let isSame = first[i] == second[j]
                var best = min(rows[i][j] + (isSame ? 0 : 1), rows[i][j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, first[i] == second[j - 1], first[i - 1] == second[j] {
                    best = min(best, rows[i - 1][j - 1] + 1)
                }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[first.count][second.count]
    }
}
