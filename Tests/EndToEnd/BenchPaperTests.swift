import Foundation
import Testing

extension EndToEndOfCommands {
    /// `bench paper`: what it counts and how it counts it, but no time.
    @Suite struct BenchPaperTests {
        private static let keys: Set = [
            "solver", "steps", "method", "window", "tolerance", "precision", "kernel", "threads", "episodes",
            "chunks", "iterations_mean", "evaluations_mean", "reward_mean", "reward_standard_error",
            "reward_difference_mean", "reward_difference_standard_error", "success_rate",
            "episode_seconds_mean", "ms_p50", "ms_p99", "speed_up_chunk", "speed_up_episode", "rewards",
            "successes",
        ]

        @Test func everyWayOfSamplingPlaysTheSameEpisodes() async throws {
            // 20 timesteps, fewer than the table's 100; 4 actions a chunk.
            let policy = try pushTPolicy()
            let seeds = 42...43
            let ended = try await succeed([
                "bench", "paper", "--policy", policy.path, "--episodes", "\(seeds.count)", "--seed",
                "\(seeds.lowerBound)", "--window", "4", "--threads", "1", "--json",
            ])
            #expect(ended.error.contains("episode 2 of 2, seed 43"), "\(ended)")
            let report = try ended.json()
            #expect(Set(report.keys) == ["policy", "seed", "episodes", "results"])
            let results = try #require(report["results"] as? [[String: Any]])

            let expected: [(solver: String, steps: Int)] = [("ddpm", 20), ("ddim", 15), ("dpmsolver++", 15)]
            #expect(
                results.map { $0["solver"] as? String }
                    == expected.flatMap { Array(repeating: $0.solver, count: 3) }
            )
            #expect(
                results.map { $0["steps"] as? Int }
                    == expected.flatMap { Array(repeating: $0.steps, count: 3) }
            )
            #expect(
                results.map { $0["method"] as? String }
                    == expected.flatMap { _ in ["sequential", "paradigms", "quasi-newton"] }
            )
            #expect(results.map { $0["window"] as? Int } == expected.flatMap { [1, $0.steps, 4] })
            // The paper has no figures for DDPM of 20 steps.
            let published = results.map { ($0["paper"] as? [String: Any])?["iterations"] as? Double }
            #expect(published == [nil, nil, nil, nil, 7, nil, nil, 6, nil])

            for (index, result) in results.enumerated() {
                try Self.check(result, sequential: results[index / 3 * 3], episodes: seeds.count)
            }

            let sim = try await succeed([
                "sim", "--policy", policy.path, "--window", "1", "--episodes", "\(seeds.count)", "--seed",
                "\(seeds.lowerBound)", "--solver", "ddpm", "--steps", "20", "--threads", "1", "--json",
            ]).json()
            let scores = try #require(sim["per_episode"] as? [[String: Any]]).map { $0["score"] as? Double }
            #expect(results[0]["rewards"] as? [Double] == scores.compactMap { $0 })
            #expect(results[0]["success_rate"] as? Double == sim["success_rate"] as? Double)
        }

        /// Checks that the numbers of a row fit each other.
        private static func check(_ result: [String: Any], sequential: [String: Any], episodes: Int) throws {
            #expect(Set(result.keys).subtracting(["paper"]) == keys)
            func number(_ key: String) throws -> Double { try #require(result[key] as? Double, "\(key)") }
            let (steps, window) = (try number("steps"), try number("window"))
            let (iterations, evaluations) = (try number("iterations_mean"), try number("evaluations_mean"))
            #expect(result["episodes"] as? Int == episodes)
            #expect(try number("chunks") >= Double(episodes))
            if result["method"] as? String == "sequential" {
                #expect((iterations, evaluations) == (steps, steps))
                #expect(try number("speed_up_chunk") == 1 && number("speed_up_episode") == 1)
            } else {
                #expect(iterations >= steps / window && iterations <= steps, "\(iterations)")
                #expect(evaluations >= steps && evaluations <= iterations * window, "\(evaluations)")
            }
            #expect(try number("ms_p50") > 0 && number("ms_p99") >= number("ms_p50"))
            #expect(try number("speed_up_chunk") > 0 && number("speed_up_episode") > 0)
            #expect(try number("episode_seconds_mean") > 0)

            let rewards = try #require(result["rewards"] as? [Double])
            let references = try #require(sequential["rewards"] as? [Double])
            #expect(rewards.count == episodes && rewards.allSatisfy { (0...1).contains($0) })
            let successes = try #require(result["successes"] as? [Bool])
            #expect(successes.count == episodes)
            #expect(try number("success_rate") == Double(successes.count { $0 }) / Double(episodes))
            // Of two values, the mean's standard error is half their distance.
            for (key, values) in [
                ("reward", rewards), ("reward_difference", zip(rewards, references).map { $0 - $1 }),
            ] {
                #expect(try abs(number("\(key)_mean") - (values[0] + values[1]) / 2) < 1e-12, "\(key)")
                let standardError = try number("\(key)_standard_error")
                #expect(abs(standardError - abs(values[0] - values[1]) / 2) < 1e-12, "\(key)")
            }
        }

        @Test func tableIsForPeople() async throws {
            let policy = try pushTPolicy()
            let ended = try await succeed([
                "bench", "paper", "--policy", policy.path, "--episodes", "1", "--threads", "1",
            ])
            for part in [
                "f32 on", "1 episode from seed 100000", "iterations", "evaluations", "reward", "difference",
                "s an episode", "speed-up", "ddpm 20", "ddim 15", "dpmsolver++ 15", "quasi-newton",
                "7 it, 47 ev, 1.6-1.8x",
            ] {
                #expect(ended.output.contains(part), "no \"\(part)\" in\n\(ended.output)")
            }
            #expect(!ended.output.contains("+-"), "one episode has no standard error\n\(ended.output)")
        }
    }
}
