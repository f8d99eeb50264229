import Fields
import ForeignText
import Foundation
import StrictYAML

/// A configuration file as a source of fields. A key without a value is an error: somebody may have meant to fill it in.
struct ConfigurationText: FieldSource {
    typealias Node = YAMLValue

    static var words: FieldWords { FieldWords(members: "a mapping", list: "a list", text: "text") }
    static var null: FieldNull { .refused }

    let file: String
    /// The lines of keys and of a list's elements, by their paths.
    let lines: [String: Int]

    init(file: String, top: YAMLValue) {
        self.file = file
        var lines: [String: Int] = [:]
        Self.collect(FieldReader(top, of: YAMLPaths()), into: &lines)
        self.lines = lines
    }

    func failure(_ problem: FieldProblem) -> ConfigurationProblem {
        ConfigurationProblem(
            file: file,
            line: problem.field.flatMap { lines[$0] },
            key: problem.field,
            problem.message
        )
    }

    private static func collect(_ reader: FieldReader<YAMLPaths>, into lines: inout [String: Int]) {
        if let members = reader.node.members {
            for (name, line) in zip(members.names, members.lines) {
                let path = reader.path(of: name)
                // The first of two keys of one name has the line.
                if let line, lines[path] == nil { lines[path] = line }
                guard let value = members[name] else { continue }
                collect(FieldReader(value, of: reader.source, path: path), into: &lines)
            }
        }
        for element in (try? reader.elements()) ?? [] {
            lines[element.path] = element.node.line
            collect(element, into: &lines)
        }
    }
}

/// The values of a file, of which only the paths are wanted.
private struct YAMLPaths: FieldSource {
    struct Failure: Error {}
    typealias Node = YAMLValue

    static var words: FieldWords { ConfigurationText.words }
    static var null: FieldNull { .value }

    func failure(_ problem: FieldProblem) -> Failure { Failure() }
}

/// Reads the keys of a configuration file, and goes on after a problem, so that one run tells all.
struct ConfigurationReading {
    private typealias Reader = FieldReader<ConfigurationText>

    private let file: String
    private let table: ConfigurationTable
    private(set) var settings: [ConfigurationFile.Setting] = []
    private(set) var problems: [ConfigurationProblem] = []

    init(file: String, table: ConfigurationTable) {
        self.file = file
        self.table = table
    }

    mutating func read(_ top: YAMLValue) {
        read(FieldReader(top, of: ConfigurationText(file: file, top: top)), below: "")
    }

    private mutating func read(_ reader: Reader, below section: String) {
        do throws(ConfigurationProblem) {
            let members = try reader.members()
            var seen: Set<String> = []
            for (name, member) in members {
                do throws(ConfigurationProblem) {
                    guard seen.insert(name).inserted else {
                        throw member.error(.repeated, found: "it twice", expected: "it once")
                    }
                    try read(name, member, below: section)
                } catch {
                    problems.append(error)
                }
            }
        } catch {
            problems.append(error)
        }
    }

    private mutating func read(
        _ name: String,
        _ member: Reader,
        below section: String
    ) throws(ConfigurationProblem) {
        let path = section.isEmpty ? name : "\(section).\(name)"
        // A name with a dot would stand for a key of a section a second time.
        let isPlain = !name.contains(".")
        if isPlain, let key = table[path] {
            guard !member.node.isNull else { throw withoutValue(member, expected: key.shape.expected) }
            let values = try values(of: member, as: key.shape)
            let line = member.source.lines[member.path] ?? 1
            settings.append(ConfigurationFile.Setting(key: key, line: line, values: values))
        } else if isPlain, table.isSection(path) {
            guard !member.node.isNull else { throw withoutValue(member, expected: "keys below it") }
            read(member, below: path)
        } else {
            throw unknown(path, member, below: section)
        }
    }

    private func withoutValue(_ member: Reader, expected: String) -> ConfigurationProblem {
        member.error(.wrongType, found: "no value", expected: "\(expected), or the key left out")
    }

    private func unknown(_ path: String, _ member: Reader, below section: String) -> ConfigurationProblem {
        // Who gets no answer need not wait for one.
        let isTold = problems.count < ConfigurationProblems.mostProblems
        let names = table[path] == nil && isTold ? table.suggestions(for: path) : []
        let message =
            if let key = table[path], let dot = key.path.firstIndex(of: ".") {
                "unknown key, expected \(key.path[key.path.index(after: dot)...]) "
                    + "below a key \(key.path[..<dot]) of its own"
            } else if names.isEmpty {
                "unknown key, expected one of \(table.names(below: section).joined(separator: ", "))"
            } else {
                "unknown key, did you mean \(names.joined(separator: " or "))?"
            }
        return ConfigurationProblem(
            file: file,
            line: member.source.lines[member.path],
            key: member.path,
            message
        )
    }

    // MARK: Values

    private func values(
        of reader: Reader,
        as shape: ConfigurationKey.Shape
    ) throws(ConfigurationProblem) -> [String] {
        switch shape {
        case .flag: return [try reader.bool() ? "true" : "false"]
        case .flagOr(let words):
            if let flag = reader.node.flag { return [flag ? "true" : "false"] }
            guard let text = reader.node.text, words.contains(text) else {
                throw reader.error(.outOfRange, expected: shape.expected)
            }
            return [text]
        case .one(let form): return [try value(of: reader, as: form)]
        case .list(let form):
            var values: [String] = []
            for element in try reader.elements() { values.append(try value(of: element, as: form)) }
            return values
        case .named(let names, let form): return try namedValues(of: reader, names, as: form)
        }
    }

    private func namedValues(
        of reader: Reader,
        _ names: ConfigurationKey.Names,
        as form: ConfigurationKey.Form
    ) throws(ConfigurationProblem) -> [String] {
        var values: [String] = []
        var seen: Set<String> = []
        for (name, member) in try reader.members() {
            guard seen.insert(name).inserted else {
                throw member.error(.repeated, found: "it twice", expected: "it once")
            }
            guard names.allow(name) else {
                throw member.error(.outOfRange, found: "this name", expected: names.expected)
            }
            guard !member.node.isNull else { throw withoutValue(member, expected: form.expected) }
            values.append("\(name)=\(try value(of: member, as: form))")
        }
        return values
    }

    private func value(
        of reader: Reader,
        as form: ConfigurationKey.Form
    ) throws(ConfigurationProblem) -> String {
        guard let text = reader.node.text else { throw reader.error(expected: form.expected) }
        switch form {
        case .text, .path, .pathOrName:
            guard !text.isEmpty, Self.isOneLine(text) else {
                throw reader.error(
                    .outOfRange,
                    expected: "\(form.expected), not empty, without control characters"
                )
            }
            switch form {
            case .path: return resolved(text)
            case .pathOrName: return isName(text) ? text : Self.spelledOut(resolved(text))
            default: return text
            }
        case .whole(let word):
            // YAML's other ways to write numbers are for no person: 010 is 8, 1:30 is 90.
            let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
            let isWhole = !digits.isEmpty && digits.allSatisfy { $0.isASCII && $0.isNumber }
            guard text == word || isWhole else { throw reader.error(expected: form.expected) }
            return text
        case .number:
            guard let number = Double(text), number.isFinite else {
                throw reader.error(expected: form.expected)
            }
            return text
        case .choice(let words):
            guard words.contains(text) else { throw reader.error(.outOfRange, expected: form.expected) }
            return text
        }
    }

    private static func isOneLine(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }

    /// Whether text has the form of a name in a cache, and nothing is there that it would be the path of.
    private func isName(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && !$0.hasPrefix(".") }
            && !FileManager.default.fileExists(atPath: resolved(text))
    }

    /// A path as the program opens it.
    private func resolved(_ path: String) -> String {
        guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return file[...slash] + path
    }

    /// A path that nothing takes for `org/name`: a relative one begins with a dot.
    private static func spelledOut(_ path: String) -> String {
        ["/", "./", "../"].contains(where: path.hasPrefix) ? path : "./" + path
    }
}
