import Foundation
import FoundationXML
import Testing

extension EndToEndToSee {
    /// `explain`: a page of how a chunk is sampled.
    @Suite struct ExplainTests {
        private func page(_ policy: String, _ options: [String] = []) async throws -> String {
            let folder = try TemporaryFolder()
            let path = folder.path("page.html")
            let ended = try await succeed(["explain", "--policy", policy, "--output", path] + options)
            #expect(ended.output.hasPrefix(path + ": "), "\(ended)")
            let page = try String(contentsOfFile: path, encoding: .utf8)
            #expect(XMLParser(data: Data(page.utf8)).parse())
            #expect(page.utf8.count < 2_000_000)
            // Nothing is fetched.
            #expect(!page.contains("http://") && !page.contains("https://") && !page.contains("url("))
            return page
        }

        /// What the script reads, a panel for each way of sampling.
        private func panels(of page: String) throws -> [[String: Any]] {
            try page.matches(of: /data-plans="([^"]*)"/).map { match in
                let json = match.output.1.replacing("&quot;", with: "\"")
                let object = try JSONSerialization.jsonObject(with: Data(json.utf8))
                return try #require(object as? [String: Any])
            }
        }

        @Test func eachWayOfSamplingComesToItsPlan() async throws {
            let policy = try pushTPolicy()
            let page = try await page(policy.path, ["--seed", "7", "--window", "4"])
            #expect(page.contains("PushT, seed 7, control step 0"))
            let panels = try panels(of: page)
            #expect(panels.count == 3)
            for (index, panel) in panels.enumerated() {
                let passes = try #require(panel["passes"] as? [[Double]])
                let lines = try #require(panel["lines"] as? [[String]])
                #expect(panel["every"] as? Int == 1)
                #expect(passes.count == lines.count && !passes.isEmpty)
                // First step, step after the last, evaluations, time, deviation.
                #expect(passes.allSatisfy { $0.count == 5 && $0[0] < $0[1] && $0[2] >= 1 })
                #expect(passes.map { $0[3] } == passes.map { $0[3] }.sorted())
                #expect(lines.allSatisfy { $0.count == 1 && $0[0].split(separator: " ").count == 8 })
                let last = try #require(passes.last)
                #expect(index == 0 ? last[4] == 0 : last[4] < 0.1, "\(last)")
            }
        }

        /// A later chunk is of the observation that the policy's own actions led to.
        @Test func aLaterChunkIsExplained() async throws {
            let policy = try pushTPolicy()
            let page = try await page(policy.path, ["--at", "9"])
            let step = try #require(page.firstMatch(of: /control step ([0-9]+)/)?.output.1)
            #expect(try #require(Int(step)) >= 9)
        }

        /// Of a robot that is not PushT's, each dimension of the actions is a line.
        @Test func anotherRobotHasALineForEachDimension() async throws {
            let page = try await page(SourceTree.tinyPolicy("processors"))
            #expect(page.contains("the middle of the observations"))
            let lines = try panels(of: page).compactMap { $0["lines"] as? [[String]] }
            #expect(lines.count == 3)
            #expect(lines.joined().allSatisfy { $0.count == 2 })
        }

        @Test func markupInTheNameIsText() async throws {
            let folder = try TemporaryFolder()
            let path = folder.path("<script>alert(1)<&\"")
            try FileManager.default.copyItem(atPath: SourceTree.tinyPolicy("processors"), toPath: path)
            let page = try await page(path)
            #expect(page.contains("&lt;script&gt;alert(1)&lt;&amp;&quot;"))
            #expect(page.components(separatedBy: "<script").count == 2)
        }

        @Test(arguments: [
            (["--at", "300"], "--at is 300, expected 0...299"),
            (["--window", "0"], "--window is 0, expected 1...1000 or auto"),
            (["--at", "5"], "--at is for a policy that plays PushT"),
            (["--steps", "100000"], "steps"),
        ])
        func badOptionsAreRefused(options: [String], message: String) async throws {
            let folder = try TemporaryFolder()
            let path = folder.path("page.html")
            let ended = try await RunningProgram(
                ["explain", "--policy", SourceTree.tinyPolicy("processors"), "--output", path] + options
            ).end()
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(ended.error.contains(message), "\(ended)")
            #expect(!FileManager.default.fileExists(atPath: path))
        }

        @Test func aFolderThatIsNotThereIsToldBeforehand() async throws {
            let ended = try await RunningProgram(
                ["explain", "--policy", "/nowhere/policy", "--output", "/nowhere/page.html"]
            ).end()
            #expect(ended.exitCode == 1)
            #expect(ended.error.contains("/nowhere/page.html: cannot be written"), "\(ended)")
        }
    }
}
