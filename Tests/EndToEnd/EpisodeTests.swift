import Foundation
import Testing

extension EndToEnd {
    /// `sim` with a policy, through the daemon inside the process.
    @Suite struct EpisodeTests {
        /// Checks the documented keys and that the numbers fit each other. Returns the episodes.
        @discardableResult
        static func check(_ report: [String: Any], seeds: ClosedRange<Int>, evaluations: Double) throws
            -> [[String: Any]]
        {
            #expect(
                Set(report.keys) == [
                    "version", "policy", "sampler", "episodes", "mean_score", "mean_max_coverage",
                    "success_rate",
                    "chunks", "chunk_latency_ms", "stage_latency_ms", "iterations_mean", "evaluations_mean",
                    "qualities", "latency_histograms", "example_chunks", "per_episode",
                ]
            )
            #expect(report["episodes"] as? Int == seeds.count)
            #expect(report["iterations_mean"] as? Double == evaluations)
            #expect(report["evaluations_mean"] as? Double == evaluations)

            let latency = try #require(report["chunk_latency_ms"] as? [String: Double])
            #expect(Set(latency.keys) == ["p50", "p90", "p99", "max"])
            let times = ["p50", "p90", "p99", "max"].map { latency[$0] ?? .nan }
            #expect(times[0] > 0)
            #expect(times == times.sorted())

            try checkChunks(report)
            let episodes = try #require(report["per_episode"] as? [[String: Any]])
            #expect(episodes.map { $0["seed"] as? Int } == Array(seeds))
            for episode in episodes {
                #expect(Set(episode.keys) == ["seed", "score", "max_coverage", "success", "steps"])
                let coverage = try #require(episode["max_coverage"] as? Double)
                #expect((0...1).contains(coverage))
                #expect(try abs(#require(episode["score"] as? Double) - min(coverage / 0.95, 1)) < 1e-12)
                let success = try #require(episode["success"] as? Bool)
                #expect(success == (coverage > 0.95))
                let steps = try #require(episode["steps"] as? Int)
                #expect(success ? (1...300).contains(steps) : steps == 300)
            }
            func mean(_ key: String) -> Double {
                episodes.reduce(0) { $0 + (($1[key] as? NSNumber)?.doubleValue ?? .nan) }
                    / Double(episodes.count)
            }
            for (key, of) in [
                ("mean_score", "score"), ("mean_max_coverage", "max_coverage"), ("success_rate", "success"),
            ] {
                #expect(try abs(#require(report[key] as? Double) - mean(of)) < 1e-12, "\(key)")
            }
            return episodes
        }

        /// Checks what the report says of how chunks were sampled and what they took.
        private static func checkChunks(_ report: [String: Any]) throws {
            let sampler = try #require(report["sampler"] as? [String: Any])
            #expect(
                Set(sampler.keys) == ["solver", "steps", "method", "window", "tolerance", "kernel"],
                "no budget was asked for"
            )
            let chunks = try #require(report["chunks"] as? Int)
            let stages: Set = ["decode", "queue", "condition", "sample", "encode", "total"]
            let latency = try #require(report["stage_latency_ms"] as? [String: [String: Double]])
            #expect(Set(latency.keys) == stages)
            let histograms = try #require(report["latency_histograms"] as? [String: Any])
            #expect(histograms["buckets_per_octave"] as? Int == 16)
            let counted = try #require(histograms["stages"] as? [String: [String: Any]])
            #expect(Set(counted.keys) == stages.union(["round_trip"]))
            for (stage, histogram) in counted {
                let counts = try #require(histogram["counts"] as? [Int])
                #expect(counts.reduce(0, +) == chunks, "\(stage)")
                #expect(counts.first ?? 0 > 0 && counts.last ?? 0 > 0, "\(stage)")
            }
            let qualities = try #require(report["qualities"] as? [String: Int])
            #expect(qualities.values.reduce(0, +) == chunks)
            let examples = try #require(report["example_chunks"] as? [String: [String: Any]])
            #expect(Set(examples.keys) == ["median", "slowest"])
            for (name, percentile) in [("median", "p50"), ("slowest", "max")] {
                let chunk = try #require(examples[name])
                let times = try #require(chunk["stages_ns"] as? [String: Int])
                #expect(Set(times.keys) == stages)
                let total = try #require(times["total"])
                #expect(
                    try abs(Double(total) / 1e6 - #require(latency["total"]?[percentile])) < 1e-9,
                    "\(name)"
                )
                let passes = try #require(chunk["passes"] as? [String: [Int]])
                #expect(Set(passes.keys) == ["first_step", "end_step", "evaluations", "ns"])
                #expect(passes.values.allSatisfy { $0.count == chunk["iterations"] as? Int })
                #expect(passes["evaluations"]?.reduce(0, +) == chunk["evaluations"] as? Int)
            }
        }

        @Test func reportHasTheDocumentedKeys() async throws {
            let policy = try pushTPolicy()
            let ended = try await succeed([
                "sim", "--policy", policy.path, "--window", "1", "--episodes", "2", "--seed", "42", "--json",
            ])
            try Self.check(ended.json(), seeds: 42...43, evaluations: 5)
            #expect(ended.error == "", "a good run has nothing to say beside its result")
        }

        @Test func episodesAreReproducible() async throws {
            let policy = try pushTPolicy()
            func episodes(_ seed: String) async throws -> NSArray {
                let ended = try await succeed(["sim", "--policy", policy.path, "--seed", seed, "--json"])
                return try #require(try ended.json()["per_episode"] as? NSArray)
            }
            let first = try await episodes("5")
            #expect(try await episodes("5") == first)
            #expect(try await episodes("6") != first)
        }

        @Test func tableIsForPeople() async throws {
            let policy = try pushTPolicy()
            let text = try await succeed(["sim", "--policy", policy.path, "--window", "1", "--trace"]).output
            for part in [
                "ddpm, 5 steps, sequential, 1 episode", "0 of 1 episode succeeded", "mean score",
                "mean largest coverage", "75 chunks", "5.0 iterations", "5.0 model evaluations", "decode",
                "queue", "condition", "sample", "encode", "round trip", "p50", "p99",
            ] {
                #expect(text.contains(part), "no \"\(part)\" in\n\(text)")
            }
        }

        /// A budget of minutes is kept by every chunk. How many keep one of a millisecond, only their times tell.
        @Test func chunksThatMissTheirBudgetAreCounted() async throws {
            let policy = try pushTPolicy()
            let arguments = ["sim", "--policy", policy.path, "--window", "1", "--budget-ms"]
            let kept = try await succeed(arguments + ["60000", "--json"]).json()
            #expect(kept["late_chunks"] as? Int == 0)
            #expect(kept["qualities"] as? [String: Int] == ["exact": 75])
            let text = try await succeed(arguments + ["60000"]).output
            #expect(
                text.contains("budget of 60000.0 ms: 0 of 75 chunks late, 0 coarse to be in time"),
                "\(text)"
            )

            let missed = try await succeed(arguments + ["1", "--json"]).json()
            let late = try #require(missed["late_chunks"] as? Int)
            let times = try #require(missed["stage_latency_ms"] as? [String: [String: Double]])
            #expect((late > 0) == (times["total"]?["max"] ?? 0 > 1))
            #expect((late > 37) == (times["total"]?["p50"] ?? 0 > 1))
        }

        @Test func drawingIsAnSVG() async throws {
            let policy = try pushTPolicy()
            let folder = try TemporaryFolder()
            let ended = try await succeed([
                "sim", "--policy", policy.path, "--draw", folder.path("episode.svg"), "--json",
            ])
            _ = try ended.json()
            let drawing = try String(contentsOf: folder.file("episode.svg"), encoding: .utf8)
            #expect(drawing.contains("<svg") && drawing.contains("http://www.w3.org/2000/svg"))
            #expect(drawing.trimmingCharacters(in: .whitespacesAndNewlines).hasSuffix("</svg>"))
        }
    }
}
