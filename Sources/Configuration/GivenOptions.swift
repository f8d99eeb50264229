/// The options on a command line, found without judging them: that is the parser's work.
package struct GivenOptions: Sendable, Hashable {
    /// Each option's values, in order; an option without a value has `true`.
    package private(set) var values: [String: [String]] = [:]
    /// What is no option and no option's value.
    package private(set) var others: [String] = []

    /// - Parameters:
    ///   - arguments: after the command's name.
    ///   - takesValue: whether an option takes a value.
    ///   - words: those that an option may have, which may also stand without; nil: it needs its value.
    package init(
        _ arguments: some Sequence<String>,
        takesValue: (String) -> Bool,
        words: (String) -> [String]? = { _ in nil }
    ) {
        var rest = Array(arguments)[...]
        while let argument = rest.popFirst() {
            guard argument != "--" else {
                others += rest
                return
            }
            guard argument.hasPrefix("--") else {
                others.append(argument)
                continue
            }
            if let sign = argument.firstIndex(of: "=") {
                add(argument[argument.index(after: sign)...], to: argument[..<sign])
            } else if !takesValue(argument) {
                add("true", to: argument[...])
            } else if let words = words(argument) {
                if let value = rest.first, words.contains(value) {
                    rest.removeFirst()
                    add(value[...], to: argument[...])
                } else {
                    add("true", to: argument[...])
                }
            } else if let value = rest.first, !value.hasPrefix("-") {
                rest.removeFirst()
                add(value[...], to: argument[...])
            } else {
                // The value is missing, as the parser will say.
                add("", to: argument[...])
            }
        }
    }

    /// Forgets an option.
    package mutating func remove(_ option: String) { values[option] = nil }

    private mutating func add(_ value: Substring, to option: Substring) {
        values[String(option), default: []].append(String(value))
    }
}
