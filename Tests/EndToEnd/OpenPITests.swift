import Foundation
import PolicyFixtures
import PushT
import Robotics
import Testing

/// openpi-client in a process of its own (Tests/Oracles/openpi_robot.py).
private final class OpenPIRobot {
    /// What an array has.
    struct Array: Decodable {
        var dtype: String
        var shape: [Int]
        var values: [Float]
    }

    /// A line of what the program prints.
    struct Answer: Decodable {
        struct Metadata: Decodable {
            var policy: String
            var nObsSteps: Int
        }

        struct Chunk: Decodable {
            var robot: String
            var episode: String
            var sequence: Int
        }

        var actions: Array?
        var serverTiming: [String: Double]?
        var policyTiming: [String: Double]?
        var chunk: Chunk?
        var error: String?
        var text: String?
        var metadata: Metadata?
    }

    private let program: RunningProgram
    private let input = Pipe()
    private var read = 0
    /// What the daemon said when the client connected.
    private(set) var greeting = Answer()

    init(_ daemon: RunningDaemon, _ options: String...) async throws {
        let port = try #require(daemon.endpoints.openpi?.split(separator: ":").last)
        program = try RunningProgram(
            [SourceTree.path("Tests/Oracles/openpi_robot.py"), "--port", String(port)] + options,
            executable: URL(filePath: try #require(EndToEnd.OpenPITests.python)),
            input: input.fileHandleForReading
        )
        greeting = try await next()
    }

    /// The client's answer to an observation.
    func infer(_ observation: [String: Any]) async throws -> Answer {
        var line = try JSONSerialization.data(withJSONObject: observation)
        line.append(UInt8(ascii: "\n"))
        try input.fileHandleForWriting.write(contentsOf: line)
        return try await next()
    }

    private func next() async throws -> Answer {
        var line: Substring?
        try await program.wait(for: "line \(read) of the client") {
            let whole = program.output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            line = whole.count > read ? whole[read] : nil
            try #require(line != nil || program.isRunning, "\(program.error)")
            return line != nil
        }
        read += 1
        return try SourceTree.decode(Answer.self, from: Data((line ?? "").utf8))
    }
}

extension EndToEnd {
    /// `serve --openpi`, asked by openpi-client as it is. Runs where DENOISED_OPENPI_PYTHON names an interpreter that has it, as
    /// `make test` sees to.
    @Suite struct OpenPITests {
        static let python = ProcessInfo.processInfo.environment["DENOISED_OPENPI_PYTHON"]
        static let reason: Comment = "DENOISED_OPENPI_PYTHON is not set"

        /// A key file with the mode given.
        static func keyFile(_ text: String, mode: Int, in folder: TemporaryFolder) throws -> String {
            try Gr00tTests.tokenFile(text, mode: mode, in: folder)
        }

        @Test(.enabled(if: python != nil, reason))
        func unmodifiedClientGetsTheActionsOfPredict() async throws {
            let folder = try TemporaryFolder()
            let key = try Self.keyFile("a-key\n", mode: 0o600, in: folder)
            let daemon = try await RunningDaemon(
                policy: SourceTree.tinyPolicy("processors"),
                "--openpi",
                "0",
                "--openpi-key-file",
                key
            )
            let native = try daemon.client("arm2")
            let observations = try (0...1).map { sequence in
                var message = try observation(UInt64(sequence), noiseSeed: 5)
                message.robot = try #require(RobotID("arm2"))
                return message
            }
            // A client's observation stands in for those before it, as the first one of an episode does.
            let expected = try native.predict(observations[1])

            let robot = try await OpenPIRobot(daemon, "--key", "a-key")
            let policy = try native.info().policy
            #expect(robot.greeting.metadata?.policy == policy.name)
            #expect(robot.greeting.metadata?.nObsSteps == policy.nObsSteps)
            let options: [String: Any] = ["robot": "arm1", "noise_seed": 5]
            func message(_ index: Int) -> [String: Any] {
                var message: [String: Any] = observations[index].values.mapValues { $0.map(Double.init) }
                message["options"] = options
                message["prompt"] = "push the T"
                return message
            }
            _ = try await robot.infer(message(0))
            let answer = try await robot.infer(message(1))
            #expect(answer.actions?.dtype == "<f4")
            #expect(answer.actions?.shape == [policy.nActionSteps, policy.actionDim])
            #expect(
                answer.actions?.values == expected.actions,
                "the same observation and noise, the same actions"
            )
            #expect(answer.chunk?.robot == "arm1")
            #expect(answer.chunk?.sequence == 1)
            #expect(try #require(answer.serverTiming?["infer_ms"]) > 0)
            #expect(try #require(answer.serverTiming?["prev_total_ms"]) > 0)
            #expect(try #require(answer.policyTiming?["infer_ms"]) > 0)

            let refused = try await robot.infer(["observation.state": [1, 2]])
            #expect(refused.error == "RuntimeError")
            #expect(refused.text?.contains("missing_feature: observation.environment_state") == true)
            let again = try await robot.infer(message(1))
            #expect(again.chunk?.sequence == 0, "a new connection is a new episode")
            #expect(again.chunk?.episode != answer.chunk?.episode)

            let stranger = try await OpenPIRobot(daemon, "--key", "another")
            #expect(stranger.greeting.error != nil)
            #expect(stranger.greeting.text?.contains("401") == true, "\(stranger.greeting)")
            let statistics = try native.info().statistics
            #expect(statistics.rejectedMessages == ["missing_feature": 1, "unauthorized": 1])
            #expect(statistics.requests["openpi.infer"] == 3)
            #expect(statistics.requests["openpi.connect"] == 2)
            let ended = try await daemon.stop()
            #expect(ended.output.contains("  openpi        ws://127.0.0.1:"))
        }

        /// An episode of PushT with the shipped policy. Between the robot and the daemon is openpi's `ActionChunkBroker`, which asks
        /// once for each chunk; the robot stacks the last two observations, as the policy looks back on them. The simulator is the
        /// one that `SimulatorTests` compares with gym-pusht.
        @Test(.enabled(if: python != nil, reason))
        func actionChunkBrokerDrivesPushT() async throws {
            let daemon = try await RunningDaemon(
                policy: SourceTree.path("policies/pusht"),
                "--openpi",
                "0",
                "--solver",
                "ddim",
                "--steps",
                "10"
            )
            let steps = try daemon.client().info().policy.nActionSteps
            let robot = try await OpenPIRobot(daemon, "--horizon", String(steps))
            let simulation = PushTSimulation()
            var seen = simulation.reset(seed: Self.seed)
            var before = seen
            var best = 0.0
            var isOver = false
            var asked = 0
            while !isOver {
                let message: [String: Any] = [
                    "observation.state": [before, seen].map { [$0.agentPosition.x, $0.agentPosition.y] },
                    "observation.environment_state": [before, seen].map(\.keypoints),
                ]
                let action = try await robot.infer(message)
                try #require(action.actions?.shape == [2], "\(action)")
                let target = try #require(action.actions?.values)
                let outcome = try simulation.step(
                    simulation.scenario.world.clamp(SIMD2(Double(target[0]), Double(target[1])))
                )
                (before, seen) = (seen, outcome.observation)
                best = max(best, outcome.coverage)
                isOver = outcome.isEpisodeOver
                asked += 1
            }
            #expect(best > 0.9, "the T covers its place")
            let statistics = try daemon.client().info().statistics
            #expect(
                statistics.predictions == UInt64((asked + steps - 1) / steps),
                "one chunk for \(steps) steps"
            )
            #expect(statistics.rejectedMessages.isEmpty)
            _ = try await daemon.stop()
        }

        /// Of an episode that the policy ends soon.
        private static let seed: UInt64 = 100_000

        // MARK: Options

        @Test func keyFileIsChecked() async throws {
            let folder = try TemporaryFolder()
            let key = try Self.keyFile("a-key\n", mode: 0o644, in: folder)
            let serve = ["serve", "--policy", SourceTree.tinyPolicy("processors")]
            let open = try await RunningProgram(serve + ["--openpi", "0", "--openpi-key-file", key]).end()
            #expect(open.exitCode == 2, "\(open)")
            #expect(
                open.error.contains("\(key): mode 644, expected 600: others may read or change the key"),
                "\(open)"
            )
            let unwanted = try await RunningProgram(serve + ["--openpi-key-file", key]).end()
            #expect(unwanted.exitCode != 0, "\(unwanted)")
            #expect(unwanted.error.contains("--openpi-key-file goes with --openpi"), "\(unwanted)")
        }

        @Test(arguments: ["0.0.0.0:0", "[::]:0", "192.0.2.1:8000"])
        func addressThatOtherMachinesReachIsRefused(address: String) async throws {
            let ended = try await RunningProgram([
                "serve", "--policy", SourceTree.tinyPolicy("processors"), "--openpi", address,
            ]).end()
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(ended.error.contains("--openpi: ws://\(address) is open to other machines"), "\(ended)")
            #expect(ended.error.contains("--openpi-key-file"), "\(ended)")
        }

        @Test func keyOpensAnAddressToOtherMachines() async throws {
            let folder = try TemporaryFolder()
            let key = try Self.keyFile("a-key", mode: 0o600, in: folder)
            let daemon = try await RunningDaemon(
                policy: SourceTree.tinyPolicy("processors"),
                "--openpi",
                "0.0.0.0:0",
                "--openpi-key-file",
                key
            )
            #expect(daemon.endpoints.openpi?.hasPrefix("ws://0.0.0.0:") == true)
            let ended = try await daemon.stop()
            #expect(ended.error.contains("not encrypted"), "\(ended)")
        }

        @Test func insecureOpensAnAddressToOtherMachines() async throws {
            let daemon = try await RunningDaemon(
                policy: SourceTree.tinyPolicy("processors"),
                "--openpi",
                "0.0.0.0:0",
                "--insecure"
            )
            let ended = try await daemon.stop()
            #expect(
                ended.error.contains("--insecure: whoever reaches ws://0.0.0.0:0 can read along"),
                "\(ended)"
            )
        }

        @Test(arguments: [
            (
                "{lookback: never}",
                "openpi.lookback: found \"never\", expected one of request, repeated, calls"
            ),
            ("{reset: observation.state}", "openpi: reset: found observation.state, the key of an array"),
            ("{observations: {x: [y]}}", "openpi: observations."),
        ])
        func sectionOfARobotFileIsChecked(section: String, says: String) async throws {
            let folder = try TemporaryFolder()
            let text = "control_hz: 10\nactions: [{name: x}, {name: y}]\nopenpi: \(section)\n"
            try Data(text.utf8).write(to: folder.file("robot.yaml"))
            let ended = try await RunningProgram([
                "serve", "--policy", SourceTree.tinyPolicy("processors"), "--openpi", "0",
                "--observations", "tcp://127.0.0.1:*", "--chunks", "tcp://127.0.0.1:*",
                "--requests", "tcp://127.0.0.1:*", "--robot", folder.path("robot.yaml"),
            ]).end()
            #expect(ended.exitCode != 0, "\(ended)")
            #expect(ended.error.contains(says), "\(ended)")
        }
    }
}
