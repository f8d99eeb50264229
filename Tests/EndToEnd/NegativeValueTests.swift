import Foundation
import Testing

extension EndToEndOfCommands {
    /// `--name -5`: a negative number is a value, which the program then judges itself.
    @Suite struct NegativeValueTests {
        /// A command as `--experimental-dump-help` describes it.
        private struct Command: Decodable {
            struct Argument: Decodable {
                struct Name: Decodable {
                    let name: String
                }
                let kind: String
                let names: [Name]?
                let valueName: String?
            }
            let commandName: String
            let arguments: [Argument]?
            let subcommands: [Command]?
        }

        private struct Help: Decodable {
            let command: Command
        }

        /// Every option of every command that takes a value.
        private func options() async throws -> [(command: [String], option: String)] {
            let dump = try await succeed(["--experimental-dump-help"]).output
            func options(of command: Command, _ path: [String]) -> [(command: [String], option: String)] {
                let own = (command.arguments ?? []).filter { $0.kind == "option" }.compactMap { argument in
                    argument.names?.last.map { (command: path, option: "--\($0.name)") }
                }
                let below = (command.subcommands ?? []).flatMap { options(of: $0, path + [$0.commandName]) }
                return own + below
            }
            return options(of: try JSONDecoder().decode(Help.self, from: Data(dump.utf8)).command, [])
        }

        @Test func noOptionLosesANegativeValue() async throws {
            let options = try await options()
            #expect(options.count > 80)
            for (command, option) in options {
                let ended = try await RunningProgram(command + [option, "-5"]).end(seconds: 20)
                #expect(ended.exitCode != 0, "\(command) \(option): \(ended)")
                #expect(!ended.error.contains("Missing value for"), "\(command) \(option): \(ended)")
                #expect(!ended.error.contains("Unknown option"), "\(command) \(option): \(ended)")
            }
        }

        private static let policy = ["--policy", SourceTree.tinyPolicy("processors")]
        private static let seed = "expected a whole number from 0 to 18446744073709551615"

        @Test(
            arguments: [
                (["serve"] + policy, "--threads", ["-5", "1...256"]),
                (["serve"] + policy, "--budget-ms", ["-5.0", "1...60000"]),
                (["serve"] + policy, "--priority", ["-5", "1...99"]),
                (["serve"] + policy, "--messages-per-second", ["-5", "1...10000000"]),
                (["serve"] + policy, "--frame-age", ["-5.0", "0...60000"]),
                (["serve"] + policy, "--seed", ["-5", seed]),
                (["sim"] + policy, "--episodes", ["-5", "1...1000000"]),
                (["sim"] + policy + ["--realtime"], "--delay-ms", ["-5", "0...500"]),
                (["sim"], "--print-reset", ["-5", seed]),
                (["monitor"], "--timeout-s", ["-5.0", "more than 0"]),
                (["bench", "chunk"] + policy, "--threads", ["-5", "1...256"]),
                (["bench", "chunk"] + policy, "--runs", ["-5", "1...1000000"]),
                (["bench", "chunk"] + policy, "--warm-up", ["-5", "expected"]),
                (["bench", "chunk"] + policy, "--seed", ["-5", seed]),
                (["bench", "budget"] + policy, "--budgets", ["-5", "expected"]),
                (["bench", "budget"] + policy, "--chunks", ["-5", "expected"]),
                (["bench", "network"], "--batch", ["-5", "1...1024"]),
                (["bench", "network"], "--filtering-batch", ["-5", "0...1024"]),
                (["serve"] + policy, "--filtering-memory", ["-5", "0...1048576"]),
                (["bench", "network"], "--seed", ["-5", seed]),
                (["bench", "paper"] + policy, "--seed", ["-5", seed]),
                (["bench", "realtime"] + policy, "--delays", ["-5", "0...500"]),
                (["bench", "realtime"] + policy, "--cross-fade", ["-5", "expected"]),
                (["bench", "robots"] + policy, "--robots", ["-5", "1..."]),
                (["bench", "robots"] + policy, "--seed", ["-5", seed]),
            ] as [([String], String, [String])]
        )
        func theErrorNamesOptionValueAndExpectation(command: [String], option: String, parts: [String])
            async throws
        {
            let ended = try await RunningProgram(command + [option, "-5"]).end(seconds: 20)
            #expect(ended.exitCode == 2, "\(ended)")
            for part in parts + [option] { #expect(ended.error.contains(part), "no \"\(part)\" in \(ended)") }
        }

        /// What is no number stays what it was: another option, or an argument.
        @Test(arguments: [
            (["monitor", "--connect", "--json"], "Missing value for '--connect"),
            (["monitor", "--json", "-5"], "'--json' does not take any value"),
            (["keygen", "--", "-5/"], "NAME is \"-5/\""),
        ])
        func otherArgumentsAreAsTheyWere(arguments: [String], text: String) async throws {
            let ended = try await RunningProgram(arguments).end(seconds: 20)
            #expect(ended.exitCode == 2)
            #expect(ended.error.contains(text), "\(ended)")
        }
    }
}
