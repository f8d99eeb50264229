/// A key of the configuration file, and the option of the command line that it stands for.
package struct ConfigurationKey: Sendable, Hashable {
    /// How a single value is written.
    package enum Form: Sendable, Hashable {
        case text
        /// A file or folder; relative to the folder of the configuration file.
        case path
        /// A path as above, or `org/name[@revision]`: a name in a cache, if there is nothing at such a path.
        case pathOrName
        /// A whole number, or the word.
        case whole(or: String? = nil)
        /// A finite number.
        case number
        /// One of these words.
        case choice([String])

        /// What the form takes, in words for an error.
        package var expected: String {
            switch self {
            case .text: "text"
            case .path: "a path"
            case .pathOrName: "a path or org/name"
            case .whole(let word): word.map { "a whole number or \($0)" } ?? "a whole number"
            case .number: "a number"
            case .choice(let words): "one of \(words.joined(separator: ", "))"
            }
        }
    }

    /// What the names of a mapping may be.
    package enum Names: Sendable, Hashable {
        /// Text without `=` and control characters.
        case text
        /// 1 to 64 letters, digits, `.`, `_` and `-`.
        case identifier

        /// Whether text is such a name.
        package func allow(_ text: some StringProtocol) -> Bool {
            switch self {
            case .text:
                !text.isEmpty && !text.contains("=")
                    && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
            case .identifier:
                (1...64).contains(text.utf8.count)
                    && text.utf8.allSatisfy { byte in
                        switch UnicodeScalar(byte) {
                        case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true
                        default: false
                        }
                    }
            }
        }

        /// What the name is, in words for an error.
        package var expected: String {
            switch self {
            case .text: "one without = and control characters"
            case .identifier: "1 to 64 letters, digits, ., _ and -"
            }
        }
    }

    /// What the key takes.
    package enum Shape: Sendable, Hashable {
        /// True or false, for an option without a value.
        case flag
        /// True or false, or one of these words, for an option that may stand without a value.
        case flagOr([String])
        case one(Form)
        /// A list, for an option that may be given more than once.
        case list(Form)
        /// A mapping from names, for an option that may be given more than once, as NAME=VALUE.
        case named(Names, Form)

        /// What the key takes, in words.
        package var expected: String {
            switch self {
            case .flag: "true or false"
            case .flagOr(let words): "true, false or one of \(words.joined(separator: ", "))"
            case .one(let form): form.expected
            case .list(let form): "a list; each: \(form.expected)"
            case .named(_, let form): "a mapping of names; each: \(form.expected)"
            }
        }
    }

    /// From the top of the file: `sampler.window`.
    package let path: String
    /// As it is written on the command line: `--window`.
    package let option: String
    package let shape: Shape
    /// What holds if neither the file nor the command line has it, in words.
    package let standard: String

    /// Whether it has a list or a mapping.
    var takesSeveral: Bool {
        switch shape {
        case .flag, .flagOr, .one: false
        case .list, .named: true
        }
    }

    package init(_ path: String, _ option: String, _ shape: Shape, standard: String) {
        self.path = path
        self.option = option
        self.shape = shape
        self.standard = standard
    }
}

/// All keys that a configuration file may have.
package struct ConfigurationTable: Sendable {
    /// In the order in which they are shown.
    package let keys: [ConfigurationKey]
    /// Options that exclude each other: one of them on the command line takes the place of the others in the file.
    package let alternatives: [Set<String>]
    private let byPath: [String: ConfigurationKey]
    private let byOption: [String: [ConfigurationKey]]
    let sections: Set<String>

    package init(_ keys: [ConfigurationKey], alternatives: [Set<String>] = []) {
        self.keys = keys
        self.alternatives = alternatives
        byPath = Dictionary(uniqueKeysWithValues: keys.map { ($0.path, $0) })
        byOption = Dictionary(grouping: keys, by: \.option)
        sections = Set(
            keys.compactMap { key in key.path.firstIndex(of: ".").map { String(key.path[..<$0]) } }
        )
    }

    package subscript(path: String) -> ConfigurationKey? { byPath[path] }

    /// The keys that stand for an option, `--window` for example; none if it is not known.
    package func keys(for option: String) -> [ConfigurationKey] { byOption[option] ?? [] }

    /// Whether keys are below this one.
    package func isSection(_ path: String) -> Bool { sections.contains(path) }

    /// The options that one on the command line takes the place of, itself among them.
    func replaced(by option: String) -> Set<String> {
        alternatives.filter { $0.contains(option) }.reduce([option]) { $0.union($1) }
    }

    /// The names of keys and sections directly below a section; empty: at the top.
    func names(below section: String) -> [String] {
        let prefix = section.isEmpty ? "" : section + "."
        var names: [String] = []
        for key in keys where key.path.hasPrefix(prefix) {
            let name = String(key.path.dropFirst(prefix.count).prefix { $0 != "." })
            if !names.contains(name) { names.append(name) }
        }
        return names
    }
}
