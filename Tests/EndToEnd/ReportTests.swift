import Foundation
import FoundationXML
import Testing

extension EndToEndToSee {
    /// `report`: from what the other commands write to a page.
    @Suite struct ReportTests {
        private static func page(_ arguments: [String], to file: URL) async throws -> String {
            let ended = try await succeed(
                ["report", "--output", file.path(percentEncoded: false)] + arguments
            )
            #expect(ended.error == "", "\(ended)")
            #expect(ended.output.hasPrefix(file.path(percentEncoded: false) + ": "), "\(ended)")
            let page = try String(contentsOf: file, encoding: .utf8)
            #expect(XMLParser(data: Data(page.utf8)).parse())
            #expect(page.utf8.count < 2_000_000)
            return page
        }

        /// The page of what `sim` printed has its figures, and nothing is missing.
        @Test func aRunAndItsRivalAreReported() async throws {
            let policy = try pushTPolicy()
            let folder = try TemporaryFolder()
            var reports: [[String: Any]] = []
            for (name, window) in [("exact", "1"), ("window", "4")] {
                let ended = try await succeed(
                    ["sim", "--policy", policy.path, "--window", window] + [
                        "--episodes", "3", "--seed", "42", "--json",
                    ]
                )
                try ended.output.write(to: folder.file("\(name).json"), atomically: true, encoding: .utf8)
                reports.append(try ended.json())
            }
            let page = try await Self.page(
                [folder.path("exact.json"), folder.path("window.json"), "--title", "Two <ways>"],
                to: folder.file("report.html")
            )
            for heading in [
                "Two &lt;ways&gt;", "The runs", "Score and success", "Differences by seed",
                "Latency of a chunk",
                "Stages of a chunk", "One chunk, from observation to actions",
            ] {
                #expect(page.contains(heading), "no \(heading)")
            }
            #expect(!page.contains("What the files do not tell"))
            for report in reports {
                let latency = try #require(report["chunk_latency_ms"] as? [String: Double])
                for time in latency.values {
                    #expect(page.contains(">\(String(format: "%.3f", time))<"), "no \(time)")
                }
                let score = try #require(report["mean_score"] as? Double)
                #expect(page.contains(">\(String(format: "%.3f", score))<"), "no \(score)")
            }
            #expect(
                page.contains("pass 1: step 0, 1 evaluation, ") && page.contains("pass 1: steps 0 to 3, ")
            )
        }

        @Test func aRecordingIsReported() async throws {
            let folder = try TemporaryFolder()
            let file = folder.path("run.mcap")
            let daemon = try await RunningDaemon(
                policy: SourceTree.tinyPolicy("processors"),
                options: ["--record", file]
            )
            let client = try daemon.client()
            for sequence in 0..<3 as Range<UInt64> {
                _ = try client.chunk(for: observation(sequence, episode: 1))
            }
            _ = try await daemon.stop()
            let page = try await Self.page([file], to: folder.file("report.html"))
            #expect(page.contains("A recording does not tell scores."))
            #expect(page.contains("Stages of a chunk") && page.contains("pass 1: step 0, 1 evaluation, "))
        }

        @Test func benchmarksAreReported() async throws {
            let folder = try TemporaryFolder()
            let policy = try pushTPolicy()
            let shared = ["--policy", policy.path, "--threads", "1", "--json", "--window", "4"]
            let chunk = try await succeed(["bench", "chunk", "--runs", "2", "--warm-up", "0"] + shared)
            try chunk.output.write(to: folder.file("chunk.json"), atomically: true, encoding: .utf8)
            let paper = try await succeed(["bench", "paper", "--episodes", "2"] + shared)
            try paper.output.write(to: folder.file("paper.json"), atomically: true, encoding: .utf8)
            let page = try await Self.page(
                [folder.path("chunk.json"), folder.path("paper.json")],
                to: folder.file("report.html")
            )
            #expect(page.contains("Deviation against evaluations"))
            #expect(page.contains("paper: ddim 15, quasi-newton 4"))
            #expect(page.contains("Mean difference of the score"))
        }

        @Test func aFileGivenTwiceIsReportedOnce() async throws {
            let folder = try TemporaryFolder()
            try Data(
                "{\"per_episode\": [{\"seed\": 1, \"score\": 1, \"success\": true}]}".utf8
            ).write(to: folder.file("a.json"))
            let ended = try await succeed([
                "report", folder.path("a.json"), folder.path("./a.json"), "-o", folder.path("r.html"),
            ])
            #expect(ended.error.contains("a.json is given twice; it is in the report once"), "\(ended)")
            #expect(try String(contentsOf: folder.file("r.html"), encoding: .utf8).contains("<h1>a</h1>"))
        }

        /// Before anything is read: the file to read is not there either.
        @Test(arguments: ["/nowhere/report.html", "/tmp", "-"])
        func aPageThatCannotBeWrittenIsAFailedRun(output: String) async throws {
            let ended = try await RunningProgram(["report", "/nowhere/run.json", "-o", output]).end()
            #expect(ended.exitCode == 1, "\(ended)")
            #expect(ended.error.contains("\(output): cannot be written"), "\(ended)")
        }

        @Test func aPageDoesNotReplaceAResult() async throws {
            let folder = try TemporaryFolder()
            let text = "{\"per_episode\": []}"
            try Data(text.utf8).write(to: folder.file("a.json"))
            let ended = try await RunningProgram([
                "report", folder.path("a.json"), "-o", folder.path("./a.json"),
            ]).end()
            #expect(ended.exitCode == 2 && ended.error.contains("one of the files to report on"), "\(ended)")
            #expect(try String(contentsOf: folder.file("a.json"), encoding: .utf8) == text)
        }
    }
}
