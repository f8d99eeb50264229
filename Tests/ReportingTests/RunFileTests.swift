import Foundation
import Testing

@testable import Reporting

@Suite struct RunFileTests {
    private static func error(_ json: String) throws -> String {
        let error = try #require(throws: RunFileError.self) {
            try RunFile(json: Array(json.utf8), file: "a/run.json")
        }
        return error.description
    }

    @Test func whatSimPrintsIsReadInFull() throws {
        let file = try Samples.file(try Samples.simulation(scores: [1, 0.5, 0.75])).file
        let run = try #require(file.runs.first)
        #expect(file.runs.count == 1 && file.deviations.isEmpty)
        #expect(run.episodes.map(\.seed) == [700_000, 700_001, 700_002])
        #expect(run.episodes.map(\.score) == [1, 0.5, 0.75])
        #expect(run.successes == 1)
        #expect(run.sampler?.name == "ddpm 100, quasi-newton 6")
        #expect(run.latency[.roundTrip] == Run.Latency(p50: 5.25, p90: 6.5, p99: 9.75, max: 12.5))
        #expect(run.latency[.vision] == nil && run.latency.count == 7)
        #expect(run.histograms[.sample]?.total == 37)
        #expect(run.median?.passes.count == 25)
        #expect(run.median?.passes.last?.endStep == 102)
        #expect(run.median?.milliseconds(.sample) == 4.8)
        #expect(run.notes == [])
    }

    /// What an earlier version printed, and what evaluate.py prints.
    @Test func olderFilesAreReadAndWhatTheyLackIsSaid() throws {
        let old = """
            {"chunk_latency_ms": {"max": 56.1, "p50": 35.1, "p90": 47.8, "p99": 56.1}, "episodes": 1, "evaluations_mean": 130.5,
             "iterations_mean": 23, "mean_max_coverage": 0.95, "mean_score": 0.99, "success_rate": 0,
             "per_episode": [{"max_coverage": 0.9, "score": 0.99, "seed": 100000, "steps": 300, "success": false}]}
            """
        let run = try #require(try Samples.file(Array(old.utf8)).file.runs.first)
        #expect(run.latency[.roundTrip]?.p50 == 35.1 && run.latency.count == 1)
        let note = try #require(run.notes.first)
        for part in [
            "how chunks were sampled", "times by stage", "histograms", "course of a chunk", "older version",
        ] {
            #expect(note.contains(part), "\(note)")
        }
        #expect(!note.contains("times of chunks"))

        let evaluation = """
            {"episodes": 1, "mean_score": 1, "mean_max_coverage": 1, "success_rate": 1, "seconds": 3.5,
             "per_episode": [{"max_coverage": 1, "score": 1, "seed": 7, "steps": 30, "success": true}]}
            """
        let trained = try #require(try Samples.file(Array(evaluation.utf8)).file.runs.first)
        #expect(trained.successes == 1 && trained.latency.isEmpty)
        #expect(trained.notes.contains { $0.contains("times of chunks") })
    }

    @Test func unknownMembersAreToldAndNotRefused() throws {
        let bytes = try Samples.simulation(scores: [1], extra: ["new<thing>": 1, "other": []])
        let run = try #require(try Samples.file(bytes).file.runs.first)
        #expect(
            run.notes == ["It has members that are not known here: \"new<thing>\", \"other\"."]
                || run.notes == ["It has members that are not known here: \"other\", \"new<thing>\"."]
        )
    }

    @Test func whatBenchPaperPrintsIsARunForEachRow() throws {
        let row = """
            {"solver": "ddpm", "steps": 100, "method": "sequential", "window": 1, "tolerance": 0, "precision": "f32",
             "kernel": "f32 on avx2", "rewards": [1, 0.5], "success_rate": 0.5, "chunks": 20, "iterations_mean": 100,
             "evaluations_mean": 100, "ms_p50": 12.5, "ms_p99": 19}
            """
        let full = row.replacing("\"chunks\"", with: "\"successes\": [true, false], \"chunks\"")
        let json =
            "{\"policy\": \"pusht\", \"seed\": 18446744073709551615, \"episodes\": 2, \"results\": [\(row), \(full)]}"
        let runs = try Samples.file(Array(json.utf8)).file.runs
        #expect(runs.count == 2)
        #expect(runs[0].part == "ddpm 100, sequential" && runs[0].policy == "pusht")
        #expect(runs[0].episodes.map(\.seed) == [.max, 0], "seeds wrap as the benchmark's do")
        #expect(runs[0].successes == 1 && runs[0].episodes.allSatisfy { $0.isSuccess == nil })
        #expect(runs[1].successes == 1 && runs[1].episodes.map(\.isSuccess) == [true, false])
        #expect(runs[0].notes.count == 2 && runs[1].notes.count == 1)
        #expect(runs[0].latency[.sample] == Run.Latency(p50: 12.5, p99: 19))
    }

    @Test func whatBenchChunkPrintsIsDeviations() throws {
        let row = """
            {"solver": "ddpm", "steps": 100, "method": "quasi-newton", "window": 8, "tolerance": 0.005, "precision": "int8",
             "kernel": "int8 on avx2", "iterations_mean": 17.5, "evaluations_mean": 129, "deviation_mean": 0.0005,
             "deviation_max": 0.0027, "ms_p10": 4, "ms_p50": 5, "ms_p90": 6, "ms_p99": 7}
            """
        let file = try Samples.file(Array("{\"policy\": \"pusht\", \"results\": [\(row)]}".utf8)).file
        #expect(file.runs.isEmpty)
        let point = try #require(file.deviations.first)
        #expect((point.deviationMean, point.deviationMax) == (0.0005, 0.0027))
        #expect((point.evaluationsMean, point.sampler.window, point.precision) == (129, 8, "int8"))
    }

    @Test(arguments: [
        ("", "an empty file, expected a JSON object or a recording"),
        ("{", "expected '\"' (byte 1); expected a JSON object or an MCAP recording"),
        ("[1]", "found [1], expected an object"),
        ("{}", "found an object with no members, expected what `denoised sim`"),
        ("{\"a\\nb\": 1}", "found an object with the members a?b, expected what"),
        ("{\"results\": []}", "found an object with the members results"),
        ("{\"per_episode\": 3}", "per_episode: found 3, expected a list"),
        ("{\"per_episode\": [{}]}", "per_episode[0].seed: the field is missing"),
        (
            "{\"per_episode\": [{\"seed\": 1, \"score\": 2}]}",
            "per_episode[0].score: found 2, expected a number from 0 to 1"
        ),
        (
            "{\"per_episode\": [{\"seed\": 1, \"score\": 1}, {\"seed\": 1, \"score\": 1}]}",
            "per_episode[1].seed: found 1, expected each seed once"
        ),
        ("{\"per_episode\": [{\"seed\": -1, \"score\": 1}]}", "per_episode[0].seed: found -1"),
        (
            "{\"per_episode\": [], \"chunk_latency_ms\": {\"p50\": 1e300}}",
            "chunk_latency_ms.p50: found 1e+300, expected a number from 0 to 1e12"
        ),
        ("{\"per_episode\": [], \"policy\": null}", "policy: found no value"),
        (
            "{\"per_episode\": [], \"latency_histograms\": {\"buckets_per_octave\": 16, \"stages\": {\"sample\": "
                + "{\"first_bucket\": 1e9, \"counts\": [1]}}}}",
            "latency_histograms.stages.sample.first_bucket: found"
        ),
        (String(repeating: "[", count: 100), "nested deeper than 32"),
    ])
    func whatIsWrongIsNamed(json: String, expected: String) throws {
        let error = try Self.error(json)
        #expect(error.hasPrefix("a/run.json: "))
        #expect(error.contains(expected), "\(error)")
    }

    @Test func passesMustBeAsManyInEachList() throws {
        var bytes = String(decoding: try Samples.simulation(scores: [1]), as: UTF8.self)
        bytes = bytes.replacing("\"ns\":[180000,", with: "\"ns\":[")
        let error = try Self.error(bytes)
        #expect(error.contains("passes.ns: found a list of 24, expected a list of 25"), "\(error)")
    }

    /// Each prefix of a file is refused, and none crashes the reader.
    @Test func aFileThatIsCutOffIsRefused() throws {
        let bytes = try Samples.simulation(scores: [1, 0.5], passes: 2)
        for count in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: RunFileError.self) { try RunFile(json: Array(bytes.prefix(count)), file: "cut") }
        }
    }

    @Test func pathsThatAreNoFilesAreRefused() throws {
        for path in ["/nowhere/run.json", "/tmp", "/dev/null"] {
            let error = try #require(throws: RunFileError.self) { try RunFile(path) }
            #expect(error.description.hasPrefix("\(path): "), "\(error)")
        }
    }

    @Test func aFileThatIsTooLargeIsRefused() throws {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "denoised-report-\(UInt64.random(in: 0 ... .max)).json").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try #require(FileManager.default.createFile(atPath: path, contents: nil))
        let handle = try #require(FileHandle(forWritingAtPath: path))
        try handle.truncate(atOffset: UInt64(RunFile.mostBytes) + 1)
        try handle.close()
        let error = try #require(throws: RunFileError.self) { try RunFile(path) }
        #expect(error.description == "\(path): found more than 64 MiB, expected less")
    }
}

@Suite struct RunLabelsTests {
    @Test(arguments: [
        (["a/f32.json", "int8.json"], ["f32", "int8"]),
        (["run.json", "run.mcap"], ["run.json", "run.mcap"]),
        (["a/run.json", "b/run.json", "c.json"], ["a/run.json", "b/run.json", "c"]),
        (["x/a/run.json", "y/a/run.json"], ["x/a/run.json", "y/a/run.json"]),
        ([".json", "a.b.json"], [".json", "a.b"]),
        (["a\u{1b}[31m.json"], ["a?[31m"]),
    ])
    func labelsTellFilesApart(files: [String], expected: [String]) {
        #expect(RunLabels.labels(of: files) == expected)
    }
}

@Suite struct LatencyHistogramTests {
    @Test func everyTimeIsInItsBucket() {
        let times = [0.0, 1e-9, 0.001, 0.0015, 1, 5.25, 5.3, 1e4, 1e300]
        let histogram = LatencyHistogram(milliseconds: times)
        #expect(histogram.total == times.count)
        for time in times[2..<8] {
            #expect(histogram.bins.contains { $0.range.contains(time) && $0.count > 0 }, "\(time)")
        }
        #expect(histogram.bins.count == histogram.counts.count)
        #expect(LatencyHistogram(milliseconds: []).bins.isEmpty)
    }

    @Test func bucketsThatThereAreNotAreRefused() {
        #expect(LatencyHistogram(firstBucket: 640, counts: [1]) != nil)
        #expect(LatencyHistogram(firstBucket: 640, counts: [1, 1]) == nil)
        #expect(LatencyHistogram(firstBucket: -161, counts: [1]) == nil)
        #expect(LatencyHistogram(firstBucket: .max, counts: []) == nil)
    }

    @Test func theMedianChunkIsOneOfThem() throws {
        #expect(ExampleChunk.places(of: []) == nil)
        let one = try #require(ExampleChunk.places(of: [7]))
        #expect(one == (0, 0))
        let places = try #require(ExampleChunk.places(of: [30, 10, 40, 20]))
        #expect(places == (3, 2))
    }
}
