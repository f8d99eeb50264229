import Foundation
import Testing

extension EndToEndOfCommands {
    /// `sim --shard` on what may be several machines, and `report`, which joins what they print.
    @Suite struct ShardTests {
        private static let run = ["--episodes", "3", "--seed", "42", "--window", "1", "--json"]

        /// The files of a policy's run, in a folder.
        private struct Files {
            let folder: TemporaryFolder
            let policy: PolicyCopy

            init() throws {
                folder = try TemporaryFolder()
                policy = try pushTPolicy()
            }

            /// Runs `sim`, and keeps what it prints.
            @discardableResult
            func sim(_ name: String, _ options: [String]) async throws -> [String: Any] {
                let ended = try await succeed(["sim", "--policy", policy.path] + options)
                try ended.output.write(to: folder.file(name), atomically: true, encoding: .utf8)
                return try ended.json()
            }

            func report(_ names: [String], _ options: [String] = []) async throws -> RunningProgram.Ended {
                try await RunningProgram(
                    ["report", "--output", folder.path("page.html")] + names.map(folder.path) + options
                ).end()
            }
        }

        /// The episodes of a result by their seeds, as text, which has every digit of a number.
        private func episodes(_ result: [String: Any]) throws -> [String] {
            let rows = try #require(result["per_episode"] as? [[String: Any]])
            return try rows.map { row in
                String(
                    decoding: try JSONSerialization.data(withJSONObject: row, options: .sortedKeys),
                    as: UTF8.self
                )
            }
        }

        @Test func theShardsOfARunAreTheRun() async throws {
            let files = try Files()
            let whole = try episodes(try await files.sim("whole.json", Self.run))
            let first = try await files.sim("base-1.json", Self.run + ["--shard", "1/2"])
            let second = try await files.sim("base-2.json", Self.run + ["--shard", "2/2"])
            #expect(try episodes(first) == [whole[0], whole[2]])
            #expect(try episodes(second) == [whole[1]])
            let shard = try #require(second["shard"] as? [String: Any])
            #expect(shard["number"] as? Int == 2 && shard["of"] as? Int == 2)
            #expect(shard["first_seed"] as? Int == 42 && shard["episodes"] as? Int == 3)
            let settings = try #require(shard["settings"] as? [String: String])
            #expect(settings.keys.sorted() == ["policy_fingerprint"])

            let ended = try await files.report(
                ["base-2.json", "base-1.json"],
                ["--joined", files.folder.path("joined.json"), "--complete"]
            )
            #expect(ended.exitCode == 0 && ended.error == "", "\(ended)")
            #expect(ended.output.contains("run   episodes  mean score") && ended.output.contains("\n  base "))
            let joined = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: files.folder.file("joined.json")))
                    as? [String: Any]
            )
            #expect(try episodes(joined) == whole)
            let chunks = try [first, second].map { try #require($0["chunks"] as? Int) }
            #expect(joined["chunks"] as? Int == chunks.reduce(0, +))
            let page = try String(contentsOf: files.folder.file("page.html"), encoding: .utf8)
            #expect(page.contains("3, seeds 42 to 44"))

            // The joined file is a result as any other: it has the numbers of the run in one process.
            let compared = try await files.report(["whole.json", "joined.json"])
            #expect(compared.exitCode == 0 && compared.error == "", "\(compared)")
            let rows = compared.output.split(separator: "\n").suffix(2).map {
                $0.split(separator: " ").dropFirst().joined(separator: " ")
            }
            #expect(rows.count == 2 && rows[0] == rows[1], "\(compared)")
        }

        @Test func whatIsMissingOrDoubledIsSaid() async throws {
            let files = try Files()
            try await files.sim("a.json", Self.run + ["--shard", "2/2"])
            let ended = try await files.report(["a.json"])
            #expect(ended.exitCode == 0, "\(ended)")
            let missing = "shard 1 of 2 is missing; 2 of 3 episodes are missing: seeds 42, 44"
            #expect(ended.error.contains("a.json: \(missing)"), "\(ended)")
            #expect(ended.output.contains("1 of 3"), "\(ended)")
            let page = try String(contentsOf: files.folder.file("page.html"), encoding: .utf8)
            #expect(page.contains("S\(missing.dropFirst())."))

            let strict = try await files.report(["a.json"], ["--complete"])
            #expect(strict.exitCode == 1 && strict.error.contains("episodes are missing of a"), "\(strict)")

            // The same shard again, with another score.
            let text = try String(contentsOf: files.folder.file("a.json"), encoding: .utf8)
            let other = text.replacing(/"score" : [0-9.e-]+/, with: "\"score\" : 0.123")
            try #require(other != text)
            try other.write(to: files.folder.file("b.json"), atomically: true, encoding: .utf8)
            let refused = try await files.report(["a.json", "b.json"])
            #expect(
                refused.exitCode == 2
                    && refused.error.contains("b.json: per_episode: seed 43: found score 0.123")
            )
        }

        @Test func shardsOfOtherSettingsAreNotJoined() async throws {
            let files = try Files()
            try await files.sim("a.json", Self.run + ["--shard", "1/2"])
            try await files.sim(
                "b.json",
                Self.run.dropLast(3) + ["--json", "--shard", "2/2", "--window", "4", "--warm-start"]
            )
            let joined = files.folder.path("joined.json")
            let ended = try await files.report(["a.json", "b.json"], ["--joined", joined])
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(ended.error.contains("sampler.method is \"sequential\" in "), "\(ended)")
            #expect(!FileManager.default.fileExists(atPath: joined))
            let page = try await files.report(["a.json", "b.json"])
            #expect(page.exitCode == 0 && page.error.contains("are not joined: sampler.method"), "\(page)")
        }

        /// Robots of one daemon may be shards too.
        @Test func aDaemonElsewhereServesAShard() async throws {
            let files = try Files()
            let daemon = try await RunningDaemon(policy: files.policy.path, "--threads", "1")
            let whole = try episodes(try await files.sim("whole.json", ["--episodes", "2", "--json"]))
            let shard = try await succeed([
                "sim", "--connect", daemon.endpoints.requests, "--episodes", "2", "--shard", "2/2", "--json",
            ]).json()
            #expect(try episodes(shard) == [whole[1]])
        }

        @Test func peopleAreToldWhichShardItIs() async throws {
            let policy = try pushTPolicy()
            let text = try await succeed(
                [
                    "sim", "--policy", policy.path, "--episodes", "3", "--seed", "42", "--window", "1",
                    "--shard", "2/2",
                ]
            ).output
            #expect(text.contains("sequential, shard 2 of 2: 1 of 3 episodes\n"), "\(text)")
        }

        @Test(arguments: [
            (
                ["--shard", "3/4", "--episodes", "2"],
                "--shard is 3/4, and of 2 episodes that shard has none; expected --episodes of 3"
            ),
            (["--shard", "2/2"], "of 1 episode that shard has none"),
            (["--shard", "0/2", "--episodes", "2"], "expected K/N: two whole numbers"),
            (["--shard", "half"], "expected K/N"),
            (["--shard", "1/2", "--episodes", "2"], "--window is auto, expected a number with --shard"),
        ])
        func badShardsAreRefused(options: [String], message: String) async throws {
            let ended = try await RunningProgram(["sim", "--policy", "/nowhere"] + options).end()
            #expect(ended.exitCode == 2 && ended.error.contains(message), "\(ended)")
        }

        @Test func aShardIsForEpisodes() async throws {
            let ended = try await RunningProgram(["sim", "--print-reset", "1", "--shard", "1/2"]).end()
            #expect(ended.exitCode == 2 && ended.error.contains("--shard is for episodes"), "\(ended)")
        }

        @Test func filesAreNotWrittenOverEachOther() async throws {
            let files = try Files()
            try Data("{\"per_episode\": []}".utf8).write(to: files.folder.file("a.json"))
            let onto = try await files.report(["a.json"], ["--joined", files.folder.path("./a.json")])
            #expect(onto.exitCode == 2 && onto.error.contains("--joined is "), "\(onto)")
            let same = try await files.report(["a.json"], ["--joined", files.folder.path("page.html")])
            #expect(same.exitCode == 2 && same.error.contains("expected two names"), "\(same)")
            let none = try await files.report(["a.json"], ["--joined", files.folder.path("joined.json")])
            #expect(none.exitCode == 2 && none.error.contains("found no shard"), "\(none)")
            let nowhere = try await files.report(["a.json"], ["--joined", "/nowhere/joined.json"])
            #expect(nowhere.exitCode == 1 && nowhere.error.contains("cannot be written"), "\(nowhere)")
        }
    }
}
