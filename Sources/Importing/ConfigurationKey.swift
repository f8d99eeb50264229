import StrictJSON

/// A place in a configuration, whose value is asked for as what it must be. Errors name the place.
///
/// An interpolation, `${...}`, is followed if it names another key from the root, as in `${task.obs_dim}`, or computes with
/// whole numbers, as in `${eval:'${n_action_steps}+${n_latency_steps}'}`.
struct ConfigurationKey {
    let file: String
    /// Such as `cfg.policy.horizon`.
    let path: String
    private let root: ConfigurationValue
    private let stored: ConfigurationValue

    private static let maximumInterpolations = 32

    /// The root of a configuration.
    init(root: ConfigurationValue, file: String) {
        self.init(file: file, path: "cfg", root: root, stored: root)
    }

    private init(file: String, path: String, root: ConfigurationValue, stored: ConfigurationValue) {
        self.file = file
        self.path = path
        self.root = root
        self.stored = stored
    }

    // MARK: Members

    /// The value of a key of this dictionary; nil: there is none.
    func optional(_ key: String) throws(ImportError) -> ConfigurationKey? {
        guard case .dictionary = try value() else { throw error(expected: "a dictionary") }
        guard let member = try value()[key] else { return nil }
        return ConfigurationKey(file: file, path: "\(path).\(key)", root: root, stored: member)
    }

    func required(_ key: String, expected: String) throws(ImportError) -> ConfigurationKey {
        guard let member = try optional(key) else {
            throw ImportError(file, "\(path).\(key)", found: "missing", expected: expected)
        }
        return member
    }

    /// The members of a dictionary in their order.
    func members() throws(ImportError) -> [(name: String, value: ConfigurationKey)] {
        guard case .dictionary(let members) = try value() else { throw error(expected: "a dictionary") }
        return members.map {
            ($0.key, ConfigurationKey(file: file, path: "\(path).\($0.key)", root: root, stored: $0.value))
        }
    }

    /// Throws an error that names a key that is none of these.
    func checkKeys(_ known: Set<String>) throws(ImportError) {
        for (name, member) in try members() where !known.contains(name) {
            throw ImportError(
                file,
                member.path,
                found: "an unknown key, \(member.stored.summary)",
                expected: "only keys whose meaning for inference is known"
            )
        }
    }

    // MARK: Values

    var isNull: Bool {
        get throws(ImportError) { if case .null = try value() { true } else { false } }
    }

    func bool() throws(ImportError) -> Bool {
        guard case .bool(let flag) = try value() else { throw error(expected: "true or false") }
        return flag
    }

    func integer(in range: ClosedRange<Int>) throws(ImportError) -> Int {
        guard case .integer(let number) = try value(), range.contains(number) else {
            throw error(expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func number() throws(ImportError) -> Double {
        switch try value() {
        case .integer(let number): return Double(number)
        case .number(let number) where number.isFinite: return number
        default: throw error(expected: "a number")
        }
    }

    func text() throws(ImportError) -> String {
        guard case .text(let text) = try value() else { throw error(expected: "text") }
        return text
    }

    /// A list of whole numbers.
    func integers(in range: ClosedRange<Int>, expected: String) throws(ImportError) -> [Int] {
        guard case .list(let elements) = try value(), elements.count <= 64 else {
            throw error(expected: expected)
        }
        var integers: [Int] = []
        for (index, element) in elements.enumerated() {
            let key = ConfigurationKey(file: file, path: "\(path)[\(index)]", root: root, stored: element)
            integers.append(try key.integer(in: range))
        }
        return integers
    }

    /// An error that says what is here and what should be.
    func error(expected: String) -> ImportError {
        ImportError(file, path, found: stored.summary, expected: expected)
    }

    // MARK: Interpolations

    private func value() throws(ImportError) -> ConfigurationValue {
        var left = Self.maximumInterpolations
        return try resolve(stored, &left)
    }

    private func resolve(_ value: ConfigurationValue, _ left: inout Int) throws(ImportError)
        -> ConfigurationValue
    {
        guard case .text(let text) = value, text.contains("${") else { return value }
        left -= 1
        guard left > 0, text.utf8.count <= 1024, text.hasPrefix("${"), text.hasSuffix("}") else {
            throw unresolved(text)
        }
        let inside = text.dropFirst(2).dropLast()
        if inside.hasPrefix("eval:") {
            return .integer(try evaluate(String(inside.dropFirst(5)), text, &left))
        }
        return try resolve(try lookUp(String(inside), text), &left)
    }

    /// The value of a key that an interpolation names from the root.
    private func lookUp(_ name: String, _ text: String) throws(ImportError) -> ConfigurationValue {
        var value = root
        for part in name.split(separator: ".", omittingEmptySubsequences: false) {
            guard !part.isEmpty, let member = value[String(part)] else { throw unresolved(text) }
            value = member
        }
        return value
    }

    /// Computes with whole numbers, after interpolations inside were replaced by theirs.
    private func evaluate(_ expression: String, _ text: String, _ left: inout Int) throws(ImportError) -> Int
    {
        var rest = expression[...]
        var plain = ""
        while let start = rest.firstRange(of: "${") {
            plain += rest[..<start.lowerBound]
            guard let end = rest[start.upperBound...].firstIndex(of: "}") else { throw unresolved(text) }
            let name = String(rest[start.upperBound..<end])
            guard case .integer(let number) = try resolve(try lookUp(name, text), &left) else {
                throw unresolved(text)
            }
            plain += "\(number)"
            rest = rest[rest.index(after: end)...]
        }
        plain += rest
        var arithmetic = Arithmetic(plain.filter { $0 != "'" && $0 != "\"" && $0 != " " })
        guard let result = arithmetic.evaluate() else { throw unresolved(text) }
        return result
    }

    private func unresolved(_ text: String) -> ImportError {
        ImportError(
            file,
            path,
            found: "the interpolation \(text.quoted)",
            expected:
                "a value, or an interpolation that names another key or adds and multiplies whole numbers"
        )
    }
}

/// Sums, differences and products of whole numbers, with parentheses.
private struct Arithmetic {
    private let text: [UInt8]
    private var position = 0
    private var depth = 0

    init(_ text: String) { self.text = Array(text.utf8) }

    /// The result; nil for anything else than such an expression.
    mutating func evaluate() -> Int? {
        guard let result = sum(), position == text.count else { return nil }
        return result
    }

    private mutating func sum() -> Int? {
        guard var result = product() else { return nil }
        while let sign = next("+-") {
            guard let term = product() else { return nil }
            let (next, overflows) =
                sign == UInt8(ascii: "+")
                ? result.addingReportingOverflow(term) : result.subtractingReportingOverflow(term)
            guard !overflows else { return nil }
            result = next
        }
        return result
    }

    private mutating func product() -> Int? {
        guard var result = factor() else { return nil }
        while next("*") != nil {
            guard let factor = factor() else { return nil }
            let (next, overflows) = result.multipliedReportingOverflow(by: factor)
            guard !overflows else { return nil }
            result = next
        }
        return result
    }

    private mutating func factor() -> Int? {
        depth += 1
        defer { depth -= 1 }
        guard depth < 64 else { return nil }
        if next("-") != nil { return factor().flatMap { $0 == .min ? nil : -$0 } }
        if next("(") != nil {
            guard let result = sum(), next(")") != nil else { return nil }
            return result
        }
        var digits = ""
        while let digit = next("0123456789") { digits.unicodeScalars.append(Unicode.Scalar(digit)) }
        return Int(digits)
    }

    /// Takes the next character if it is one of these.
    private mutating func next(_ characters: String) -> UInt8? {
        guard position < text.count, characters.utf8.contains(text[position]) else { return nil }
        position += 1
        return text[position - 1]
    }
}
