import Foundation
import Planning

/// Rows of text in aligned columns: the first column to the left, numbers to the right.
struct Table {
    private let header: [String]
    private var rows: [[String]] = []

    init(_ header: String...) { self.init(header) }

    init(_ header: [String]) { self.header = header }

    mutating func add(_ cells: String...) { add(cells) }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    var lines: [String] {
        let all = [header] + rows
        let widths = header.indices.map { column in
            all.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            let padded = cells.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + space : space + cell
            }
            return "  " + padded.joined(separator: "  ")
        }
        let rule = "  " + widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
        return [line(header), rule] + rows.map(line)
    }

    func print() {
        for line in lines { Console.result(line) }
    }
}

/// `value` with a fixed number of decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
    String(format: "%.\(decimals)f", value)
}
