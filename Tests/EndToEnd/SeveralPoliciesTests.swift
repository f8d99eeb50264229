import Foundation
import Robotics
import Testing
import Transport

extension EndToEndOfCommands {
    /// `serve` with several policies: options, configuration, recording and replay, simulator and monitor.
    @Suite struct SeveralPoliciesTests {
        private static let pick = "pick=\(SourceTree.tinyPolicy("processors"))"
        private static let place = "place=\(SourceTree.tinyPolicy("buffers"))"

        private func refusal(_ arguments: [String]) async throws -> String {
            let ended = try await RunningProgram(arguments).end()
            #expect(ended.exitCode == 2, "\(ended)")
            return ended.error
        }

        /// A quarter of 5 steps is 1, of 20 it is 5: each policy has its own number of warm steps.
        @Test(arguments: [[], ["--warm-start", "partial", "--warm-part", "0.25"]])
        func robotsChooseAndARecordingReplays(options: [String]) async throws {
            let folder = try TemporaryFolder()
            let file = folder.path("run.mcap")
            let daemon = try await RunningDaemon(
                policy: Self.pick,
                options: ["--policy", Self.place, "--record", file] + options
            )
            let client = try daemon.client()
            let refused = #expect(throws: RobotClientError.self) { try client.predict(observation(0)) }
            #expect("\(String(describing: refused))".contains("no_policy"))
            for (episode, policy) in ["pick", "place", "pick"].enumerated() {
                _ = try client.reset(policy: policy)
                for sequence in 0..<3 as Range<UInt64> {
                    let chunk = try client.chunk(for: observation(sequence, episode: UInt64(episode)))
                    #expect(chunk.policy == policy)
                    #expect((chunk.sampling.quality == .warm) == (!options.isEmpty && sequence > 0))
                }
            }
            let info = try client.info()
            #expect(info.policies.map(\.policy.name) == ["pick", "place"])
            #expect(info.policies.allSatisfy { $0.weightBytes > 0 })
            let page = try await succeed(["monitor", "--connect", daemon.endpoints.requests, "--once"]).output
            #expect(page.contains("serves pick, place at") && page.contains("MB of weights"), "\(page)")
            let ended = try await daemon.stop()
            #expect(ended.error.contains("policy pick: ") && ended.error.contains("MB of weights"))

            let replay = ["replay", file, "--json", "--policy", Self.pick]
            let report = try await succeed(replay + ["--policy", Self.place]).json()
            let counts = try #require(report["replay"] as? [String: Any])
            #expect(report["same_policy"] as? Bool == true)
            #expect(counts["identical"] as? Int == 9 && counts["chunks"] as? Int == 9, "\(counts)")
            let missing = try await refusal(replay)
            #expect(missing.contains("--policy: found 1, expected the 2 of the recording: pick, place"))
            let other = try await refusal(replay + ["--policy", "put=\(SourceTree.tinyPolicy("buffers"))"])
            #expect(other.contains("--policy: none is called \"place\""), "\(other)")
        }

        @Test func whatDoesNotGoTogetherIsRefused() async throws {
            let twice = try await refusal(["serve", "--policy", Self.pick, "--policy", Self.pick])
            #expect(twice.contains("two policies are called \"pick\""), "\(twice)")
            for option in ["--gr00t", "--openpi"] {
                let endpoint = option == "--gr00t" ? "tcp://127.0.0.1:*" : "127.0.0.1:0"
                let refused = try await refusal(
                    ["serve", "--policy", Self.pick, "--policy", Self.place, option, endpoint]
                )
                #expect(
                    refused.contains(
                        "\(option): its clients name no policy; found 2 policies, expected a single one"
                    ),
                    "\(refused)"
                )
            }
            #expect(try await refusal(["serve"]).contains("Missing expected argument '--policy"))
            #expect(try await refusal(["serve", "--policy", "pick="]).contains("--policy"))
        }

        @Test func aConfigurationFileHasThem() async throws {
            let folder = try TemporaryFolder()
            let places = ["processors", "buffers"].map(SourceTree.tinyPolicy)
            try "policies: {pick: \(places[0]), place: \(places[1])}\n"
                .write(to: folder.file("denoised.yaml"), atomically: true, encoding: .utf8)
            let shown = try await succeed(["config", folder.path("denoised.yaml")]).output
            #expect(shown.contains("pick=\(places[0]), place=\(places[1])"), "\(shown)")
            let given = ["--policy", Self.pick, "--policy", Self.place]
            let line = try await succeed(["config"] + given).output
            #expect(line.contains(/policies +pick=.*, place=/), "\(line)")
        }

        @Test func theSimulatorNamesOne() async throws {
            let trained = SourceTree.path("policies/pusht")
            let daemon = try await RunningDaemon(
                policy: "fast=\(trained)",
                "--policy",
                Self.pick,
                "--solver",
                "ddim",
                "--steps",
                "4",
                "--window",
                "1"
            )
            let connect = ["sim", "--connect", daemon.endpoints.requests]
            let unnamed = try await refusal(connect)
            #expect(
                unnamed.contains("the daemon runs 2 policies, expected --policy fast or pick"),
                "\(unnamed)"
            )
            #expect(try await refusal(connect + ["--policy", "slow"]).contains("found \"slow\""))
            let played = try await succeed(connect + ["--policy", "fast", "--seed", "100000", "--json"])
                .json()
            #expect(played["policy"] as? String == "fast" && played["mean_score"] as? Double ?? 0 > 0)
            _ = try await daemon.stop()
        }
    }
}
