import Foundation
import Robotics
import Testing

extension EndToEnd {
    /// `serve --gr00t` for clients of GR00T N1.5, and the robot file that says so.
    @Suite struct Gr00tN15Tests {
        /// A robot file for the policies of Tests/PolicyTests/Fixtures with a section `gr00t`.
        static func robotFile(_ gr00t: String, in folder: TemporaryFolder) throws -> String {
            let text = """
                control_hz: 10
                actions:
                  - {name: x}
                  - {name: y}
                gr00t: {\(gr00t)}

                """
            try Data(text.utf8).write(to: folder.file("robot.yaml"))
            return folder.path("robot.yaml")
        }

        struct Answers: Decodable {
            var ping: [String: String]
            var modalities: [String: Gr00tTests.Answers.Modality]
            var actions: [[String: [[Float]]]]
            var torch: [String: String]
            var kill: [String: String]
            var after: [String: String]
        }

        /// Such a client says neither seed, robot nor episode: the seed follows from the daemon's, the routing id and the
        /// count of requests. A second daemon that is told all of them by name plans the same.
        @Test(.enabled(if: Gr00tTests.python != nil, "DENOISED_TEST_PYTHON is not set"))
        func pythonClientGetsTheActionsOfPredict() async throws {
            let folder = try TemporaryFolder()
            let names =
                "observations: {observation.state: [state.arm], observation.environment_state: [world]}, "
                + "actions: {arm: [x], action.hand: [y]}, lookback: calls, version: N1.5"
            let options = ["--robot", try Self.robotFile(names, in: folder), "--seed", "42"]
            let policy = SourceTree.tinyPolicy("processors")
            let daemon = try await RunningDaemon(
                policy: policy,
                options: options + ["--gr00t", "tcp://127.0.0.1:*"]
            )
            let observations = try (0...2).map { try observation(UInt64($0)) }
            let sent = observations.map { message in
                [
                    "state.arm": [message.values["observation.state"] ?? []],
                    "state.world": [message.values["observation.environment_state"] ?? []],
                ]
            }
            let answers: Answers = try await Gr00tTests.answers(
                to: "gr00t_n15_client.py",
                of: daemon,
                "--routing-id",
                "n15",
                "--observations",
                String(decoding: try JSONEncoder().encode(sent), as: UTF8.self)
            )
            let statistics = try daemon.client("asks").info().statistics
            _ = try await daemon.stop()

            let other = try await RunningDaemon(policy: policy, options: options)
            let native = try other.client("gr00t.6e3135")
            let info = try native.info().policy
            try #require(answers.actions.count == observations.count)
            for (message, actions) in zip(observations, answers.actions) {
                var message = message
                message.robot = try #require(RobotID("gr00t.6e3135"))
                message.episode = .name("gr00t-0")
                let expected = try native.predict(message)
                #expect(actions.keys.sorted() == ["action.arm", "action.hand"])
                let (arm, hand) = (actions["action.arm"] ?? [], actions["action.hand"] ?? [])
                try #require(arm.count == expected.actionSteps && hand.count == arm.count)
                #expect(zip(arm, hand).flatMap { $0 + $1 } == expected.actions)
            }
            #expect(Set(answers.actions.map { $0["action.arm"] }).count == observations.count)
            _ = try await other.stop()

            #expect(answers.ping["status"] == "ok")
            #expect(
                answers.modalities == [
                    "state": .init(deltaIndices: [0], modalityKeys: ["state.arm", "state.world"]),
                    "action": .init(
                        deltaIndices: Array(0..<info.nActionSteps),
                        modalityKeys: ["action.arm", "action.hand"]
                    ),
                ]
            )
            #expect(answers.torch["error"]?.hasPrefix("not_messagepack: a torch file") == true)
            #expect(answers.kill["error"]?.contains("kill is refused") == true)
            #expect(answers.after == answers.ping)
            #expect(statistics.rejectedMessages == ["forbidden": 1, "not_messagepack": 1])
            #expect(statistics.predictions == 3)
        }

        @Test(arguments: [
            ("version: \"1.5\"", "gr00t.version: found \"1.5\", expected one of N1.5, N1.6"),
            ("version: N1.7", "gr00t.version: found \"N1.7\", expected one of N1.5, N1.6"),
            ("version: [N1.5]", "gr00t.version: found "),
            ("lookback: never", "gr00t.lookback: found \"never\", expected one of request, repeated, calls"),
        ])
        func wordThatIsNotKnownIsRefused(gr00t: String, says: String) async throws {
            let folder = try TemporaryFolder()
            let ended = try await RunningProgram([
                "serve", "--policy", SourceTree.tinyPolicy("processors"), "--gr00t", "tcp://127.0.0.1:*",
                "--robot", try Self.robotFile(gr00t, in: folder),
            ]).end()
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(ended.error.contains(says), "\(ended)")
        }
    }
}
