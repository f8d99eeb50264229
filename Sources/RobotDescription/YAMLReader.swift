import Fields
import StrictYAML

/// The text of a robot file as a source of fields. A field without a value is an error: it may be a limit that somebody meant to
/// fill in.
struct RobotFileText: FieldSource {
    typealias Node = YAMLValue

    static var words: FieldWords { FieldWords(members: "a mapping", list: "a list", text: "text") }
    static var null: FieldNull { .refused }

    func failure(_ problem: FieldProblem) -> RobotFileError { RobotFileError(problem.field, problem.message) }
}

/// Reads the fields of a robot file.
typealias YAMLReader = FieldReader<RobotFileText>

extension YAMLReader {
    /// A number in a range.
    func number(in range: NumberRange) throws(RobotFileError) -> Double {
        // Beyond the range of `Float`, in which commands are computed, a limit is a typing error.
        try number(expected: range.expected) { range.contains($0) && abs($0) <= 1e30 }
    }

    /// Numbers, as many as `count` allows.
    func numbers(
        _ count: ClosedRange<Int>,
        in range: NumberRange = .finite
    ) throws(RobotFileError) -> [Double] {
        var numbers: [Double] = []
        for element in try elements(count) { numbers.append(try element.number(in: range)) }
        return numbers
    }

    /// One number for all of `count`, or a list with a number for each.
    func numberOrNumbers(count: Int, in range: NumberRange) throws(RobotFileError) -> [Double] {
        guard node.elements == nil else { return try numbers(count...count, in: range) }
        return Array(repeating: try number(in: range), count: count)
    }

    /// A range of numbers, as a list of the lower and the upper one.
    func range() throws(RobotFileError) -> ClosedRange<Double> {
        let bounds = try numbers(2...2)
        guard bounds[0] < bounds[1] else {
            throw error(
                .outOfRange,
                found: "[\(bounds[0]), \(bounds[1])]",
                expected: "the lower bound first"
            )
        }
        return bounds[0]...bounds[1]
    }

    /// The entries of a mapping whose keys are names of the file's own, each a list of texts.
    func lists() throws(RobotFileError) -> [(name: String, texts: [String])] {
        guard node.members != nil else { throw error(expected: "a mapping of names to lists") }
        var entries: [(name: String, texts: [String])] = []
        for (name, list) in try members() {
            guard !entries.contains(where: { $0.name == name }) else {
                throw list.error(.repeated, found: "it twice", expected: "it once")
            }
            let texts = (list.node.elements ?? []).compactMap(\.text)
            guard !texts.isEmpty, texts.count == list.node.elements?.count else {
                throw list.error(expected: "a list of names")
            }
            entries.append((name, texts))
        }
        return entries
    }

    /// The entries of a mapping whose keys are names of the file's own, each a text.
    func texts() throws(RobotFileError) -> [String: String] {
        guard node.members != nil else { throw error(expected: "a mapping of names to texts") }
        var entries: [String: String] = [:]
        for (name, text) in try members() {
            guard !text.node.isNull else { throw text.error(.wrongType, found: "no value", expected: "text") }
            guard entries.updateValue(try text.string(), forKey: name) == nil else {
                throw text.error(.repeated, found: "it twice", expected: "it once")
            }
        }
        return entries
    }
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
