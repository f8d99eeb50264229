import ForeignText

/// A configuration file and a command line together: the command line wins. Knows where each value comes from.
package struct ConfiguredArguments: Sendable {
    package typealias Setting = ConfigurationFile.Setting

    /// A key's value, and where it comes from.
    package struct Row: Sendable, Hashable {
        package enum Origin: Sendable, Hashable {
            /// A line of the file.
            case file(line: Int)
            /// The command line, and the line of the file that it takes the place of.
            case commandLine(insteadOf: Int?)
            /// Nobody said anything.
            case standard
        }

        package let key: ConfigurationKey
        /// One; of a list or a mapping any number.
        package let values: [String]
        package let origin: Origin
    }

    private let table: ConfigurationTable
    private let given: GivenOptions
    /// What the file is called; nil: there is none.
    package let file: String?
    /// What of the file is in force.
    package let settings: [Setting]
    /// What the command line takes the place of.
    private let replaced: [Setting]

    /// - Parameters:
    ///   - without: keys and sections of the file that are left out.
    ///   - given: what the command line has.
    package init(
        _ file: ConfigurationFile?,
        without: [String] = [],
        given: GivenOptions,
        table: ConfigurationTable
    ) {
        self.table = table
        self.given = given
        self.file = file?.path
        let kept = (file?.settings ?? []).filter { setting in
            !without.contains { Self.covers($0, setting.key.path) }
        }
        let taken = given.values.keys.reduce(Set<String>()) { $0.union(table.replaced(by: $1)) }
        settings = kept.filter { !taken.contains($0.key.option) }
        replaced = kept.filter { taken.contains($0.key.option) }
    }

    /// Whether a key is the one that was named, or below it.
    package static func covers(_ name: String, _ path: String) -> Bool {
        path == name || path.hasPrefix(name + ".")
    }

    /// What stands for the file on the command line.
    package var arguments: [String] { settings.flatMap(\.arguments) }

    /// Every key with what is in force.
    package var rows: [Row] {
        var told: Set<String> = []
        return table.keys.compactMap { key in
            if let setting = settings.first(where: { $0.key == key }) {
                return Row(key: key, values: setting.values, origin: .file(line: setting.line))
            }
            // An option may have two keys, for one value and for several.
            let isSet = settings.contains { $0.key.option == key.option }
            guard !isSet, told.insert(key.option).inserted else { return nil }
            guard let values = given.values[key.option] else {
                return Row(key: key, values: [key.standard], origin: .standard)
            }
            let keys = table.keys(for: key.option)
            let key = values.count > 1 ? keys.first(where: \.takesSeveral) ?? key : key
            let line = replaced.first { $0.key.option == key.option }?.line
            return Row(
                key: key,
                values: key.takesSeveral ? values : values.suffix(1),
                origin: .commandLine(insteadOf: line)
            )
        }
    }
}

// MARK: - Errors

extension ConfiguredArguments {
    /// An error's text, which names options and values, as whoever wrote the file knows them: with file, line and key.
    ///
    /// - Returns: the text as it is if nothing of the file is at fault.
    package func explained(_ message: String) -> String {
        guard let file else { return message }
        if let (setting, text) = refusedValue(message) {
            return place(setting) + "\(setting.key.path): \(text)"
        }
        let missing = "Missing expected argument '"
        if message.hasPrefix(missing), let option = mentioned(in: message).first,
            let key = table.keys(for: option).first
        {
            return "\(ConfigurationFile.place(file, nil)): \(key.path): the key is missing, "
                + "expected it or \(option) on the command line"
        }
        // An error about a file or an endpoint names that first.
        if let setting = settings.first(where: { $0.isBegin(of: message) }) {
            return place(setting) + "\(setting.key.path): \(renamed(message))"
        }
        let cause = mentioned(in: message).lazy.compactMap(setting).first
        return cause.map { place($0) + renamed(message) } ?? message
    }

    /// All that is wrong with the values of the file, explained: what is wrong with one value is told, then the parser is asked
    /// about the others.
    ///
    /// - Parameter refusal: what the parser says of arguments that stand for the file; nil: it takes them.
    package func problems(_ refusal: (_ arguments: [String]) -> String?) -> [String] {
        var left = settings
        var dropped: Set<String> = []
        var problems: [String] = []
        while let message = refusal(left.flatMap(\.arguments)) {
            let options = mentioned(in: message)
            // It may be wrong only because something was left out.
            guard dropped.isDisjoint(with: options) else { break }
            problems.append(explained(message))
            // What is about two options may be either's fault.
            guard options.count == 1, setting(for: options[0]) != nil else { break }
            left.removeAll { $0.key.option == options[0] }
            dropped.insert(options[0])
        }
        return problems
    }

    private func place(_ setting: Setting) -> String {
        ConfigurationFile.place(file ?? "", setting.line) + ": "
    }

    /// What of the file gives an option its value; nil: the command line or nothing does.
    private func setting(for option: String) -> Setting? { settings.first { $0.key.option == option } }

    /// The parser's own error about a value, with the setting that has it.
    private func refusedValue(_ message: String) -> (Setting, String)? {
        for setting in settings {
            for value in setting.values {
                let start = "The value '\(value)' is invalid for '\(setting.key.option)"
                guard message.hasPrefix(start) else { continue }
                let rest = message.dropFirst(start.count)
                let reason = rest.firstIndex(of: "'").map { rest[rest.index(after: $0)...] } ?? ""
                let found = "found \"\(printable(value, limit: 64))\""
                guard reason.hasPrefix(": ") else {
                    return (setting, "\(found), expected \(setting.key.shape.expected) that can be used")
                }
                return (setting, "\(found), \(reason.dropFirst(2))")
            }
        }
        return nil
    }

    /// The options that a text names and the file may have, each once.
    private func mentioned(in message: String) -> [String] {
        var options: [String] = []
        for word in message.matches(of: /--[a-z0-9]+(?:-[a-z0-9]+)*/).map({ String($0.output) }) {
            if !options.contains(word), !table.keys(for: word).isEmpty { options.append(word) }
        }
        return options
    }

    /// A text with the names of keys for those of options, unless the command line has them.
    private func renamed(_ message: String) -> String {
        message.replacing(/--[a-z0-9]+(?:-[a-z0-9]+)*/) { match in
            let option = String(match.output)
            guard given.values[option] == nil else { return option }
            return setting(for: option)?.key.path ?? table.keys(for: option).first?.path ?? option
        }
    }
}

extension ConfigurationFile.Setting {
    /// Whether a text begins with the value, a path or other text; in a mapping the names are none of it.
    fileprivate func isBegin(of message: String) -> Bool {
        let (form, hasNames): (ConfigurationKey.Form, Bool)
        switch key.shape {
        case .flag, .flagOr: return false
        case .one(let one), .list(let one): (form, hasNames) = (one, false)
        case .named(_, let one): (form, hasNames) = (one, true)
        }
        guard [.path, .pathOrName, .text].contains(form) else { return false }
        return values.contains { value in
            let sign = hasNames ? value.firstIndex(of: "=") : nil
            let text = sign.map { value[value.index(after: $0)...] } ?? value[...]
            return message.hasPrefix("\(text):") || message.hasPrefix("\(text) ")
        }
    }
}
