import ForeignText
import Yams

/// Reads the fields of a YAML mapping; each error names the field by its path, what was found and what was expected. A
/// field that nobody asks for is an error too: a limit with a typing error must not pass for one that was not given.
struct YAMLReader {
    private let mapping: Node.Mapping
    private let path: String

    init(_ node: Node, path: String, fields: [String]) throws(RobotFileError) {
        guard let mapping = node.mapping else {
            throw RobotFileError(
                path.isEmpty ? nil : path,
                "found \(node.summary), expected a mapping of \(fields.joined(separator: ", "))"
            )
        }
        self.mapping = mapping
        self.path = path
        var seen: Set<String> = []
        for key in mapping.keys {
            guard let name = key.string, fields.contains(name) else {
                throw RobotFileError(
                    self.path(of: key.label),
                    "unknown field, expected one of \(fields.joined(separator: ", "))"
                )
            }
            guard seen.insert(name).inserted else {
                throw RobotFileError(self.path(of: name), "given twice, expected once")
            }
        }
    }

    func path(of field: String) -> String { path.isEmpty ? field : "\(path).\(field)" }

    /// The value of a field; nil if it is left out. One without a value is an error: it may be a limit that somebody
    /// meant to fill in.
    func optional(_ field: String) throws(RobotFileError) -> Node? {
        guard let node = mapping[field] else { return nil }
        guard node.null == nil else {
            throw RobotFileError(path(of: field), "found no value, expected one, or the field left out")
        }
        return node
    }

    func string(_ field: String) throws(RobotFileError) -> String? {
        guard let node = try optional(field) else { return nil }
        guard let text = node.scalar?.string else {
            throw RobotFileError(path(of: field), "found \(node.summary), expected text")
        }
        return text
    }

    /// One of a closed list of words.
    func word<Word: RawRepresentable & CaseIterable>(
        _ field: String,
        _ type: Word.Type
    ) throws(RobotFileError) -> Word? where Word.RawValue == String {
        guard let node = try optional(field) else { return nil }
        guard let word = node.scalar.flatMap({ Word(rawValue: $0.string) }) else {
            let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw RobotFileError(path(of: field), "found \(node.summary), expected one of \(words)")
        }
        return word
    }

    /// A number in a range.
    func number(_ field: String, in range: NumberRange) throws(RobotFileError) -> Double? {
        guard let node = try optional(field) else { return nil }
        return try Self.number(node, field: path(of: field), in: range)
    }

    /// The elements of a sequence, each with its path.
    func sequence(
        _ field: String,
        count: ClosedRange<Int>
    ) throws(RobotFileError) -> [(node: Node, path: String)]? {
        guard let node = try optional(field) else { return nil }
        guard let sequence = node.sequence, count.contains(sequence.count) else {
            let found = node.sequence.map { "a list of \($0.count)" } ?? node.summary
            let expected = count.lowerBound == count.upperBound ? "\(count.lowerBound)" : "\(count)"
            throw RobotFileError(path(of: field), "found \(found), expected a list of \(expected)")
        }
        return sequence.enumerated().map { ($0.element, "\(path(of: field))[\($0.offset)]") }
    }

    /// The entries of a mapping whose keys are names of the file's own, each a list of texts.
    func lists(_ field: String) throws(RobotFileError) -> [(name: String, texts: [String])]? {
        guard let node = try optional(field) else { return nil }
        guard let mapping = node.mapping else {
            throw RobotFileError(
                path(of: field),
                "found \(node.summary), expected a mapping of names to lists"
            )
        }
        var entries: [(name: String, texts: [String])] = []
        for (key, value) in mapping {
            let path = "\(path(of: field)).\(key.scalar?.string ?? key.summary)"
            guard let name = key.scalar?.string, let sequence = value.sequence else {
                throw RobotFileError(path, "found \(value.summary), expected a list of names")
            }
            guard !entries.contains(where: { $0.name == name }) else {
                throw RobotFileError(path, "given twice, expected once")
            }
            let texts = sequence.compactMap { $0.scalar?.string }
            guard texts.count == sequence.count, !texts.isEmpty else {
                throw RobotFileError(path, "found \(value.summary), expected a list of names")
            }
            entries.append((name, texts))
        }
        return entries
    }

    /// Numbers, as many as `count` allows.
    func numbers(_ field: String, count: ClosedRange<Int>) throws(RobotFileError) -> [Double]? {
        guard let elements = try sequence(field, count: count) else { return nil }
        var numbers: [Double] = []
        for element in elements {
            numbers.append(try Self.number(element.node, field: element.path, in: .finite))
        }
        return numbers
    }

    /// One number for all of `count`, or a list with a number for each.
    func numberOrNumbers(
        _ field: String,
        count: Int,
        in range: NumberRange
    ) throws(RobotFileError) -> [Double]? {
        guard let node = try optional(field) else { return nil }
        guard node.sequence != nil else {
            return Array(repeating: try Self.number(node, field: path(of: field), in: range), count: count)
        }
        var numbers: [Double] = []
        for element in try sequence(field, count: count...count) ?? [] {
            numbers.append(try Self.number(element.node, field: element.path, in: range))
        }
        return numbers
    }

    /// A range of numbers, as a list of the lower and the upper one.
    func range(_ field: String) throws(RobotFileError) -> ClosedRange<Double>? {
        guard let bounds = try numbers(field, count: 2...2) else { return nil }
        guard bounds[0] < bounds[1] else {
            throw RobotFileError(
                path(of: field),
                "found [\(bounds[0]), \(bounds[1])], expected the lower bound first"
            )
        }
        return bounds[0]...bounds[1]
    }

    /// What numbers a field takes.
    enum NumberRange {
        case finite
        case between(Double, Double)

        fileprivate func contains(_ number: Double) -> Bool {
            switch self {
            case .finite: number.isFinite
            case .between(let least, let most): number >= least && number <= most
            }
        }

        fileprivate var expected: String {
            switch self {
            case .finite: "a finite number"
            case .between(let least, let most): "a number from \(least) to \(most)"
            }
        }
    }

    private static func number(
        _ node: Node,
        field: String,
        in range: NumberRange
    ) throws(RobotFileError) -> Double {
        // Beyond the range of `Float`, in which commands are computed, a limit is a typing error.
        guard let number = node.float ?? node.int.map(Double.init), range.contains(number),
            abs(number) <= 1e30
        else {
            throw RobotFileError(field, "found \(node.summary), expected \(range.expected)")
        }
        return number
    }
}

extension Node {
    /// What the node is as a key, for the path of a field.
    var label: String {
        let summary = summary
        return scalar == nil ? summary : String(summary.dropFirst().dropLast())
    }

    /// What the node is, in words for an error message; long text is cut.
    var summary: String {
        switch self {
        case .scalar(let scalar):
            return "\"\(printable(scalar.string, limit: 64))\""
        case .mapping(let mapping): return "a mapping of \(mapping.count)"
        case .sequence(let sequence): return "a list of \(sequence.count)"
        case .alias: return "an alias"
        }
    }
}
