/// A line of a terminal page: pieces of text, each with its meaning.
public struct StyledLine: Sendable, Hashable {
    /// What a piece of text means; the terminal shows it in its own palette.
    public enum Style: Sendable, Hashable {
        case plain, heading, faint, good, warning, bad

        fileprivate var code: String? {
            switch self {
            case .plain: nil
            case .heading: "1"
            case .faint: "2"
            case .good: "32"
            case .warning: "33"
            case .bad: "31"
            }
        }
    }

    /// A piece of text of one style.
    struct Piece: Sendable, Hashable {
        let text: String
        let style: Style

        /// What cannot be printed becomes a question mark: a name out of a message must not steer the terminal.
        init(_ text: String, _ style: Style = .plain) {
            let isPrintable = { (scalar: Unicode.Scalar) in
                scalar.properties.generalCategory != .control && scalar.properties.generalCategory != .format
            }
            self.text =
                text.unicodeScalars.allSatisfy(isPrintable)
                ? text
                : String(String.UnicodeScalarView(text.unicodeScalars.map { isPrintable($0) ? $0 : "?" }))
            self.style = style
        }
    }

    private(set) var pieces: [Piece]

    init(_ pieces: Piece...) { self.pieces = pieces }

    /// The text alone.
    public var plain: String {
        var text = pieces.map(\.text).joined()
        while text.last == " " { text.removeLast() }
        return text
    }

    /// The text with the terminal's escape sequences for its styles.
    public var colored: String {
        pieces.map { piece in piece.style.code.map { "\u{1b}[\($0)m\(piece.text)\u{1b}[0m" } ?? piece.text }
            .joined()
    }

    /// Its length in characters.
    var count: Int { pieces.reduce(0) { $0 + $1.text.count } }

    mutating func append(_ piece: Piece) { pieces.append(piece) }

    static func + (left: StyledLine, right: StyledLine) -> StyledLine {
        var line = left
        line.pieces += right.pieces
        return line
    }

    /// The line padded with spaces, or cut, to a number of characters.
    func fitted(to count: Int) -> StyledLine {
        var line = cut(to: count)
        if line.count < count { line.append(Piece(String(repeating: " ", count: count - line.count))) }
        return line
    }

    /// The line's first characters; where that is not all of it, the last of them is `…`.
    func cut(to limit: Int) -> StyledLine {
        guard count > limit else { return self }
        var line = StyledLine()
        var left = max(limit - 1, 0)
        for piece in pieces where left > 0 {
            let text = String(piece.text.prefix(left))
            left -= text.count
            line.append(Piece(text, piece.style))
        }
        if limit > 0 { line.append(Piece("…", .faint)) }
        return line
    }
}
