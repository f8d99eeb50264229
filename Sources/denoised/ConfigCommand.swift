import ArgumentParser
import Configuration
import ForeignText
import Foundation
import Policy
import Sampling

struct ConfigCommand: ParsableCommand {
    /// What it is called.
    static let name = "config"

    static let configuration = CommandConfiguration(
        commandName: name,
        abstract: "Check a configuration file of serve, and show what is in force.",
        discussion: """
            Prints every key with its value and where that comes from: a line of the file, the command line, the environment, \
            or nothing of these. Reads every file that the options name, and opens no socket. docs/CONFIGURATION.md has the keys.

            Takes every option of `denoised serve` too, as they would stand there. With --json the result is one JSON object.
            """
    )

    @Argument(
        help: "The file, or the folder that has a denoised.yaml. Without one the options alone are checked."
    )
    var file: String?

    @OptionGroup(visibility: .hidden)
    var serve: ServeCommand

    /// The result.
    struct Report: Encodable {
        struct Value: Encodable {
            let key: String
            /// As in the file; of a list or a mapping all, in words if it is a default.
            let values: [String]
            let from: Origin
            /// The line of the file that has it; absent: none has.
            let line: Int?
            /// The line of the file that the command line takes the place of; absent: none.
            let insteadOfLine: Int?
        }

        enum Origin: String, Encodable {
            case file
            case commandLine = "command line"
            case environment
            case policy
            case standard = "default"
        }

        /// Absent: there is none, or it cannot be read.
        let file: String?
        let values: [Value]
        let problems: [String]
        let notes: [String]
    }

    func run() throws {
        guard let line = ServeLine.inForce, let configured = line.configured else { return }
        let check = ServeCheck(serve)
        let report = Report(
            file: configured.file,
            values: configured.rows.map { Self.value($0, for: check.policies) } + Self.environment,
            problems: check.problems,
            notes: check.notes
        )
        if line.wantsJSON { try Console.json(report) } else { Self.show(report) }
        for note in report.notes { Console.warn(note) }
        guard report.problems.isEmpty else {
            throw ConfigurationRefusal(lines: report.problems, isInResult: true)
        }
    }

    /// Tells of a file that cannot be read, for `--json`.
    static func showRefusal(_ refusal: ConfigurationRefusal) {
        try? Console.json(Report(file: nil, values: [], problems: refusal.lines, notes: []))
    }

    // MARK: Values

    private static func value(_ row: ConfiguredArguments.Row, for policies: [NamedPolicy]) -> Report.Value {
        let (from, line, replaced): (Report.Origin, Int?, Int?) =
            switch row.origin {
            case .file(let line): (.file, line, nil)
            case .commandLine(let line): (.commandLine, nil, line)
            case .standard: (.standard, nil, nil)
            }
        if from == .standard, let own = standard(row.key.path, of: policies) {
            return Report.Value(
                key: row.key.path,
                values: [own],
                from: .policy,
                line: nil,
                insteadOfLine: nil
            )
        }
        return Report.Value(
            key: row.key.path,
            values: row.values,
            from: from,
            line: line,
            insteadOfLine: replaced
        )
    }

    /// What the policies say of a key that nobody set, each value once; nil: nothing.
    private static func standard(_ path: String, of policies: [NamedPolicy]) -> String? {
        var values: [String] = []
        for settings in policies.map(\.bundle.configuration.defaultSettings) {
            let value: String? =
                switch path {
                case "sampler.solver": settings.solver.rawValue
                case "sampler.steps": "\(settings.numInferenceSteps)"
                default: nil
                }
            if let value, !values.contains(value) { values.append(value) }
        }
        return values.isEmpty ? nil : values.joined(separator: " or ")
    }

    /// What the environment says besides.
    private static var environment: [Report.Value] {
        let environment = ProcessInfo.processInfo.environment
        return [WantedBackend.variable, "XDG_CACHE_HOME"].compactMap { name in
            guard let value = environment[name], !value.isEmpty else { return nil }
            return Report.Value(
                key: name,
                values: [value],
                from: .environment,
                line: nil,
                insteadOfLine: nil
            )
        }
    }

    // MARK: Text

    private static func show(_ report: Report) {
        var table = Table("key", "value", "from", isText: true)
        for value in report.values {
            table.add(
                value.key,
                printable(value.values.joined(separator: ", "), limit: 256),
                origin(value, file: report.file ?? "")
            )
        }
        table.print()
    }

    private static func origin(_ value: Report.Value, file: String) -> String {
        let name = URL(filePath: file).lastPathComponent
        if let line = value.line { return ConfigurationFile.place(name, line) }
        guard let line = value.insteadOfLine else { return value.from.rawValue }
        return "\(value.from.rawValue), not \(ConfigurationFile.place(name, line))"
    }
}
