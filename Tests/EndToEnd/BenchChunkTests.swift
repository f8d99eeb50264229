import Foundation
import Testing

extension EndToEndOfCommands {
    /// `bench chunk`, `bench budget` and `bench robots`: what they report and that it adds up, but no time.
    @Suite struct BenchChunkTests {
        @Test func chunksOfEachWindowAreComparedWithTheSequentialOnes() async throws {
            let policy = try pushTPolicy()
            let report = try await succeed([
                "bench", "chunk", "--policy", policy.path, "--steps", "20", "--window", "1,4,8,auto",
                "--runs", "3",
                "--warm-up",
                "1", "--threads", "1", "--json",
            ]).json()
            let results = try #require(report["results"] as? [[String: Any]])
            let methods = results.compactMap { $0["method"] as? String }
            #expect(methods == ["sequential", "quasi-newton", "quasi-newton", "paradigms", "quasi-newton"])
            #expect(Array(results.compactMap { $0["window"] as? Int }.prefix(4)) == [1, 4, 8, 8])
            let keys: Set = [
                "solver", "method", "window", "tolerance", "precision", "ms_p50", "ms_p99", "iterations_mean",
                "evaluations_mean", "evaluations_max", "deviation_mean", "deviation_p90", "deviation_max",
            ]
            for result in results { #expect(keys.isSubset(of: result.keys)) }
            #expect(results[0]["deviation_max"] as? Double == 0)
            let iterations = results.compactMap { $0["iterations_mean"] as? Double }
            #expect(iterations[0] == 20)
            #expect(iterations[2] < 20)
        }

        /// With a method, window 1 is that method's: 40 steps are enough for bridges, which leave some of them out.
        @Test func aMethodIsMeasuredAtEachWindowOneIncluded() async throws {
            let policy = SourceTree.path("policies/pusht")
            func results(_ options: String...) async throws -> [[String: Any]] {
                let chunk = ["bench", "chunk", "--policy", policy, "--runs", "2", "--warm-up", "0", "--json"]
                let report = try await succeed(chunk + options).json()
                return try #require(report["results"] as? [[String: Any]])
            }
            let own = try await results("--method", "quasi-newton", "--window", "1,2", "--steps", "40")
            #expect(
                own.compactMap { $0["method"] as? String } == ["sequential", "quasi-newton", "quasi-newton"]
            )
            #expect(own.compactMap { $0["window"] as? Int } == [1, 1, 2])
            #expect(
                own.compactMap { $0["tolerance"] as? Double }.dropFirst().allSatisfy {
                    abs($0 - 0.005) < 1e-6
                }
            )
            let evaluations = own.compactMap { $0["evaluations_mean"] as? Double }
            #expect(evaluations[0] == 40 && evaluations[1] < 40)
            #expect(try #require(own[1]["evaluations_max"] as? Double) >= evaluations[1])
            // One node a pass.
            #expect(own[1]["iterations_mean"] as? Double == evaluations[1])
            let published = try await results("--method", "paradigms", "--window", "3", "--steps", "10")
            #expect(published.compactMap { $0["method"] as? String } == ["sequential", "paradigms"])
            #expect(published[1]["window"] as? Int == 3)
            #expect(abs(try #require(published[1]["tolerance"] as? Double) - 0.1) < 1e-6)
        }

        @Test func theFastestWindowIsNoneOfParaDiGMS() async throws {
            let ended = try await RunningProgram([
                "bench", "chunk", "--policy", "p", "--method", "paradigms", "--window", "3,auto",
            ]).end()
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(
                ended.error.contains("--window is auto, expected numbers with --method paradigms"),
                "\(ended)"
            )
        }

        /// From the chunk before, a sample takes other passes, hardly more, and comes out the same but for the tolerance.
        @Test func aWarmStartIsFromTheChunkBefore() async throws {
            func result(_ options: String...) async throws -> (iterations: Double, deviation: Double) {
                let report = try await succeed(
                    [
                        "bench", "chunk", "--policy", SourceTree.path("policies/pusht"), "--solver", "ddim",
                        "--steps", "15", "--window", "15", "--runs", "8", "--warm-up", "0", "--json",
                    ] + options
                ).json()
                let results = try #require(report["results"] as? [[String: Any]])
                #expect(results.count == 2)
                return (
                    try #require(results[1]["iterations_mean"] as? Double),
                    try #require(results[1]["deviation_max"] as? Double)
                )
            }
            let cold = try await result()
            let warm = try await result("--warm-start")
            #expect(warm.iterations <= cold.iterations + 0.5)
            #expect(cold.deviation < 0.02 && warm.deviation < 0.02)
            #expect(warm.deviation != cold.deviation)
        }

        @Test func budgetsDecideWhatChunksAreWorth() async throws {
            let policy = try pushTPolicy()
            let report = try await succeed([
                "bench", "budget", "--policy", policy.path, "--budgets", "1,60000", "--chunks", "4",
                "--window", "4",
                "--threads", "1", "--json",
            ]).json()
            let results = try #require(report["results"] as? [[String: Any]])
            #expect(results.compactMap { $0["budget_ms"] as? Double } == [1, 60000])
            func count(_ key: String, _ result: [String: Any]) -> Int { result[key] as? Int ?? -1 }
            for result in results {
                #expect(["exact", "converged", "coarse"].reduce(0) { $0 + count($1, result) } == 4)
            }
            // A millisecond leaves nothing for the planner, whatever the machine.
            #expect(count("coarse", results[0]) == 4)
            #expect(count("converged", results[1]) == 4)
            #expect(count("late", results[1]) == 0)
        }

        @Test func robotsArePlannedInTurnAndTogether() async throws {
            let policy = try pushTPolicy()
            let report = try await succeed([
                "bench", "robots", "--policy", policy.path, "--steps", "10", "--window", "4", "--robots",
                "1,3", "--runs", "3", "--warm-up", "1", "--threads", "1", "--json",
            ]).json()
            let results = try #require(report["results"] as? [[String: Any]])
            #expect(results.compactMap { $0["robots"] as? Int } == [1, 3, 1, 3])
            let methods = results.compactMap { $0["method"] as? String }
            #expect(methods == ["sequential", "sequential", "quasi-newton", "quasi-newton"])
            for result in results {
                let last = try #require(result["in_turn_ms_p50"] as? Double)
                let mean = try #require(result["in_turn_mean_ms_p50"] as? Double)
                let isOne = result["robots"] as? Int == 1
                #expect(isOne ? mean == last : mean < last)
                #expect((result["together_ms_p50"] as? Double == nil) == isOne)
                #expect((result["together_ratio_p50"] as? Double == nil) == isOne)
                #expect((result["daemon_plans_together"] as? Bool) != nil)
            }
            // The same chunks, whether they are planned together or not.
            let deviation = try #require(results[1]["deviation_max"] as? Double)
            #expect(deviation < 1e-4)
        }

        @Test func wrongNumbersOfRobotsAreRefused() async throws {
            let policy = try pushTPolicy()
            let ended = try await RunningProgram([
                "bench", "robots", "--policy", policy.path, "--robots", "2,9",
            ]).end()
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(ended.error.contains("1...8"))
        }
    }
}
