import Foundation
import Testing

@testable import Reporting

@Suite struct ShardJoinTests {
    /// The files of a run's shards, and of the whole run, with made-up results of seeds 10 and up.
    private struct Made: Sendable {
        let scores: [Double]
        var settings: [String: String] = ["policy_fingerprint": "00ff"]

        /// What shard `number` of `count` prints. Its chunks are as many as its number, times ten.
        func shard(
            _ number: Int,
            of count: Int,
            name: String? = nil,
            _ change: (inout [String: Any]) -> Void = { _ in }
        ) throws -> (path: String, file: RunFile) {
            let shard = try #require(Shard(number, of: count))
            let whole = try Self.object(of: scores)
            let rows = try #require(whole["per_episode"] as? [[String: Any]])
            var object = whole
            object["per_episode"] = shard.places(of: scores.count).map { rows[$0] }
            object["chunks"] = 10 * number
            object["iterations_mean"] = Double(number)
            object["qualities"] = ["converged": 9 * number, "coarse": number]
            object["late_chunks"] = 2 * number
            object["shard"] = [
                "number": number, "of": count, "first_seed": 10, "episodes": scores.count,
                "settings": settings,
            ]
            change(&object)
            return try Samples.file(
                Array(try JSONSerialization.data(withJSONObject: object)),
                name ?? "runs/base-\(number).json"
            )
        }

        func whole() throws -> Run {
            let bytes = try Samples.simulation(scores: scores, firstSeed: 10)
            return try #require(try Samples.file(bytes).file.runs.first)
        }

        private static func object(of scores: [Double]) throws -> [String: Any] {
            let bytes = try Samples.simulation(scores: scores, firstSeed: 10)
            return try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        }
    }

    private static let made = Made(scores: Samples.scores(11))

    private func texts(_ join: ShardJoin) throws -> [String] {
        try #require(PageElements(Samples.page(join.files))).texts
    }

    @Test func theShardsOfARunMakeTheRun() throws {
        // In any order.
        let files = try [3, 1, 2].map { try Self.made.shard($0, of: 3) }
        let join = try ShardJoin(files)
        #expect(join.warnings == [])
        #expect(join.files.map(\.path) == ["runs/base.json"])
        let run = try join.onlyRun()
        let whole = try Self.made.whole()
        #expect(run.episodes == whole.episodes, "in the order of one process")
        #expect(run.successes == whole.successes)
        #expect(run.meanScore?.estimate == whole.meanScore?.estimate)
        #expect(run.meanScore?.interval == whole.meanScore?.interval, "the bootstrap draws the same samples")
        #expect(run.chunks == 60 && run.qualities == ["converged": 54, "coarse": 6])
        #expect(run.lateChunks == 12)
        // 10 chunks of 1 iteration, 20 of 2, 30 of 3.
        #expect(abs(try #require(run.iterationsMean) - 140.0 / 60) < 1e-12)
        #expect(run.evaluationsMean == whole.evaluationsMean)
        #expect(run.histograms[.sample]?.total == 3 * 37)
        #expect(run.latency == whole.latency, "the shards' times are alike")
        #expect(run.joining?.isComplete == true && run.joining?.files.count == 3)
        let texts = try texts(join)
        #expect(texts.contains("11, seeds 10 to 20") && texts.contains("base"))
        #expect(texts.contains { $0.hasPrefix("Made by") && $0.contains("base-1.json, runs/base-2.json") })
    }

    @Test func whatIsMissingIsSaid() throws {
        let join = try ShardJoin([1, 4].map { try Self.made.shard($0, of: 4) })
        let expected =
            "shards 2, 3 of 4 are missing; 6 of 11 episodes are missing: seeds 11, 12, 15, 16, 19, 20"
        #expect(join.warnings == ["runs/base-1.json and 1 more: \(expected)"])
        let run = try join.onlyRun()
        #expect(run.episodes.map(\.seed) == [10, 13, 14, 17, 18])
        #expect(run.joining?.missingShards == [2, 3] && run.joining?.isComplete == false)
        let report = Report(join.files, title: nil, version: "1")
        #expect(report.incompleteRuns == ["base"])
        #expect(report.scores.map(\.episodes) == ["5 of 11"])
        #expect(try texts(join).contains("S" + expected.dropFirst() + "."))
        #expect(try texts(join).contains("5 of 11, seeds 10 to 18"))
    }

    /// A file that somebody cut: its shard is there, and one of its episodes is not.
    @Test func anEpisodeThatAShardLacksIsSaid() throws {
        let join = try ShardJoin([
            Self.made.shard(1, of: 2), Self.made.shard(2, of: 2) { $0["per_episode"] = [Any]() },
        ])
        #expect(try join.onlyRun().joining?.missingShards == [])
        #expect(
            join.warnings.count == 1
                && join.warnings[0].contains("5 of 11 episodes are missing: seeds 11, 13")
        )
    }

    @Test func moreShardsThanEpisodesLackNothing() throws {
        let made = Made(scores: [1, 0.5])
        let join = try ShardJoin([made.shard(1, of: 4), made.shard(2, of: 4)])
        #expect(try join.onlyRun().joining?.isComplete == true && join.warnings == [])
    }

    @Test func equalDoublesCountOnce() throws {
        let files = try [
            Self.made.shard(1, of: 2), Self.made.shard(2, of: 2),
            // It was run again, and took another time.
            Self.made.shard(1, of: 2, name: "again.json") { $0["chunks"] = 999 },
        ]
        let run = try ShardJoin(files).onlyRun()
        #expect(run.episodes == (try Self.made.whole()).episodes)
        #expect(run.chunks == 30, "the chunks of the second file are left out")
        #expect(run.joining?.doubledEpisodes == 6)
        #expect(run.notes.contains { $0.contains("6 episodes came in more than one file") })
    }

    /// Of two files of a shard, the whole one counts.
    @Test func aShorterDoubleCountsNothing() throws {
        func shorter(_ object: inout [String: Any]) {
            object["per_episode"] = (object["per_episode"] as? [Any])?.prefix(2).map(\.self)
            object["chunks"] = 3
        }
        let files = try [
            Self.made.shard(1, of: 2, name: "cut.json", shorter), Self.made.shard(1, of: 2),
            Self.made.shard(2, of: 2),
        ]
        let run = try ShardJoin(files).onlyRun()
        #expect(run.joining?.isComplete == true && run.chunks == 30)
    }

    @Test func unequalDoublesAreRefused() throws {
        let files = try [
            Self.made.shard(2, of: 2),
            Made(scores: [Double](repeating: 0.25, count: 11)).shard(2, of: 2, name: "other.json"),
        ]
        let error = try #require(throws: RunFileError.self) { try ShardJoin(files) }
        #expect(error.description.hasPrefix("other.json: per_episode: seed 11: found score 0.25, no success"))
        #expect(error.description.contains("as in runs/base-2.json, or only one of the two files"))
    }

    @Test(arguments: [
        (
            "version", "0.4.0" as any Sendable,
            "version is \"0.3.0\" in runs/base-1.json and \"0.4.0\" in b.json"
        ),
        ("policy", "other", "policy is \"pusht\" in runs/base-1.json and \"other\" in b.json"),
        (
            "camera", ["name": "c", "encoding": "jpeg"],
            "camera.name is not given in runs/base-1.json and \"c\" in b.json, camera.encoding is not given"
        ),
    ])
    func shardsOfOtherSettingsAreNotJoined(name: String, value: any Sendable, reason: String) throws {
        let join = try ShardJoin([
            Self.made.shard(1, of: 2), Self.made.shard(2, of: 2, name: "b.json") { $0[name] = value },
        ])
        #expect(join.files.count == 2 && join.runs.count == 2)
        #expect(join.warnings.count == 3, "each lacks a shard, and why: \(join.warnings)")
        #expect(join.warnings.last?.contains(reason) == true, "\(join.warnings)")
        let error = try #require(throws: RunFileError.self) { try join.onlyRun() }
        #expect(error.description.contains(reason), "\(error)")
    }

    @Test func otherSettingsOfTheRunAreNamed() throws {
        var other = Self.made
        other.settings = ["policy_fingerprint": "0000", "warm_start": "true"]
        let join = try ShardJoin([Self.made.shard(1, of: 3), other.shard(2, of: 3, name: "b.json")])
        let reason = try #require(join.warnings.last)
        #expect(
            reason.contains("shard.settings.policy_fingerprint is \"00ff\" in runs/base-1.json and \"0000\"")
        )
        #expect(
            reason.contains(
                "shard.settings.warm_start is not given in runs/base-1.json and \"true\" in b.json"
            )
        )
        let counts = try ShardJoin([Self.made.shard(1, of: 3), Self.made.shard(2, of: 4)])
        #expect(counts.warnings.last?.contains("shard.of is \"3\"") == true, "\(counts.warnings)")
    }

    /// Two runs that were both shared out are compared, and nothing is said of their settings: neither lacks anything.
    @Test func runsThatAreWholeAreCompared() throws {
        let other = Made(scores: Samples.scores(11, 3), settings: [:])
        let join = try ShardJoin([
            Self.made.shard(1, of: 2), other.shard(1, of: 2, name: "runs/int8-1.json"),
            Self.made.shard(2, of: 2),
            other.shard(2, of: 2, name: "runs/int8-2.json"),
        ])
        #expect(join.warnings == [])
        #expect(join.files.map(\.path) == ["runs/base.json", "runs/int8.json"])
        #expect(Report(join.files, title: nil, version: "1").scores.map(\.run) == ["base", "int8"])
        #expect(try texts(join).contains("Differences by seed"))
    }

    @Test func otherFilesStayAsTheyAre() throws {
        let whole = try Samples.file(try Samples.simulation(scores: [1, 1]), "whole.json")
        let join = try ShardJoin([whole, Self.made.shard(1, of: 1)])
        #expect(join.files.map(\.path) == ["whole.json", "runs/base-1.json"])
        #expect(join.files[0].file.runs.first?.joining == nil)
        let none = try ShardJoin([whole])
        let error = try #require(throws: RunFileError.self) { try none.onlyRun() }
        #expect(
            error.description
                == "whole.json: found no shard, expected what `denoised sim --shard` printed with --json"
        )
    }

    @Test func amountsOfRealTimeAndCameraAddUp() throws {
        func extra(_ factor: Int) -> (inout [String: Any]) -> Void {
            { object in
                object["camera"] = [
                    "name": "c", "encoding": "pixels", "disturbances": "poor", "lost_frames": factor,
                    "repeated_frames": 2 * factor, "blind_steps": 3 * factor,
                ]
                object["realtime"] = [
                    "schedule": "blend", "delay_ms": 20, "steps": 100 * factor, "held_steps": factor,
                    "beyond_steps": 0, "late_steps": 2 * factor,
                    "velocity_jump": ["mean": Double(factor), "p95": 1, "count": factor],
                    "other_jump": ["mean": 5, "p95": 1, "count": 10],
                ]
            }
        }
        let join = try ShardJoin([Self.made.shard(1, of: 2, extra(1)), Self.made.shard(2, of: 2, extra(3))])
        let run = try join.onlyRun()
        #expect(
            run.camera?.lostFrames == 4 && run.camera?.repeatedFrames == 8 && run.camera?.blindSteps == 12
        )
        let found = try #require(run.realTime)
        #expect((found.steps, found.heldSteps, found.lateSteps) == (400, 4, 8))
        #expect((found.jumpMean, found.otherJumpMean, found.jumps) == (2.5, 5, 4))
    }

    /// Its file says what the joined run says, and is read as one.
    @Test func aJoinedRunIsAFile() throws {
        let joined = try ShardJoin([1, 3].map { try Self.made.shard($0, of: 3) }).onlyRun()
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let read = try Samples.file(Array(try encoder.encode(JoinedFile(joined))), "joined.json")
        let run = try #require(read.file.runs.first)
        #expect(run.episodes == joined.episodes && run.joining == joined.joining)
        #expect(run.latency == joined.latency && run.histograms == joined.histograms)
        #expect(run.lateChunks == 8 && joined.lateChunks == 8)
        #expect(run.chunks == joined.chunks && run.iterationsMean == joined.iterationsMean)
        #expect(run.median == joined.median && run.slowest == joined.slowest)
        #expect(run.notes == joined.notes)
        #expect(run.sampler == joined.sampler && run.version == joined.version)
        #expect(try ShardJoin([read]).runs.isEmpty, "it is not joined again")
    }

    @Test(arguments: [
        (
            ["number": 3, "of": 2, "first_seed": 10, "episodes": 2],
            "shard.number: found 3, expected an integer from 1 to 2"
        ),
        (["number": 1, "of": 0, "first_seed": 10, "episodes": 2], "shard.of: found 0, expected"),
        (["number": 1, "of": 2, "first_seed": -1, "episodes": 2], "shard.first_seed: found -1"),
        (["number": 1, "of": 2, "first_seed": 10, "episodes": 10_000_000], "shard.episodes: found 10000000"),
        (
            ["number": 2, "of": 2, "first_seed": 10, "episodes": 11],
            "per_episode[0].seed: found 10, expected a seed of shard 2/2 of the 11 from 10 on"
        ),
    ])
    func aShardThatCannotBeIsRefused(shard: [String: Int], message: String) throws {
        let error = try #require(throws: RunFileError.self) {
            try Self.made.shard(1, of: 2) { $0["shard"] = shard }
        }
        #expect(error.description.contains(message), "\(error)")
    }

    @Test(arguments: [
        (["runs/a-1.json", "runs/a-2.json"], "runs/a.json"),
        (["a/shard-1-of-2.json", "a/shard-2-of-2.json"], "a.json"),
        (["runs/int8-shard-1.json", "runs/int8-shard-2.json"], "runs/int8.json"),
        (["node1/run.json", "node2/run.json"], "node.json"),
        (["1.json", "2.json"], "joined.json"),
        (["/x.json", "/y.json"], "joined.json"),
        (["runs/v1.2-9.json", "runs/v1.2-10.json", "runs/v1.2-1.json"], "runs/v1.2.json"),
        (["only-1.json"], "only-1.json"),
    ])
    func aJoinedRunHasAName(files: [String], name: String) {
        #expect(ShardJoin.path(of: files) == name)
    }
}
