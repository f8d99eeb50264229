import Fields
import ForeignText
import Foundation
import StrictYAML

/// What a configuration file says: a value for each of its keys. Read from YAML; docs/CONFIGURATION.md has the keys.
package struct ConfigurationFile: Sendable, Hashable {
    /// A key with its value.
    package struct Setting: Sendable, Hashable {
        package let key: ConfigurationKey
        /// Where the key is in the file, from 1.
        package let line: Int
        /// As the command line takes them: one, for a list or a mapping any number. Paths are those that are opened.
        package let values: [String]

        /// What stands for it on the command line.
        package var arguments: [String] {
            switch key.shape {
            case .flag, .flagOr:
                switch values {
                case ["true"]: [key.option]
                case ["false"]: []
                default: values.map { "\(key.option)=\($0)" }
                }
            case .one, .list, .named: values.map { "\(key.option)=\($0)" }
            }
        }
    }

    /// The file, as errors name it.
    package let path: String
    /// In the order of the file.
    package let settings: [Setting]

    /// What a file is called, if only its folder is given.
    package static let name = "denoised.yaml"

    /// Reads and checks a file.
    ///
    /// - Parameter path: the file, or the folder of one that is called ``name``.
    /// - Throws: ``ConfigurationProblems``, all of them, with file, line and key.
    package init(_ path: String, table: ConfigurationTable) throws(ConfigurationProblems) {
        let file = Self.file(at: path)
        let text: String
        do throws(YAMLRefusal) {
            text = try StrictYAML.text(ofFile: file)
        } catch {
            throw ConfigurationProblems([
                ConfigurationProblem(file: file, line: error.line, key: nil, error.message)
            ])
        }
        try self.init(text: text, path: file, table: table)
    }

    /// Reads and checks a file's text.
    ///
    /// - Parameter path: the file; relative paths in it begin at its folder.
    package init(text: String, path: String, table: ConfigurationTable) throws(ConfigurationProblems) {
        let value: YAMLValue?
        do throws(YAMLRefusal) {
            value = try StrictYAML.value(of: text)
        } catch {
            throw ConfigurationProblems([
                ConfigurationProblem(file: path, line: error.line, key: nil, error.message)
            ])
        }
        self.path = path
        var reading = ConfigurationReading(file: path, table: table)
        if let value { reading.read(value) }
        guard reading.problems.isEmpty else { throw ConfigurationProblems(reading.problems) }
        settings = reading.settings
    }

    /// The file that a path means.
    package static func file(at path: String) -> String {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
            return path
        }
        return path.hasSuffix("/") ? path + name : "\(path)/\(name)"
    }

    /// A file and a line of it, for people: `denoised.yaml:3`.
    package static func place(_ file: String, _ line: Int?) -> String {
        printable(file, limit: 1024) + (line.map { ":\($0)" } ?? "")
    }
}
