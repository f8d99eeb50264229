import Files
import ForeignText
import Yams

/// Why a file is not taken as YAML.
package struct YAMLRefusal: Error, Sendable, Hashable {
    /// Where in the file, from 1; nil: it is about the whole file, or not known.
    package let line: Int?
    /// What was found and what was expected, without the line.
    package let message: String

    init(line: Int? = nil, _ message: String) {
        self.line = line
        self.message = message
    }
}

/// Reads YAML files that people write: short ones, without anchors, aliases and deep nesting, and with every key once.
package enum StrictYAML {
    /// The longest file that is read, in bytes.
    package static let longestFile = 1 << 16
    private static let deepest = 16

    /// The text of a file, which must be a regular one.
    package static func text(ofFile path: String) throws(YAMLRefusal) -> String {
        let data: [UInt8]
        do throws(FileRefusal) {
            data = try RegularFile(path).read(upTo: longestFile + 1)
        } catch {
            throw YAMLRefusal(error.description)
        }
        guard data.count <= longestFile else {
            throw YAMLRefusal("longer than \(longestFile) bytes, which is the longest that is read")
        }
        guard let text = String(validating: data, as: UTF8.self) else { throw YAMLRefusal("not UTF-8 text") }
        return text
    }

    /// The value of a text; nil if the text is empty, or has comments alone.
    package static func value(of text: String) throws(YAMLRefusal) -> Node? {
        // A byte order mark is no part of the text.
        let text = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
        try checkForm(of: text)
        do {
            return try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw refusal(error)
        } catch {
            throw YAMLRefusal("not YAML: \(printable("\(error)", limit: 300))")
        }
    }

    /// The parser's own text repeats the line at which it stopped, however long that is.
    private static func refusal(_ error: YamlError) -> YAMLRefusal {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let place = context.map { " (\($0.text), line \($0.mark.line))" } ?? ""
            return YAMLRefusal(line: mark.line, "not YAML: \(printable(problem + place, limit: 300))")
        case .duplicatedKeysInMapping(let names, let context):
            let names = names.sorted().prefix(8).map { printable($0, limit: 64) }.joined(separator: ", ")
            return YAMLRefusal(
                line: context.mark.line,
                "not YAML: \(names): given twice in one mapping, expected once"
            )
        default:
            return YAMLRefusal("not YAML: \(printable("\(error)", limit: 300))")
        }
    }

    /// Turns away what such a file has no use for and what is costly to read: anchors and aliases, by which a small text
    /// stands for a huge one, and deep nesting.
    private static func checkForm(of text: String) throws(YAMLRefusal) {
        var depth = 0
        var line = 1
        var previous: Unicode.Scalar = " "
        // An anchor or alias, if a name follows.
        var indicator: Unicode.Scalar?
        var (isComment, isQuoted) = (false, false)
        for scalar in text.unicodeScalars {
            let isBreak = scalar.properties.isWhitespace && scalar != " " && scalar != "\t"
            if let indicator, !isBreak, !" \t\"',]}".unicodeScalars.contains(scalar) {
                throw YAMLRefusal(
                    line: line,
                    "found \(indicator), expected a file without anchors and aliases"
                )
            }
            indicator = nil
            let begins = previous.properties.isWhitespace || "[{,:".unicodeScalars.contains(previous)
            defer { previous = scalar }
            if isBreak { (isComment, isQuoted) = (false, false) }
            // What ends a line for the parser: CR and LF together end one.
            if scalar == "\r" || (scalar == "\n" && previous != "\r") { line += 1 }
            if scalar == "\"" || scalar == "'" { isQuoted = true }
            // After a quote in its line, a # may be text.
            if scalar == "#", previous.properties.isWhitespace, !isQuoted { isComment = true }
            guard !isComment else { continue }
            switch scalar {
            case "&" where begins, "*" where begins:
                indicator = scalar
            case "[", "{": depth += 1
            case "]", "}": depth -= 1
            default: break
            }
            guard depth <= deepest else {
                throw YAMLRefusal(
                    line: line,
                    "found brackets nested deeper than \(deepest), which is the deepest that is read"
                )
            }
        }
    }
}
