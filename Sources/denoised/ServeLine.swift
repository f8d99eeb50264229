import ArgumentParser
import Configuration
import Synchronization

/// The program's command line, and for `serve` and `config` the configuration file that it names.
///
/// A file becomes options in front of those of the command line, and the parser judges both alike. What it says of the file's
/// is told in the file's words.
struct ServeLine: Sendable {
    /// For the parser.
    let arguments: [String]
    /// Where each value comes from; nil for other commands, and where somebody asks for help.
    let configured: ConfiguredArguments?
    /// Whether `--json` is on the command line.
    let wantsJSON: Bool

    private static let current = Mutex<ServeLine?>(nil)

    /// The one that the program was started with.
    static var inForce: ServeLine? {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }

    /// An error's or a warning's text in the words of the configuration file, if there is one.
    static func explained(_ message: String) -> String {
        guard let configured = inForce?.configured else { return message }
        // The sampler names a setting as policies do.
        for (setting, option) in samplerSettings {
            let start = "sampler settings: \(setting) is "
            guard message.hasPrefix(start), configured.settings.contains(where: { $0.key.option == option })
            else { continue }
            return configured.explained("\(option) is \(message.dropFirst(start.count))")
        }
        return configured.explained(message)
    }

    private static let samplerSettings = [
        ("num_inference_steps", "--steps"), ("window", "--window"), ("tolerance", "--tolerance"),
    ]

    /// - Throws: ``ConfigurationRefusal`` or `Failure` for a file that cannot be used.
    init(_ arguments: [String]) throws {
        let command = arguments.first
        let given = GivenOptions(
            arguments.dropFirst(),
            takesValue: Self.takesValue,
            words: Self.words
        )
        let isHelp = arguments.contains {
            ["--help", "-help", "-h", "--help-hidden", "--version", "--experimental-dump-help"].contains($0)
        }
        wantsJSON = given.values["--json"] != nil
        guard command == "serve" || command == ConfigCommand.name, !isHelp else {
            (self.arguments, configured) = (arguments, nil)
            return
        }
        let isConfig = command == ConfigCommand.name
        // Its value could be taken for the file. Of `serve` the parser tells such an option.
        if isConfig { try Self.checkNames(given) }
        let path = try Self.path(in: given, isConfig: isConfig)
        let file = try path.map(Self.file)
        let without = given.values["--without"] ?? []
        if let file { try Self.check(without, for: file) }
        var own = given
        // For `config` it says how to print, not what a daemon is to do.
        if isConfig { own.remove("--json") }
        let configured = ConfiguredArguments(file, without: without, given: own, table: ServeKeys.table)
        self.configured = configured
        let named = isConfig && given.values["--config"] == nil ? path.map { ["--config=\($0)"] } ?? [] : []
        self.arguments = arguments.prefix(1) + configured.arguments + named + arguments.dropFirst()
    }

    private static func takesValue(_ option: String) -> Bool {
        ServeKeys.withoutKey.contains(option)
            || ServeKeys.table.keys(for: option).contains { $0.shape != .flag }
    }

    private static func words(_ option: String) -> [String]? {
        for key in ServeKeys.table.keys(for: option) {
            if case .flagOr(let words) = key.shape { return words }
        }
        return nil
    }

    private static func checkNames(_ given: GivenOptions) throws {
        for option in given.values.keys.sorted() where !ServeKeys.withoutKey.contains(option) {
            guard ServeKeys.table.keys(for: option).isEmpty else { continue }
            let names = ServeKeys.table.suggestions(for: option).compactMap { ServeKeys.table[$0]?.option }
            let hint = names.isEmpty ? "" : ", did you mean \(names.joined(separator: " or "))?"
            throw Failure.input("\(option) is no option of serve\(hint)")
        }
    }

    /// The file that a command line names.
    private static func path(in given: GivenOptions, isConfig: Bool) throws -> String? {
        // The parser says that the value is missing.
        let option = given.values["--config"]?.last.flatMap { $0.isEmpty ? nil : $0 }
        guard isConfig, let argument = given.others.first else { return option }
        guard option == nil else {
            throw Failure.input("config takes one file, found \"\(argument)\" and --config")
        }
        return argument
    }

    private static func file(_ path: String) throws -> ConfigurationFile {
        do throws(ConfigurationProblems) {
            return try ConfigurationFile(path, table: ServeKeys.table)
        } catch {
            throw ConfigurationRefusal(lines: error.lines)
        }
    }

    /// Checks that the file has what is to be left out.
    private static func check(_ without: [String], for file: ConfigurationFile) throws {
        for name in without {
            let table = ServeKeys.table
            guard table[name] != nil || table.isSection(name) else {
                let names = table.suggestions(for: name)
                let hint = names.isEmpty ? "a key or section" : names.joined(separator: " or ")
                throw Failure.input("--without: found \"\(name)\", expected \(hint)")
            }
            guard file.settings.contains(where: { ConfiguredArguments.covers(name, $0.key.path) }) else {
                throw Failure.input("--without: found \"\(name)\", which \(file.path) does not have")
            }
        }
    }

    /// What the parser's error means, if it is about the file.
    func refusal(_ error: any Error) -> any Error {
        guard let configured, Denoised.exitCode(for: error) != .success else { return error }
        guard configured.file != nil else { return error }
        let own = arguments.dropFirst(1 + configured.arguments.count)
        let lines = configured.problems { options in
            do {
                _ = try Denoised.parseAsRoot(arguments.prefix(1) + options + own)
                return nil
            } catch {
                return Denoised.message(for: error)
            }
        }
        // It may be the command line's fault alone.
        return lines.first == Denoised.message(for: error) ? error : ConfigurationRefusal(lines: lines)
    }
}

/// Why a configuration file cannot be used, a line for each reason, each with the file.
struct ConfigurationRefusal: Error {
    let lines: [String]
    /// Whether the result that `--json` asks for has been printed.
    var isInResult = false
}
