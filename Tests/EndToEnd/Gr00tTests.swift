import Foundation
import Policy
import PolicyFixtures
import Robotics
import Testing

extension EndToEnd {
    /// `serve --gr00t`, asked by a client in Python. Runs where DENOISED_TEST_PYTHON names an interpreter that has pyzmq
    /// and msgpack, as `make test` sees to.
    @Suite struct Gr00tTests {
        static let python = ProcessInfo.processInfo.environment["DENOISED_TEST_PYTHON"]

        /// A token file with the mode given.
        static func tokenFile(_ text: String, mode: Int, in folder: TemporaryFolder) throws -> String {
            let path = folder.path("token")
            let isWritten = FileManager.default.createFile(
                atPath: path,
                contents: Data(text.utf8),
                attributes: [.posixPermissions: mode]
            )
            try #require(isWritten)
            return path
        }

        /// What a program of Tests/Oracles prints of the answers that it got from a daemon.
        static func answers<Answers: Decodable>(
            to program: String,
            of daemon: RunningDaemon,
            _ options: String...
        ) async throws -> Answers {
            let endpoint = try #require(daemon.endpoints.gr00t)
            let client = try RunningProgram(
                [SourceTree.path("Tests/Oracles/\(program)"), "--endpoint", endpoint] + options,
                executable: URL(filePath: try #require(python))
            )
            let ended = try await client.end()
            try #require(ended.exitCode == 0, "\(ended)")
            return try SourceTree.decode(Answers.self, from: Data(ended.output.utf8))
        }

        struct Answers: Decodable {
            struct Modality: Decodable, Equatable {
                var deltaIndices: [Int]
                var modalityKeys: [String]
            }

            struct Info: Decodable {
                var robot: String
                var episode: String
                var sequence: Int
            }

            /// The pair [action, info].
            struct Pair: Decodable {
                var action: [String: [[[Float]]]]
                var info: Info

                init(from decoder: any Decoder) throws {
                    var container = try decoder.unkeyedContainer()
                    action = try container.decode([String: [[[Float]]]].self)
                    info = try container.decode(Info.self)
                }
            }

            var ping: [String: String]
            var modalities: [String: Modality]
            var reset: [String: String]
            var actions: [Pair]
            var anonymous: Pair
            var kill: [String: String]
            var stranger: [String: String]
            var after: [String: String]
        }

        @Test(.enabled(if: python != nil, "DENOISED_TEST_PYTHON is not set"))
        func pythonClientGetsTheActionsOfPredict() async throws {
            let folder = try TemporaryFolder()
            let token = try Self.tokenFile("a-token\n", mode: 0o600, in: folder)
            let daemon = try await RunningDaemon(
                policy: SourceTree.tinyPolicy("processors"),
                "--gr00t",
                "tcp://127.0.0.1:*",
                "--gr00t-token-file",
                token
            )
            // The two observations of the history, one after the other, as the same robot would send them.
            let native = try daemon.client("arm2")
            let observations = try (0...1).map { sequence in
                var message = try observation(UInt64(sequence), noiseSeed: 5)
                message.robot = try #require(RobotID("arm2"))
                return message
            }
            _ = try native.predict(observations[0])
            let expected = try native.predict(observations[1])

            let state = observations.map { $0.values["observation.state"] ?? [] }
            let environment = observations.map { $0.values["observation.environment_state"] ?? [] }
            let arrays = ["observation.state": [state], "observation.environment_state": [environment]]
            let answers: Answers = try await Self.answers(
                to: "gr00t_client.py",
                of: daemon,
                "--token",
                "a-token",
                "--robot",
                "arm1",
                "--noise-seed",
                "5",
                "--observation",
                String(decoding: try JSONEncoder().encode(arrays), as: UTF8.self)
            )

            let pong = ["status": "ok", "message": "Server is running"]
            #expect(answers.ping == pong)
            #expect(answers.reset.isEmpty)
            let policy = try native.info().policy
            #expect(answers.modalities["state"]?.deltaIndices == Array((1 - policy.nObsSteps)...0))
            #expect(answers.modalities["state"]?.modalityKeys == policy.features.map(\.name))
            #expect(
                answers.modalities["action"]
                    == Answers.Modality(
                        deltaIndices: Array(0..<policy.nActionSteps),
                        modalityKeys: ["action"]
                    )
            )
            for (index, pair) in answers.actions.enumerated() {
                #expect(pair.action.keys.sorted() == ["action"])
                let steps = try #require(pair.action["action"]?.first)
                #expect(steps.count == expected.actionSteps)
                #expect(
                    steps.flatMap { $0 } == expected.actions,
                    "the same history and noise, the same actions"
                )
                #expect(pair.info.robot == "arm1")
                #expect(pair.info.sequence == index)
            }
            #expect(answers.anonymous.info.robot.hasPrefix("gr00t."))
            #expect(answers.kill["error"]?.contains("kill is refused") == true)
            #expect(answers.stranger == ["error": "Unauthorized: Invalid API token"])
            #expect(answers.after == pong, "the daemon goes on")

            let statistics = try native.info().statistics
            #expect(statistics.predictions == 5)
            #expect(statistics.rejectedMessages == ["forbidden": 1, "unauthorized": 1])
            #expect(statistics.requests["gr00t.get_action"] == 3)
            _ = try await daemon.stop()
        }

        /// A policy with a camera, under a key that a robot file names.
        @Test(.enabled(if: python != nil, "DENOISED_TEST_PYTHON is not set"))
        func pythonClientWithACameraGetsTheActionsOfPredict() async throws {
            let fixture = try ImageFixture("one-camera")
            let policy = fixture.copy.directory.path(percentEncoded: false)
            let seen = fixture.observations(of: try PolicyBundle(directory: fixture.copy.directory))
            let folder = try TemporaryFolder()
            try Data(
                """
                robot: arm1
                control_hz: 10
                actions: [{name: x}, {name: y}]
                gr00t: {cameras: {observation.image: ego_view}}
                """.utf8
            ).write(to: folder.file("robot.yaml"))
            let daemon = try await RunningDaemon(
                policy: policy,
                "--gr00t",
                "tcp://127.0.0.1:*",
                "--robot",
                folder.path("robot.yaml")
            )
            let native = try daemon.client("arm2")
            var expected: [Float] = []
            for (sequence, observation) in seen.enumerated() {
                expected = try native.predict(
                    RobotObservation(
                        robot: try #require(RobotID("arm2")),
                        episode: .number(1),
                        sequence: UInt64(sequence),
                        timeNs: 1000 + UInt64(sequence),
                        values: observation.values,
                        frames: observation.frames,
                        noiseSeed: 5
                    ),
                    timeout: .seconds(60)
                ).actions
            }

            let pixels = seen.flatMap { observation in
                guard case .pixels(let pixels, _, _)? = observation.frames["observation.image"]?.content
                else {
                    return [UInt8]()
                }
                return pixels
            }
            let frames: [String: [String: Any]] = [
                "ego_view": [
                    "shape": [1, seen.count, 96, 96, 3], "pixels": Data(pixels).base64EncodedString(),
                ],
                // No policy sees through this one.
                "top": ["shape": [1, 1, 1, 1, 3], "pixels": Data([1, 2, 3]).base64EncodedString()],
            ]
            try JSONSerialization.data(withJSONObject: frames).write(to: folder.file("frames.json"))
            let state = ["observation.state": [seen.map { $0.values["observation.state"] ?? [] }]]
            let answers: Answers = try await Self.answers(
                to: "gr00t_client.py",
                of: daemon,
                "--robot",
                "arm1",
                "--noise-seed",
                "5",
                "--frames",
                folder.path("frames.json"),
                "--observation",
                String(decoding: try JSONEncoder().encode(state), as: UTF8.self)
            )
            #expect(
                answers.modalities["video"]
                    == Answers.Modality(deltaIndices: [-1, 0], modalityKeys: ["ego_view"])
            )
            for pair in answers.actions {
                #expect(
                    pair.action["action"]?.first?.flatMap { $0 } == expected,
                    "the same history, frames and noise, the same actions"
                )
            }
            _ = try await daemon.stop()
        }

        @Test(arguments: [
            ("a-token", 0o644, "mode 644, expected 600"), ("", 0o600, "no token"),
            ("two words\n", 0o600, "no token"), ("a\nb\n", 0o600, "no token"),
            (String(repeating: "a", count: 1025), 0o600, "no token"),
        ])
        func tokenFileIsChecked(text: String, mode: Int, says: String) async throws {
            let folder = try TemporaryFolder()
            let token = try Self.tokenFile(text, mode: mode, in: folder)
            let ended = try await RunningProgram([
                "serve", "--policy", SourceTree.tinyPolicy("processors"), "--gr00t", "tcp://127.0.0.1:*",
                "--gr00t-token-file", token,
            ]).end()
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(ended.error.contains(token) && ended.error.contains(says), "\(ended)")
        }

        @Test func tokenFileThatIsNotThereOrNotWantedIsRefused() async throws {
            let serve = ["serve", "--policy", SourceTree.tinyPolicy("processors")]
            let missing = try await RunningProgram(
                serve + ["--gr00t", "tcp://127.0.0.1:*", "--gr00t-token-file", "no/such/file"]
            ).end()
            #expect(missing.exitCode == 2, "\(missing)")
            #expect(missing.error.contains("no/such/file: No such file or directory"), "\(missing)")
            let unwanted = try await RunningProgram(serve + ["--gr00t-token-file", "file"]).end()
            #expect(unwanted.exitCode != 0, "\(unwanted)")
            #expect(unwanted.error.contains("--gr00t-token-file goes with --gr00t"), "\(unwanted)")
        }
    }
}
