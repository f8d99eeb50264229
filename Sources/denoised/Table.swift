import Foundation
import Planning

/// Rows of text in aligned columns: the first column to the left, numbers to the right, or all columns to the left. On a terminal that
/// is too narrow the columns come in blocks, one below the other, each with the columns that say which row it is.
struct Table {
    private let header: [String]
    /// How many of the first columns say which row it is.
    private let keys: Int
    /// Whether every column is one of words.
    private let isText: Bool
    private var rows: [[String]] = []

    init(_ header: String..., keys: Int = 1, isText: Bool = false) {
        self.init(header, keys: keys, isText: isText)
    }

    init(_ header: [String], keys: Int = 1, isText: Bool = false) {
        self.header = header
        self.keys = keys
        self.isText = isText
    }

    mutating func add(_ cells: String...) { add(cells) }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// The lines of the table.
    ///
    /// - Parameter width: that they are to fit into, in characters; nil: any. A block has one column at least, however wide.
    func lines(fitting width: Int? = nil) -> [String] {
        let all = [header] + rows
        let widths = header.indices.map { column in
            all.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        let blocks = blocks(of: widths, fitting: width)
        return blocks.enumerated().flatMap { index, columns in
            (index > 0 ? [""] : []) + lines(of: columns, widths)
        }
    }

    func print() {
        let terminal = Terminal.output
        for line in lines(fitting: terminal.isTerminal ? terminal.size.columns : nil) { Console.result(line) }
    }

    /// The columns of each block.
    private func blocks(of widths: [Int], fitting width: Int?) -> [[Int]] {
        let keyColumns = Array(header.indices.prefix(keys))
        func needed(_ columns: [Int]) -> Int { columns.reduce(0) { $0 + 2 + widths[$1] } }
        guard let width, needed(Array(header.indices)) > width else { return [Array(header.indices)] }
        var blocks: [[Int]] = []
        var block = keyColumns
        for column in header.indices.dropFirst(keys) {
            if needed(block + [column]) > width, block.count > keys {
                blocks.append(block)
                block = keyColumns
            }
            block.append(column)
        }
        return blocks + [block]
    }

    private func lines(of columns: [Int], _ widths: [Int]) -> [String] {
        func line(_ cells: [String]) -> String {
            let padded = columns.map { column in
                let cell = column < cells.count ? cells[column] : ""
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 || isText ? cell + space : space + cell
            }
            let line = "  " + padded.joined(separator: "  ")
            return isText ? String(line.reversed().drop { $0 == " " }.reversed()) : line
        }
        let rule = "  " + columns.map { String(repeating: "-", count: widths[$0]) }.joined(separator: "  ")
        return [line(header), rule] + rows.map(line)
    }
}

/// `value` with a fixed number of decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
    String(format: "%.\(decimals)f", value)
}
