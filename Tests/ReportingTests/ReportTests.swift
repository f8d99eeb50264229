import Foundation
import Testing

@testable import Reporting
import Statistics

@Suite struct ReportTests {
    /// Ten runs of 500 episodes, each with a thousand passes in its example chunks.
    private static func tenRuns() throws -> [(path: String, file: RunFile)] {
        try (0..<10).map { index in
            let bytes = try Samples.simulation(scores: Samples.scores(500, index), passes: 1000)
            return try Samples.file(bytes, "runs/\(index).json")
        }
    }

    @Test func tenRunsMakeASmallPageThatFetchesNothing() throws {
        let page = Samples.page(try Self.tenRuns())
        #expect(page.utf8.count < 2_000_000, "\(page.utf8.count)")
        let elements = try #require(PageElements(page), "not well-formed")
        #expect(
            elements.ids == ["runs", "score", "pairs", "latency", "stages", "timeline"],
            "nothing is lacking, and there is no benchmark"
        )
        #expect(
            Set(elements.names).isDisjoint(with: [
                "script", "link", "img", "iframe", "object", "base", "form",
            ])
        )
        let fetching: Set = ["src", "href", "srcset", "action", "data", "xlink:href", "poster"]
        #expect(elements.attributes.allSatisfy { !fetching.contains($0.name) && !$0.name.hasPrefix("on") })
        #expect(!page.contains("http://") && !page.contains("https://") && !page.contains("url("))
        #expect(!page.contains("@import") && !page.contains("nan") && !page.contains("inf%"))
        // The chip of each run is in each of its rows.
        for number in 1...10 { #expect(elements.texts.count { $0 == "\(number)" } >= 6) }
    }

    @Test func theSamePageComesOutEveryTime() throws {
        let files = try Self.tenRuns()
        #expect(Samples.page(files) == Samples.page(files))
    }

    @Test func figuresAreThoseOfTheFile() throws {
        let scores = Samples.scores(50)
        let page = Samples.page([try Samples.file(try Samples.simulation(scores: scores))])
        let texts = Set(try #require(PageElements(page)).texts)
        let mean = try #require(Interval.mean(scores))
        let success = Interval.wilson(successes: scores.count { $0 == 1 }, of: 50)
        func fixed(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }
        for expected in [
            fixed(mean.estimate, 3), "\(fixed(mean.low, 3)) to \(fixed(mean.high, 3))",
            fixed(success.estimate * 100, 1) + " %",
            "\(fixed(success.low * 100, 1)) % to \(fixed(success.high * 100, 1)) %",
            "5.250", "6.500", "9.750", "12.500", "22.5", "130.2", "pusht",
            "ddpm 100, quasi-newton 6, tolerance 0.005",
            "int8 on avx2", "50, seeds 700000 to 700049",
        ] {
            #expect(texts.contains(expected), "no \(expected)")
        }
        #expect(
            page.contains(
                "5.07 ms, of which sampling 4.80 ms, 25 passes, 150 evaluations, window 6, converged, seed 700004"
            )
        )
        #expect(page.contains("pass 25: steps 96 to 101, 6 evaluations, 0.180 ms"))
        #expect(page.contains("Made by denoised 9.9.9 from run.json."))
    }

    /// A run without a budget and a file that does not tell have a dash for it.
    @Test func chunksInTimeAndCoarseOnesAreCountedApart() throws {
        func run(_ name: String, budgetMs: Double?, late: Any) throws -> (path: String, file: RunFile) {
            var sampler: [String: Any] = [
                "solver": "ddpm", "steps": 100, "method": "quasi-newton", "window": 6, "tolerance": 0.005,
                "kernel": "int8 on avx2",
            ]
            sampler["budget_ms"] = budgetMs
            let bytes = try Samples.simulation(
                scores: [1, 1],
                extra: [
                    "sampler": sampler, "qualities": ["converged": 28, "coarse": 9], "late_chunks": late,
                ]
            )
            return try Samples.file(bytes, name)
        }
        let files = try [
            run("kept.json", budgetMs: 60_000, late: 1), run("free.json", budgetMs: nil, late: NSNull()),
            run("older.json", budgetMs: 10, late: NSNull()),
        ]
        let texts = try #require(PageElements(Samples.page(files))).texts
        for row in [["97.3 %", "24.3 %"], ["\u{2013}", "\u{2013}"], ["\u{2013}", "24.3 %"]] {
            #expect(texts.firstRange(of: ["12.500"] + row) != nil, "\(row)")
        }
        #expect(texts.contains("ddpm 100, quasi-newton 6, tolerance 0.005, budget 60000 ms"), "\(texts)")
        let error = #expect(throws: RunFileError.self) { try run("more.json", budgetMs: 10, late: 38) }
        #expect("\(try #require(error))".contains("late_chunks: found 38, expected an integer from 0 to 37"))
    }

    @Test func pairsAreThoseOfSharedSeeds() throws {
        let first = [1, 1, 0.5, 0.5, 0.75]
        // The last episode of the first run, and the first four of this one; its own last two are alone.
        let second = [1, 0.5, 1, 0.25, 1, 1]
        let page = Samples.page([
            try Samples.file(try Samples.simulation(scores: first, firstSeed: 10), "base.json"),
            try Samples.file(try Samples.simulation(scores: second, firstSeed: 11), "other.json"),
        ])
        let texts = try #require(PageElements(page)).texts
        let differences = zip(second, first.dropFirst()).map { $0 - $1 }
        #expect(differences == [0, 0, 0.5, -0.5])
        let interval = try #require(Interval.mean(differences))
        let words =
            "\u{2212}\(String(format: "%.3f", -interval.low)) to +\(String(format: "%.3f", interval.high))"
        #expect(interval.low < 0 && interval.high > 0)
        #expect(texts.contains(words), "no \(words)")
        let outcomes = PairedOutcomes([(true, true), (false, false), (false, true), (false, false)])
        let row = [outcomes.both, outcomes.onlySecond, outcomes.onlyFirst, outcomes.neither].map(String.init)
        #expect(texts.firstRange(of: ["2", "other"] + row + ["1.000"]) != nil, "\(row)")
    }

    @Test func runsWithoutASharedSeedAreNotPaired() throws {
        let page = Samples.page([
            try Samples.file(try Samples.simulation(scores: [1, 1], firstSeed: 1), "a.json"),
            try Samples.file(try Samples.simulation(scores: [1, 1], firstSeed: 3), "b.json"),
        ])
        #expect(PageElements(page) != nil)
        #expect(page.contains("so there is nothing to pair"))
    }

    @Test func markupInNamesIsText() throws {
        let evil = "<script>alert(1)</script>"
        let bytes = try Samples.simulation(
            scores: [1, 0.5],
            extra: [
                "policy": evil, evil: 1,
                "sampler": [
                    "solver": evil, "steps": 1, "method": "\"><img src=x>", "window": 2, "tolerance": 0,
                    "kernel": "&amp;\u{202e}",
                ],
                "camera": ["name": evil, "encoding": "</style>", "disturbances": "<!--"],
                "realtime": [
                    "schedule": evil, "delay_ms": 20, "steps": 10, "held_steps": 1, "beyond_steps": 2,
                    "late_steps": 3, "velocity_jump": ["mean": 4], "other_jump": ["mean": 5],
                ],
            ]
        )
        let page = Samples.page([try Samples.file(bytes, "<b>.json")], title: "<i>&")
        let elements = try #require(PageElements(page))
        #expect(Set(elements.names).isDisjoint(with: ["script", "img", "b", "i"]))
        #expect(elements.texts.contains("<i>&"))
        #expect(elements.texts.contains(evil))
        #expect(!page.contains("\u{202e}"))
        #expect(Set(["realtime", "camera", "notes"]).isSubset(of: elements.ids))
        #expect(elements.texts.contains("10.0 %") && elements.texts.contains("30.0 %"))
    }

    @Test func oneEpisodeHasNoInterval() throws {
        let page = Samples.page([try Samples.file(try Samples.simulation(scores: [0.5]))])
        let texts = try #require(PageElements(page)).texts
        #expect(texts.contains("0.500") && texts.contains("one episode has no interval"))
        // Of a proportion, there is one.
        #expect(texts.contains("0.0 % to 79.3 %"))
    }

    @Test func noEpisodeAndNoChunkMakeAPage() throws {
        let bytes = try Samples.simulation(
            scores: [],
            extra: [
                "chunks": 0, "example_chunks": NSNull(), "latency_histograms": NSNull(),
                "chunk_latency_ms": ["p50": 0, "p90": 0, "p99": 0, "max": 0], "stage_latency_ms": NSNull(),
            ]
        )
        let page = Samples.page([try Samples.file(bytes)])
        let elements = try #require(PageElements(page))
        #expect(elements.texts.contains("It has no episode.") && elements.texts.contains("It has no chunk."))
        #expect(!page.contains("nan"))
    }

    /// Numbers that files may have and runs do not.
    @Test func extremeNumbersMakeAPage() throws {
        let passes: [String: Any] = [
            "first_step": [0, 999_999], "end_step": [0, 1_999_999], "evaluations": [0, 1_000_000],
            "ns": [0, 1_000_000_000_000_000],
        ]
        let chunk: [String: Any] = [
            "episode": "x", "step": UInt64.max, "window": 0, "steps": 0, "iterations": 0, "evaluations": 0,
            "quality": "",
            "stages_ns": ["decode": 0, "queue": 0, "condition": 0, "sample": 1, "encode": 0, "total": 0],
            "passes": passes,
        ]
        let huge: [String: Any] = ["p50": 0, "p90": 1e12, "p99": 0, "max": 1e-300]
        let bytes = try Samples.simulation(
            scores: [0, 0],
            firstSeed: .max - 1,
            extra: [
                "example_chunks": ["median": chunk, "slowest": chunk], "chunk_latency_ms": huge,
                "stage_latency_ms": ["total": huge, "sample": huge], "chunks": 1_000_000_000_000,
            ]
        )
        let page = Samples.page([try Samples.file(bytes), try Samples.file(bytes, "b.json")])
        #expect(PageElements(page) != nil)
        #expect(!page.contains("nan") && !page.contains("inf"))
    }

    @Test func deviationsAreDrawn() throws {
        func row(_ method: String, _ window: Int, _ deviation: Double) -> String {
            """
            {"solver": "ddpm", "steps": 100, "method": "\(method)", "window": \(window), "tolerance": 0.005, "precision": "f32",
             "kernel": "f32 on avx2", "iterations_mean": 17.5, "evaluations_mean": 129, "deviation_mean": \(deviation),
             "deviation_max": \(deviation * 4), "ms_p10": 4, "ms_p50": 5.5, "ms_p90": 6, "ms_p99": 7.25}
            """
        }
        let rows = [row("sequential", 1, 0), row("quasi-newton", 8, 0.0005), row("paradigms", 20, 0.02)]
        let json = "{\"policy\": \"pusht\", \"results\": [\(rows.joined(separator: ","))]}"
        let page = Samples.page([try Samples.file(Array(json.utf8), "chunk.json")])
        let elements = try #require(PageElements(page))
        #expect(elements.ids == ["deviation"])
        #expect(elements.texts.contains("pusht: deviation of chunks"))
        for text in ["0.00050", "0.00200", "0.02000", "0.08000", "129.0", "5.50", "7.25"] {
            #expect(elements.texts.contains(text), "no \(text)")
        }
        #expect(elements.names.count { $0 == "circle" } == 3)
    }
}
