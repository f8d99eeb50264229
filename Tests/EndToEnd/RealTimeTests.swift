import Foundation
import Testing

extension EndToEndToSee {
    /// Episodes whose world does not wait. No time is asserted: the machine may be busy.
    @Suite struct RealTimeTests {
        /// By the wall clock, with a policy and a seed that are done within seconds.
        @Test func simRunsByTheWallClock() async throws {
            let report = try await succeed([
                "sim", "--policy", SourceTree.path("policies/pusht"), "--realtime", "--delay-ms", "50",
                "--seed",
                "100059", "--solver", "ddim", "--steps", "10", "--json",
            ]).json()
            let episode = try #require((report["per_episode"] as? [[String: Any]])?.first)
            let steps = try #require(episode["steps"] as? Int)
            let figures = try #require(report["realtime"] as? [String: Any])
            #expect(
                Set(figures.keys) == [
                    "schedule", "delay_ms",
                    "steps", "held_steps", "beyond_steps", "late_steps", "hand_over_move", "other_move",
                    "velocity_jump", "other_jump",
                ]
            )
            #expect(figures["steps"] as? Int == steps)
            let held = try #require(figures["held_steps"] as? Int)
            #expect((1..<steps).contains(held), "the first chunk cannot be there at once, and some is")
            for name in ["hand_over_move", "other_move"] {
                let moves = try #require(figures[name] as? [String: Double])
                #expect(Set(moves.keys) == ["p50", "p90", "max"])
            }
            for name in ["velocity_jump", "other_jump"] {
                let jumps = try #require(figures[name] as? [String: Double])
                #expect(Set(jumps.keys) == ["mean", "p95", "count"])
                #expect(try #require(jumps["mean"]) > 0)
            }
            let latency = try #require(report["chunk_latency_ms"] as? [String: Double])
            #expect(try #require(latency["p50"]) > 50, "the added delay is part of it")
        }

        /// Every kind runs the same episode, one right after the other.
        @Test func benchmarkRunsASingleEpisode() async throws {
            let policy = try pushTPolicy()
            let report = try await succeed([
                "bench", "realtime", "--policy", policy.path, "--episodes", "1", "--delays", "0",
                "--samplers", "ddim:2", "--strategies", "receding,blend", "--json",
            ]).json()
            let results = try #require(report["results"] as? [[String: Any]])
            #expect(results.count == 4)
            for result in results { #expect(try #require(result["steps_mean"] as? Double) >= 1) }
        }

        @Test func benchmarkTellsScoresByDelay() async throws {
            let policy = try pushTPolicy()
            let folder = try TemporaryFolder()
            let report = try await succeed([
                "bench", "realtime", "--policy", policy.path, "--episodes", "2", "--delays", "0,300",
                "--samplers",
                "ddpm:5,ddim:2", "--strategies", "receding,inpaint", "--draw", folder.path("scores.svg"),
                "--json",
            ]).json()
            #expect(report["episodes"] as? Int == 2)
            let results = try #require(report["results"] as? [[String: Any]])
            let rows = results.map {
                "\($0["sampler"] ?? "") \($0["schedule"] ?? "") \($0["delay_ms"] ?? "")"
            }
            #expect(
                rows
                    == ["ddpm 5", "ddim 2"].flatMap { sampler in
                        [
                            "lock-step 0", "synchronous 0", "synchronous 300", "receding 0", "receding 300",
                            "inpaint 0", "inpaint 300",
                        ]
                        .map { "\(sampler) \($0)" }
                    }
            )
            for (row, result) in zip(rows, results) {
                for key in ["mean_score", "success_rate"] {
                    let share = try #require(result[key] as? Double)
                    #expect((0...1).contains(share), "\(row)")
                }
                let held = try #require(result["held_share"] as? Double)
                if row.contains("lock-step") {
                    #expect(held == 0 && result["hand_over_move"] == nil)
                } else {
                    #expect(result["hand_over_move"] != nil)
                }
                // The policy has 4 actions a chunk, and 3 beyond: 4 steps of waiting and 3 of moving.
                if row.contains(" synchronous 300") { #expect(held > 0.4) }
                if row.contains("receding 0") || row.contains("inpaint 0") { #expect(held < 0.1) }
                let jumps = try #require(result["velocity_jump"] as? [String: Double])
                #expect(try #require(jumps["count"]) > 0, "\(row)")
            }
            let drawing = try String(contentsOf: folder.file("scores.svg"), encoding: .utf8)
            for part in [
                "<svg", "mean score by added delay", "velocity jump at hand-over by sampler", "inpaint",
                "300",
            ] {
                #expect(drawing.contains(part), "\(part)")
            }
        }

        @Test(arguments: [
            (["sim", "--policy", "p", "--strategy", "inpaint"], "--strategy is for --realtime"),
            (
                ["sim", "--policy", "p", "--realtime", "--synchronous", "--strategy", "blend"],
                "--strategy and --synchronous exclude each other"
            ),
            (["bench", "realtime", "--policy", "p", "--strategies", "blend,fast"], "holds \"fast\""),
        ])
        func strategiesThatMeanNothingAreRefused(arguments: [String], message: String) async throws {
            let ended = try await RunningProgram(arguments).end()
            #expect(ended.exitCode == 2)
            #expect(ended.error.contains(message), "\(ended)")
        }
    }
}
