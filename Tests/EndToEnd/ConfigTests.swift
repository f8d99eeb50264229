import Configuration
import Foundation
import Testing

@testable import denoised

extension EndToEndOfCommands {
    @Suite struct ConfigTests {
        /// A folder with a denoised.yaml.
        private static func folder(_ text: String) throws -> TemporaryFolder {
            let folder = try TemporaryFolder()
            try Data(text.utf8).write(to: folder.file(ConfigurationFile.name))
            return folder
        }

        private static let policy = SourceTree.tinyPolicy("processors")

        private static func run(_ arguments: [String], environment: [String: String] = [:]) async throws
            -> RunningProgram.Ended
        {
            try await RunningProgram(arguments, environment: environment).end()
        }

        // MARK: Every option

        /// A command as `--experimental-dump-help` describes it.
        private struct Command: Decodable {
            struct Argument: Decodable {
                struct Name: Decodable {
                    let name: String
                }
                let kind: String
                let isRepeating: Bool
                let names: [Name]?
                let allValues: [String]?

                var option: String? { names?.last.map { "--\($0.name)" } }
            }
            let commandName: String
            let arguments: [Argument]?
            let subcommands: [Command]?
        }

        private struct Help: Decodable {
            let command: Command
        }

        private func optionsOfServe() async throws -> [String: Command.Argument] {
            let dump = try await succeed(["--experimental-dump-help"]).output
            let help = try JSONDecoder().decode(Help.self, from: Data(dump.utf8))
            let serve = try #require(help.command.subcommands?.first { $0.commandName == "serve" })
            let named = (serve.arguments ?? []).compactMap { argument in
                argument.option.map { ($0, argument) }
            }
            return Dictionary(uniqueKeysWithValues: named).filter {
                !["--help", "--version"].contains($0.key)
            }
        }

        /// An option that is added to `serve` needs a key, in the table `ServeKeys` and in docs/CONFIGURATION.md.
        @Test func everyOptionOfServeHasAKeyOfItsKind() async throws {
            let options = try await optionsOfServe()
            let keyed = Set(ServeKeys.table.keys.map(\.option))
            #expect(options.count > 35)
            #expect(Set(options.keys).subtracting(keyed) == ServeKeys.withoutKey, "options without a key")
            #expect(keyed.subtracting(options.keys) == [], "keys without an option")
            for key in ServeKeys.table.keys {
                let option = try #require(options[key.option])
                #expect(option.kind == (key.shape == .flag ? "flag" : "option"), "\(key)")
                // An option for several values may have a key for one of them besides.
                let several = ServeKeys.table.keys(for: key.option).contains { $0.shape.isSeveral }
                #expect(option.isRepeating == several, "\(key)")
                var words: [String] = []
                switch key.shape {
                case .one(.choice(let choice)), .flagOr(let choice): words = choice
                default: break
                }
                #expect(Set(option.allValues ?? []) == Set(words), "\(key)")
            }
        }

        @Test func theDocumentationHasEveryKey() throws {
            let page = try String(
                contentsOf: SourceTree.root.appending(path: "docs/CONFIGURATION.md"),
                encoding: .utf8
            )
            let rows = page.split(separator: "\n").filter { $0.hasPrefix("| `") }.map(String.init)
            let expected = ServeKeys.table.keys.map { key in
                "| `\(key.path)` | `\(key.option)` | \(key.shape.expected) | \(key.standard) |"
            }
            #expect(
                rows == expected,
                "the table of docs/CONFIGURATION.md is to be\n\(expected.joined(separator: "\n"))"
            )
        }

        @Test func thePackagedFileIsRight() throws {
            let path = SourceTree.path("packaging/denoised.yaml")
            let file = try ConfigurationFile(path, table: ServeKeys.table)
            #expect(Set(["policy", "state"]).isSubset(of: file.settings.map(\.key.path)))
            // What is commented out is right as well: `#key:`, not `# text`.
            let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
                line.hasPrefix("#") && (!line.hasPrefix("# ") || line.hasPrefix("#  "))
                    ? line.dropFirst() : line
            }
            let all = lines.joined(separator: "\n")
            let whole = try ConfigurationFile(text: all, path: path, table: ServeKeys.table)
            #expect(whole.settings.count > file.settings.count + 3)
        }

        // MARK: config

        @Test func aGoodFileIsShownWithWhereEachValueComesFrom() async throws {
            let folder = try Self.folder(
                """
                policy: \(Self.policy)
                sampler:
                  window: 4
                  solver: ddim
                http: {address: 9464}
                """
            )
            let arguments = ["config", folder.path(""), "--window", "auto", "--lock-weights"]
            let ended = try await Self.run(arguments, environment: ["DENOISED_KERNELS": "openblas"])
            let rows = ended.output.split(separator: "\n").map {
                $0.split(separator: " ", omittingEmptySubsequences: true)
            }
            func row(_ key: String) -> String? {
                rows.first { $0.first == key[...] }?.dropFirst().joined(separator: " ")
            }
            #expect(ended.exitCode == 0, "\(ended)")
            #expect(row("policy") == "\(Self.policy) denoised.yaml:1", "\(ended)")
            #expect(row("sampler.window") == "auto command line, not denoised.yaml:3")
            #expect(row("sampler.solver") == "ddim denoised.yaml:4")
            #expect(row("sampler.steps") == "5 policy")
            #expect(row("process.lock_weights") == "true command line")
            #expect(row("endpoints.requests") == "tcp://127.0.0.1:5557 default")
            #expect(row("DENOISED_KERNELS") == "openblas environment")
            // With a header, a rule and two variables; of the two keys of --policy the one that is set.
            #expect(rows.count == ServeKeys.table.keys.count + 3)
        }

        @Test func theResultIsOneJSONObject() async throws {
            let folder = try Self.folder("policy: \(Self.policy)\nprocess: {json: true}\n")
            let json = try await succeed(["config", folder.path("denoised.yaml"), "--json", "--seed", "7"])
                .json()
            #expect(json["file"] as? String == folder.path("denoised.yaml"))
            #expect(json["problems"] as? [String] == [])
            let values = try #require(json["values"] as? [[String: Any]])
            func value(_ key: String) throws -> [String: Any] {
                try #require(values.first { $0["key"] as? String == key })
            }
            #expect(try value("policy")["from"] as? String == "file")
            #expect(try value("policy")["line"] as? Int == 1)
            #expect(try value("process.json")["values"] as? [String] == ["true"])
            #expect(try value("process.json")["from"] as? String == "file")
            #expect(try value("sampler.seed")["from"] as? String == "command line")
            // And without --json the file's own json is what the daemon does, not `config`.
            #expect(
                try await succeed(["config", folder.path("denoised.yaml")]).output.contains("process.json")
            )
        }

        @Test(arguments: [
            ("polcy: a", ["denoised.yaml:1: polcy: unknown key, did you mean policy?"]),
            (
                "policy: POLICY\nsampler:\n  threads: 300\n  budget_ms: 0\n  windwo: 3",
                ["denoised.yaml:5: sampler.windwo: unknown key, did you mean sampler.window?"]
            ),
            (
                "policy: POLICY\nsampler:\n  threads: 300\n  budget_ms: 0",
                [
                    "denoised.yaml:3: sampler.threads is 300, expected 1...256",
                    "denoised.yaml:4: sampler.budget_ms is 0.0, expected 1...60000",
                ]
            ),
            (
                "policy: POLICY\nendpoints:\n  chunks: 127.0.0.1:1",
                ["denoised.yaml:3: endpoints.chunks: found \"127.0.0.1:1\", expected tcp://HOST:PORT"]
            ),
            (
                "policy: POLICY\nsampler: {seed: -1}",
                ["denoised.yaml:2: sampler.seed: found \"-1\", expected a whole number from 0"]
            ),
            (
                "policy: POLICY\nsampler: {window: 1, tolerance: 1}",
                [
                    "denoised.yaml:2: sampler.tolerance is for sampling in parallel, which sampler.window 1 is not; expected a wider window"
                ]
            ),
            (
                "policy: POLICY\nsecurity: {curve_key: a}",
                ["denoised.yaml:2: security.curve_key and security.curve_clients go together"]
            ),
            (
                "robots: []",
                ["denoised.yaml: policy: the key is missing, expected it or --policy on the command line"]
            ),
            ("policy: POLICY\npolicy: POLICY", ["denoised.yaml:1: not YAML: policy: given twice"]),
            (
                "policy: POLICY\nrobots: [one.yaml, two.yaml]",
                [
                    "denoised.yaml:2: robots: FOLDER/one.yaml: No such file",
                    "denoised.yaml:2: robots: FOLDER/two.yaml: No such",
                ]
            ),
            ("policy: nowhere", ["denoised.yaml:1: policy: FOLDER/nowhere: no such folder"]),
            (
                "policy: POLICY\nendpoint: {}",
                [
                    "denoised.yaml:2: endpoint: unknown key, did you mean endpoints or gr00t.endpoint or openpi.endpoint?"
                ]
            ),
            (
                "policies: {bad name: POLICY}",
                ["denoised.yaml:1: policies.bad name: found this name, expected 1 to 64 letters"]
            ),
            (
                "policy: POLICY\nhttp: {address: \"0.0.0.0:1\"}\nendpoints: {requests: \"tcp://0.0.0.0:1\"}",
                [
                    "denoised.yaml:2: http.address: http://0.0.0.0:1 is open to other machines",
                    "denoised.yaml:3: endpoints.requests: tcp://0.0.0.0:1 is open to other machines",
                    "give security.curve_key and security.curve_clients",
                ]
            ),
            ("policy: POLICY\nsampler: {steps: 0}", ["denoised.yaml:2: sampler.steps is 0; expected 1 to"]),
            (
                "policy: POLICY\ngr00t: {endpoint: \"tcp://127.0.0.1:5\", token_file: t}",
                ["denoised.yaml:2: gr00t.token_file: FOLDER/t: No such file"]
            ),
            (
                "policy: POLICY\nrecording: {file: denoised.yaml}",
                ["denoised.yaml:2: recording.file: FOLDER/denoised.yaml is there already"]
            ),
        ])
        func aBadFileIsRefusedWithFileLineAndKey(text: String, parts: [String]) async throws {
            let folder = try Self.folder(text.replacing("POLICY", with: Self.policy))
            let path = folder.path("denoised.yaml")
            let ended = try await Self.run(["config", path])
            #expect(ended.exitCode == 2, "\(ended)")
            for part in parts {
                let place = String(path.dropLast("/denoised.yaml".count))
                let expected = part.replacing("denoised.yaml:", with: "\(path):").replacing(
                    "FOLDER",
                    with: place
                )
                #expect(ended.error.contains(expected), "no \"\(expected)\" in \(ended)")
            }
            #expect(!ended.error.contains("Usage:"), "\(ended)")
            let json = try await Self.run(["config", path, "--json"])
            #expect(json.exitCode == 2)
            #expect(try (json.json()["problems"] as? [String])?.isEmpty == false)
            // What keeps `config` from being satisfied keeps the daemon from starting.
            let served = try await Self.run(["serve", "--config", path])
            #expect(served.exitCode == 2, "\(served)")
            #expect(served.error.contains("\(path):"), "\(served)")
        }

        @Test func secretsAreNotShown() async throws {
            let folder = try Self.folder(
                "policy: \(Self.policy)\ngr00t: {endpoint: \"tcp://127.0.0.1:5559\", token_file: token}\n"
            )
            try Data("verysecret\n".utf8).write(to: folder.file("token"))
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o600],
                ofItemAtPath: folder.path("token")
            )
            for option in [[], ["--json"]] {
                let ended = try await succeed(["config", folder.path("")] + option)
                #expect(ended.output.contains(folder.path("token")))
                #expect(!(ended.output + ended.error).contains("verysecret"))
            }
        }

        @Test(arguments: [
            (["config", "/nowhere/denoised.yaml"], "/nowhere/denoised.yaml: No such file"),
            (["serve", "--config", "/nowhere"], "/nowhere: No such file"),
            (["serve", "--config"], "Missing value for '--config"),
            (
                ["serve", "--without", "http"],
                "--without http leaves a key of a file out, expected --config with it"
            ),
            (["config", "a", "--config", "b"], "config takes one file"),
            (["config", "a", "--polcy", "b"], "--polcy is no option of serve, did you mean --policy?"),
            (["serve", "--config="], "Missing value for '--config"),
            (["serve", "--config", "", "--policy", "a"], "--config is empty"),
            (["config"], "Missing expected argument '--policy"),
        ])
        func aCommandLineThatIsWrongIsRefused(arguments: [String], text: String) async throws {
            let ended = try await Self.run(arguments)
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(ended.error.contains(text), "\(ended)")
        }

        @Test func whatIsLeftOutMustBeThere() async throws {
            let folder = try Self.folder("policy: \(Self.policy)\nsampler: {window: 4, tolerance: 1}\n")
            let path = folder.path("denoised.yaml")
            for (key, text) in [
                ("sampler.windwo", "found \"sampler.windwo\", expected sampler.window"),
                ("http", "found \"http\", which \(path) does not have"),
            ] {
                let ended = try await Self.run(["config", path, "--without", key])
                #expect(ended.exitCode == 2)
                #expect(ended.error.contains(text), "\(ended)")
            }
            let window = /sampler\.window +auto +default/
            #expect(
                try await succeed(["config", path, "--without", "sampler.window"]).output.contains(window)
            )
            let ended = try await Self.run(["config", path, "--window", "1"])
            #expect(ended.error.contains(":2: sampler.tolerance is for sampling in parallel"), "\(ended)")
            _ = try await succeed(["config", path, "--without", "sampler"])
        }

        @Test func helpIsThereWhateverTheFile() async throws {
            #expect(
                try await succeed(["serve", "--config", "/nowhere", "--help"]).output.contains(
                    "--config <file>"
                )
            )
            #expect(
                try await succeed(["config", "/nowhere", "--help"]).output.contains("USAGE: denoised config")
            )
        }

        // MARK: serve

        @Test func serveTakesTheFileAndTheCommandLineWins() async throws {
            let folder = try Self.folder(
                """
                policy: \(Self.policy)
                state: state.json
                endpoints: {messages_per_second: 50}
                sampler: {solver: ddim, steps: 3, seed: 4}
                process: {json: true}
                """
            )
            let daemon = try await RunningDaemon(
                policy: Self.policy,
                "--config",
                folder.path("denoised.yaml"),
                "--steps",
                "4"
            )
            let info = try daemon.client().info()
            #expect((info.sampler.solver, info.sampler.steps) == ("ddim", 4))
            #expect(FileManager.default.fileExists(atPath: folder.path("state.json")), "beside the file")
            let ended = try await daemon.stop()
            #expect(ended.error.contains("options from \(folder.path("denoised.yaml"))"), "\(ended)")
            #expect(try ended.json()["requests"] != nil, "json: true")
        }

        @Test func warningsOfADaemonNameKeys() async throws {
            let folder = try Self.folder(
                "policy: \(Self.policy)\nsecurity: {insecure: true}\nrecording: {file: \"{time}.mcap\", raw_images: true}\n"
            )
            let daemon = try await RunningDaemon(
                policy: Self.policy,
                "--config",
                folder.path("denoised.yaml"),
                "--requests",
                "tcp://0.0.0.0:*"
            )
            let error = try await daemon.stop().error
            #expect(
                error.contains("denoised.yaml:2: security.insecure: whoever reaches tcp://0.0.0.0:*"),
                "\(error)"
            )
            #expect(error.contains("denoised.yaml:3: recording.raw_images changes nothing"), "\(error)")
        }
    }
}

extension ConfigurationKey.Shape {
    fileprivate var isSeveral: Bool {
        switch self {
        case .flag, .flagOr, .one: false
        case .list, .named: true
        }
    }
}
