import ForeignText

/// Short names of files that tell them apart.
enum RunLabels {
    /// For each file its name without the last extension; with it, or with the folders before it, if another file would be called the
    /// same.
    ///
    /// - Parameter files: paths, each of another file.
    static func labels(of files: [String]) -> [String] {
        let paths = files.map { $0.split(separator: "/").map(String.init) }
        var labels = paths.map { stem($0.last ?? "") }
        // How many folders each label has; the first time, the extension comes back.
        var folders = [Int](repeating: -1, count: files.count)
        for _ in 0..<32 {
            let counts = Dictionary(labels.map { ($0, 1) }, uniquingKeysWith: +)
            let ambiguous = labels.indices.filter { (counts[labels[$0]] ?? 0) > 1 }
            if ambiguous.isEmpty { break }
            for index in ambiguous {
                folders[index] += 1
                labels[index] = paths[index].suffix(folders[index] + 1).joined(separator: "/")
            }
        }
        return labels.map { printable($0.isEmpty ? "unnamed" : $0, limit: 60) }
    }

    private static func stem(_ name: String) -> String {
        guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
        return String(name[..<dot])
    }
}
