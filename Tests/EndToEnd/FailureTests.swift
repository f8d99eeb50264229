import Foundation
import Safetensors
import Testing
import Transport

extension EndToEndOfCommands {
    /// Exit codes and messages: 2 for bad usage or input, 1 for a run that failed; nothing on standard output.
    @Suite struct FailureTests {
        static let policy = SourceTree.tinyPolicy("processors")
        static let nowhere = "/nowhere/at/all"

        /// Checks that a run ended with an exit code, said nothing on standard output, and named `parts` on standard error.
        private func check(
            _ arguments: [String],
            exitCode: Int32,
            names parts: [String],
            seconds: Double = 60,
            sourceLocation: SourceLocation = #_sourceLocation
        ) async throws {
            let ended = try await RunningProgram(arguments).end(seconds: seconds)
            #expect(ended.exitCode == exitCode, "\(ended)", sourceLocation: sourceLocation)
            #expect(ended.output == "", sourceLocation: sourceLocation)
            for part in parts {
                #expect(
                    ended.error.contains(part),
                    "no \"\(part)\" in: \(ended.error)",
                    sourceLocation: sourceLocation
                )
            }
        }

        @Test(
            arguments: [
                (["frobnicate"], ["frobnicate", "denoised --help"]),
                (["inspect"], ["Missing", "<policy>"]),
                (["inspect", policy, "--bogus"], ["Unknown option", "--bogus"]),
                (["inspect", nowhere], ["\(nowhere): no such folder; expected a policy's folder"]),
                (
                    ["inspect", SourceTree.path("Package.swift")],
                    ["Package.swift: not a folder; expected a policy's folder"]
                ),
                (["serve"], ["Missing", "--policy"]),
                (["serve", "--policy", nowhere], ["\(nowhere): no such folder; expected a policy's folder"]),
                (
                    ["serve", "--policy", policy, "--steps", "0"],
                    ["num_inference_steps is 0", "expected 1 to", "20"]
                ),
                (
                    ["serve", "--policy", policy, "--requests", "here"],
                    ["here", "--requests", "tcp://HOST:PORT", "ipc://"]
                ),
                (
                    ["serve", "--policy", policy, "--chunks", "tcp://127.0.0.1:65536"],
                    ["65536", "--chunks", "up to 65535"]
                ),
                (
                    ["serve", "--policy", policy, "--chunks-to", "tcp://127.0.0.1:*"],
                    ["--chunks-to", "from 1 to 65535"]
                ),
                (
                    ["serve", "--policy", policy, "--chunks", "tcp://*:1", "--chunks-to", "tcp://a:1"],
                    ["--chunks and --chunks-to"]
                ),
                (["serve", "--policy", policy, "--log-level", "loud"], ["loud", "--log-level", "warning"]),
                (["sim"], ["--policy", "--connect", "--replay", "--print-reset"]),
                (["sim", "--policy", nowhere], ["\(nowhere): no such folder; expected a policy's folder"]),
                (
                    ["sim", "--policy", policy, "--json"],
                    ["observation.environment_state [3]", "observation.environment_state [16]"]
                ),
                (["sim", "--policy", policy, "--episodes", "0"], ["--episodes is 0", "1...1000000"]),
                (["sim", "--print-reset", "x"], ["'x'", "--print-reset"]),
                (["sim", "--print-reset", "1", "--policy", policy], ["exactly one of"]),
                (["sim", "--print-reset", "1", "--seed", "2"], ["--seed", "--print-reset"]),
                (
                    ["sim", "--replay", "in.safetensors", "--output", "out.safetensors", "--episodes", "2"],
                    ["--episodes", "--replay"]
                ),
                (["sim", "--print-reset", "1", "--precision", "f32"], ["--precision", "--print-reset"]),
                (
                    ["bench", "budget", "--policy", policy, "--tolerance", "0.2"],
                    ["--tolerance", "expected --window"]
                ),
                (
                    ["sim", "--policy", policy, "--window", "1", "--tolerance", "0.2"],
                    ["--tolerance", "expected a wider window"]
                ),
                (
                    ["serve", "--policy", policy, "--window", "1", "--tolerance", "0.2"],
                    ["--tolerance", "expected a wider window"]
                ),
                (["serve", "--policy", policy, "--method", "paradigms"], ["--method", "expected --window"]),
                (
                    ["sim", "--policy", policy, "--window", "auto", "--method", "paradigms"],
                    ["--window is auto", "--method paradigms"]
                ),
                (
                    ["sim", "--policy", policy, "--window", "4", "--method", "picard"],
                    ["picard", "--method"]
                ),
                (
                    ["sim", "--connect", "tcp://127.0.0.1:1", "--steps", "5"],
                    ["--steps and --connect exclude each other"]
                ),
                (
                    ["sim", "--connect", "tcp://127.0.0.1:1", "--tolerance", "0.2"],
                    ["--tolerance and --connect exclude each other"]
                ),
                (["sim", "--connect", "tcp://127.0.0.1"], ["--connect", "tcp://HOST:PORT"]),
                (["sim", "--replay", "\(nowhere).safetensors"], ["--replay and --output go together"]),
                (
                    ["sim", "--replay", "\(nowhere).safetensors", "--output", "out.safetensors"],
                    ["\(nowhere).safetensors: cannot be opened"]
                ),
                (["report"], ["Missing", "<file>"]),
                (["report", "-o", "/dev/null", nowhere], ["\(nowhere): No such file or directory"]),
                (
                    ["report", "-o", "/dev/null", SourceTree.path("Package.swift")],
                    ["Package.swift: not the start of a JSON value (byte 0)", "or an MCAP recording"]
                ),
                (
                    ["report", "-o", "/dev/null", SourceTree.path("sim/pusht.json")],
                    ["pusht.json: found an object with the members", "expected what `denoised sim`"]
                ),
                (
                    ["bench", "chunk", "--policy", nowhere],
                    ["\(nowhere): no such folder; expected a policy's folder"]
                ),
                (["bench", "chunk", "--policy", policy, "--runs", "0"], ["--runs is 0", "1...1000000"]),
                (["bench", "budget", "--policy", policy, "--budgets", "20,0"], ["\"0\"", "--budgets"]),
                (["bench", "budget", "--policy", policy, "--budget-ms", "20"], ["--budgets"]),
                (["bench", "budget", "--policy", policy, "--chunks", "0"], ["--chunks is 0"]),
                (["sim", "--policy", policy, "--synchronous"], ["--synchronous is for --realtime"]),
                (["sim", "--policy", policy, "--delay-ms", "5"], ["--delay-ms is for --realtime"]),
                (
                    ["sim", "--policy", policy, "--realtime", "--delay-ms", "501"],
                    ["--delay-ms is 501", "0...500"]
                ),
                (["sim", "--print-reset", "1", "--realtime"], ["--realtime", "--print-reset"]),
                (
                    ["bench", "realtime", "--policy", nowhere],
                    ["\(nowhere): no such folder; expected a policy's folder"]
                ),
                (
                    ["bench", "realtime", "--policy", policy, "--delays", "0,x"],
                    ["\"x\"", "--delays", "0...500"]
                ),
                (["bench", "realtime", "--policy", policy, "--samplers", "ddim"], ["\"ddim\"", "ddim:10"]),
                (
                    ["bench", "realtime", "--policy", policy, "--samplers", "ddim:5", "--steps", "5"],
                    ["--samplers and --solver or --steps exclude each other"]
                ),
                (
                    ["bench", "paper", "--policy", policy],
                    ["the policy processors takes", "observation.environment_state [3]", "PushT gives"]
                ),
                (
                    ["bench", "paper", "--policy", policy, "--episodes", "0"],
                    ["--episodes is 0", "1...1000000"]
                ),
                (
                    ["bench", "paper", "--policy", policy, "--window", "0"],
                    ["--window is 0", "1...1000 or auto"]
                ),
                (
                    ["bench", "network", "--architecture", nowhere],
                    ["\(nowhere): no such folder; expected a policy's folder"]
                ),
                (["bench", "network", "--batch", "1,0"], ["\"0\"", "--batch", "1...1024"]),
            ] as [([String], [String])]
        )
        func badUsageIsTwo(arguments: [String], parts: [String]) async throws {
            try await check(arguments, exitCode: 2, names: parts)
        }

        @Test(
            arguments: [
                (["--steps", "abc"], ["'abc'", "--steps"]),
                (
                    ["--steps", "0"],
                    ["num_inference_steps is 0", "expected 1 to num_train_timesteps, which is 20"]
                ),
                (
                    ["--steps", "21"],
                    ["num_inference_steps is 21", "expected 1 to num_train_timesteps, which is 20"]
                ),
                (["--steps=-1"], ["num_inference_steps is -1"]),
                (["--window", "0"], ["window is 0", "at least 1"]),
                (["--window", "x"], ["'x'", "--window"]),
                (["--window", "4", "--tolerance=-1"], ["tolerance is -1", "not negative"]),
                (["--window", "4", "--tolerance", "nan"], ["tolerance is nan", "finite"]),
                (["--solver", "euler"], ["'euler'", "--solver", "ddpm", "ddim", "dpmsolver++"]),
                (["--threads", "0"], ["--threads is 0", "1...256"]),
                (["--seed=-1"], ["'-1'", "--seed"]),
            ] as [([String], [String])]
        )
        func badSamplerOptionIsTwo(options: [String], parts: [String]) async throws {
            let folder = try TemporaryFolder()
            try SafetensorsWriter.write(Self.input, to: folder.file("in.safetensors"))
            let paths = [
                "--input", folder.path("in.safetensors"), "--output", folder.path("out.safetensors"),
            ]
            try await check(
                ["predict", "--policy", Self.policy] + paths + options,
                exitCode: 2,
                names: parts
            )
            #expect(!FileManager.default.fileExists(atPath: folder.path("out.safetensors")))
        }

        static let input: [String: SafetensorsWriter.Tensor] = [
            "observation.state": .f32([100, -2.75, 110, -2.7], shape: [2, 2]),
            "observation.environment_state": .f32([0, 7.5, 0, 0.5, 7.5, 0.001], shape: [2, 3]),
        ]

        @Test(
            arguments: [
                (
                    "observation.state", .f32([1, 2], shape: [1, 2]),
                    ["observation.state", "[1, 2]", "[2, 2]"]
                ),
                (
                    "observation.state", .f32([1, 2, 3, 4], shape: [4]),
                    ["observation.state", "[4]", "[2, 2]"]
                ),
                (
                    "observation.state", .f32([1, 2, 3, .nan], shape: [2, 2]),
                    ["observation.state", "nan", "finite"]
                ),
                ("observation.state", nil, ["observation.state", "no such tensor"]),
                ("gripper", .f32([1], shape: [1]), ["gripper", "unknown", "observation.environment_state"]),
                (
                    "noise", .f32(.init(repeating: 0, count: 80), shape: [5, 8, 2]),
                    ["noise", "[5, 8, 2]", "[6, 8, 2]"]
                ),
                (
                    "noise", .f32(.init(repeating: .infinity, count: 96), shape: [6, 8, 2]),
                    ["noise", "inf", "finite"]
                ),
                ("observation.state", .i64([1, 2, 3, 4], shape: [2, 2]), ["observation.state", "I64"]),
            ] as [(String, SafetensorsWriter.Tensor?, [String])]
        )
        func badInputTensorIsTwo(name: String, tensor: SafetensorsWriter.Tensor?, parts: [String])
            async throws
        {
            let folder = try TemporaryFolder()
            var tensors = Self.input
            tensors[name] = tensor
            try SafetensorsWriter.write(tensors, to: folder.file("in.safetensors"))
            let paths = [
                "--input", folder.path("in.safetensors"), "--output", folder.path("out.safetensors"),
            ]
            try await check(
                ["predict", "--policy", Self.policy] + paths,
                exitCode: 2,
                names: parts + [folder.path("in.safetensors") + ":"]
            )
            #expect(!FileManager.default.fileExists(atPath: folder.path("out.safetensors")))
        }

        @Test(
            arguments: [
                ("actions", .f64([1, 2, 3], shape: [1, 3]), ["actions", "[1, 3]", "[T, 2]"]),
                ("actions", .f64([1, .nan], shape: [1, 2]), ["actions[0]", "nan"]),
                ("actions", nil, ["actions", "no such tensor"]),
                ("initial_state", .f64([1, 2, 3, 4], shape: [4]), ["initial_state", "[4]", "[5]"]),
                ("initial_state", .f64([1, 2, 3, 4, .infinity], shape: [5]), ["inf"]),
            ] as [(String, SafetensorsWriter.Tensor?, [String])]
        )
        func badReplayIsTwo(name: String, tensor: SafetensorsWriter.Tensor?, parts: [String]) async throws {
            let folder = try TemporaryFolder()
            var tensors: [String: SafetensorsWriter.Tensor] = [
                "initial_state": .f64([100, 100, 200, 200, 0], shape: [5]),
                "actions": .f64([1, 2], shape: [1, 2]),
            ]
            tensors[name] = tensor
            try SafetensorsWriter.write(tensors, to: folder.file("in.safetensors"))
            try await check(
                [
                    "sim", "--replay", folder.path("in.safetensors"), "--output",
                    folder.path("out.safetensors"),
                ],
                exitCode: 2,
                names: parts + [folder.path("in.safetensors") + ":"]
            )
        }

        @Test func corruptPolicyIsTwo() async throws {
            let policy = try PolicyCopy(of: "processors")
            let weights = policy.file("model.safetensors")
            try Data(contentsOf: weights).prefix(3000).write(to: weights)
            try await check(
                ["inspect", policy.path],
                exitCode: 2,
                names: ["\(policy.path): model.safetensors", "3000 bytes"]
            )

            let unknown = try PolicyCopy(of: "processors")
            try unknown.edit("config.json") { $0["beta_schedule"] = "sigmoid" }
            try await check(
                ["inspect", unknown.path],
                exitCode: 2,
                names: ["\(unknown.path): config.json", "beta_schedule", "sigmoid", "squaredcos_cap_v2"]
            )
        }

        @Test func outputThatCannotBeWrittenIsOne() async throws {
            let folder = try TemporaryFolder()
            let output = folder.path("none/out.safetensors")
            try SafetensorsWriter.write(Self.input, to: folder.file("in.safetensors"))
            try await check(
                [
                    "predict", "--policy", Self.policy, "--input", folder.path("in.safetensors"), "--output",
                    output,
                ],
                exitCode: 1,
                names: ["\(output): cannot be written (No such file or directory)"]
            )
            try await check(
                [
                    "predict", "--policy", Self.policy, "--input", folder.path("in.safetensors"), "--output",
                    folder.url.path(percentEncoded: false),
                ],
                exitCode: 1,
                names: ["cannot be written (Is a directory)"]
            )
            try SafetensorsWriter.write(
                [
                    "initial_state": .f64([100, 100, 200, 200, 0], shape: [5]),
                    "actions": .f64([1, 2], shape: [1, 2]),
                ],
                to: folder.file("replay.safetensors")
            )
            try await check(
                ["sim", "--replay", folder.path("replay.safetensors"), "--output", output],
                exitCode: 1,
                names: ["\(output): cannot be written (No such file or directory)"]
            )
            let policy = try pushTPolicy()
            try await check(
                ["sim", "--policy", policy.path, "--draw", folder.path("none/episode.svg"), "--json"],
                exitCode: 1,
                names: [folder.path("none/episode.svg"), "cannot be written"]
            )
        }

        @Test(arguments: [
            "--robot", "--state", "--record", "--curve-key", "--gr00t-token-file", "--policy", "replay",
            "keygen",
        ])
        func namesDoNotForgeLines(of what: String) async throws {
            let folder = try TemporaryFolder()
            // There is no such folder.
            let name = folder.path("a\u{1b}[2Jb\ndenoised: forged/file")
            // Without the line that says which policy was taken.
            let serve = ["serve", "--log-level", "error", "--policy", Self.policy]
            let arguments =
                switch what {
                case "--policy": ["serve", "--policy", name]
                case "replay": ["replay", name, "--policy", Self.policy]
                case "keygen": ["keygen", name]
                case "--curve-key": serve + [what, name, "--curve-clients", folder.path("")]
                case "--gr00t-token-file": serve + ["--gr00t", "tcp://127.0.0.1:*", what, name]
                default: serve + [what, name]
                }
            let ended = try await RunningProgram(arguments).end()
            #expect(ended.exitCode != 0)
            #expect(ended.error.contains("a?[2Jb?denoised: forged/"), "\(ended)")
            #expect(ended.error.unicodeScalars.count { $0.properties.generalCategory == .control } == 1)
            #expect(ended.error.hasSuffix("\n"))
        }

        @Test func portInUseIsOne() async throws {
            let socket = try ZeroMQSocket(.router, context: ZeroMQContext())
            let endpoint = try socket.bind("tcp://127.0.0.1:*")
            try await check(
                [
                    "serve", "--policy", Self.policy, "--observations", "tcp://127.0.0.1:*", "--chunks",
                    "tcp://127.0.0.1:*", "--requests", endpoint,
                ],
                exitCode: 1,
                names: [endpoint, "Address already in use"]
            )
        }

        @Test func daemonThatIsNotThereIsOne() async throws {
            try await check(
                ["sim", "--connect", "tcp://127.0.0.1:1", "--json"],
                exitCode: 1,
                names: ["no answer", "tcp://127.0.0.1:1", "is `denoised serve` running there?"],
                seconds: 30
            )
        }

        @Test func helpAndVersionAreZero() async throws {
            for arguments in [["--help"], ["help", "sim"], ["serve", "--help"], ["--version"]] {
                let ended = try await succeed(arguments)
                #expect(ended.error == "")
                #expect(!ended.output.isEmpty)
            }
        }
    }
}
