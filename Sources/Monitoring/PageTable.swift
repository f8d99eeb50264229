/// A table of a page: text to the left of its column, numbers to the right.
struct PageTable {
    /// Where a column's cells stand.
    enum Alignment { case left, right }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[StyledLine.Piece]] = []

    init(_ columns: (String, Alignment)...) { self.init(columns) }

    init(_ columns: [(String, Alignment)]) { self.columns = columns.map { ($0.0, $0.1) } }

    mutating func add(_ cells: StyledLine.Piece...) { add(cells) }

    mutating func add(_ cells: [StyledLine.Piece]) { rows.append(cells) }

    /// The header and the rows, two spaces between columns.
    var lines: [StyledLine] {
        let header = columns.map { StyledLine.Piece($0.title, .faint) }
        let all = [header] + rows
        let widths = columns.indices.map { column in all.map { $0[column].text.count }.max() ?? 0 }
        return all.map { cells in
            var line = StyledLine()
            for (column, cell) in cells.enumerated() {
                let space = StyledLine.Piece(String(repeating: " ", count: widths[column] - cell.text.count))
                if column > 0 { line.append(StyledLine.Piece("  ")) }
                switch columns[column].alignment {
                case .left:
                    line.append(cell)
                    if column + 1 < columns.count { line.append(space) }
                case .right:
                    line.append(space)
                    line.append(cell)
                }
            }
            return line
        }
    }
}
