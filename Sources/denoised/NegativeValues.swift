import Planning

/// Negative numbers as values of options: the argument parser takes what begins with a dash for an option.
enum NegativeValues {
    /// The arguments with each `--name -5` as `--name=-5`.
    static func joined(_ arguments: [String]) -> [String] {
        var joined: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            // What follows this is taken as it stands.
            if argument == "--" { return joined + [argument] + rest }
            if isOption(argument), let value = rest.first, isNegativeNumber(value) {
                rest.removeFirst()
                joined.append("\(argument)=\(value)")
            } else {
                joined.append(argument)
            }
        }
        return joined
    }

    private static func isOption(_ argument: String) -> Bool {
        argument.hasPrefix("--") && !argument.contains("=")
    }

    /// Also a list that begins with one, and infinities: whatever no option begins with.
    private static func isNegativeNumber(_ argument: String) -> Bool {
        guard argument.hasPrefix("-") else { return false }
        let text = argument.dropFirst().lowercased()
        return text.first.map { $0.isASCII && ($0.isNumber || $0 == ".") } == true || text.hasPrefix("inf")
            || text.hasPrefix("nan")
    }
}
