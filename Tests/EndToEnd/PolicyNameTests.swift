import Foundation
import Testing
import Wire

extension EndToEndOfCommands {
    /// What `--policy` takes besides a folder: names in Hugging Face's cache, and training runs.
    @Suite struct PolicyNameTests {
        /// A cache with one policy, `org/tiny`, and a training run of it.
        private final class Workplace {
            static let commit = "0123456789abcdef0123456789abcdef01234567"
            let folder: TemporaryFolder
            var cache: String { folder.path("hub") }
            var run: String { folder.path("reach") }

            init() throws {
                folder = try TemporaryFolder()
                let repository = folder.file("hub/models--org--tiny")
                try copyPolicy(to: repository.appending(path: "snapshots/\(Self.commit)"))
                let refs = repository.appending(path: "refs")
                try FileManager.default.createDirectory(at: refs, withIntermediateDirectories: true)
                try Data(Self.commit.utf8).write(to: refs.appending(path: "main"))
                try copyPolicy(to: folder.file("reach/checkpoints/000100/pretrained_model"))
                try FileManager.default.createSymbolicLink(
                    atPath: folder.path("reach/checkpoints/last"),
                    withDestinationPath: "000100"
                )
            }

            private func copyPolicy(to url: URL) throws {
                try FileManager.default.createDirectory(
                    at: url.deletingLastPathComponent(),
                    withIntermediateDirectories: true
                )
                try FileManager.default.copyItem(
                    atPath: SourceTree.tinyPolicy("processors"),
                    toPath: url.path
                )
            }

            func end(_ arguments: String...) async throws -> RunningProgram.Ended {
                try await RunningProgram(arguments, environment: ["HF_HUB_CACHE": cache]).end()
            }
        }

        private func metrics(of daemon: RunningDaemon) async throws -> String {
            let mark = "metrics and health at http://127.0.0.1:"
            var port: UInt16?
            try await daemon.program.wait(for: "the HTTP address") {
                let line = daemon.program.error.split(separator: "\n").first { $0.contains(mark) }
                port = line?.components(separatedBy: mark).last.flatMap { UInt16($0) }
                return port != nil
            }
            let server = try connection(port: try #require(port))
            try server.write(contentsOf: Data("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            return String(decoding: try server.readToEnd() ?? Data(), as: UTF8.self)
        }

        @Test func `a name in the cache is a policy`() async throws {
            let workplace = try Workplace()
            let ended = try await workplace.end("inspect", "org/tiny", "--json")
            let report = try ended.json()
            #expect(report["name"] as? String == "org/tiny")
            #expect((report["folder"] as? String)?.contains("snapshots/\(Workplace.commit)") == true)
            let text = try await workplace.end("inspect", "org/tiny@\(Workplace.commit)").output
            #expect(
                text.hasPrefix("org/tiny\n  from revision \(Workplace.commit) in Hugging Face's cache, /")
            )
            let benchmark = try await workplace.end(
                "bench",
                "chunk",
                "--policy",
                "org/tiny",
                "--json",
                "--runs",
                "1"
            )
            #expect(try benchmark.json()["policy"] as? String == "org/tiny")
            #expect(benchmark.error.contains("policy org/tiny: revision main in Hugging Face's cache, /"))
        }

        @Test func `a daemon says which policy it took, and calls it by its name`() async throws {
            let workplace = try Workplace()
            for (policy, name, what) in [
                ("org/tiny", "org/tiny", "revision main in Hugging Face's cache, /"),
                (workplace.run, "reach", "the training run's checkpoint /"),
                (workplace.run + "/checkpoints/last/pretrained_model", "reach", "the folder /"),
                (
                    workplace.cache + "/models--org--tiny/snapshots/\(Workplace.commit)", "org/tiny",
                    "the folder /"
                ),
            ] {
                let daemon = try await RunningDaemon(
                    policy: policy,
                    options: ["--http", "0"],
                    environment: ["HF_HUB_CACHE": workplace.cache]
                )
                #expect(try daemon.client().info().policy.name == name)
                #expect(try await metrics(of: daemon).contains("policy=\"\(name)\""))
                let ended = try await daemon.stop()
                #expect(ended.error.contains("policy \(name): \(what)"), "\(ended)")
                #expect(ended.output.hasPrefix("denoised serves \(name)\n"), "\(ended)")
            }
        }

        @Test func `a name that is not in the cache is bad input that says how to get it`() async throws {
            let workplace = try Workplace()
            for arguments in [["inspect", "org/other"], ["serve", "--policy", "org/other"]] {
                let ended = try await RunningProgram(
                    arguments,
                    environment: ["HF_HUB_CACHE": workplace.cache]
                ).end()
                #expect(ended.exitCode == 2, "\(ended)")
                #expect(
                    ended.error.contains(
                        "denoised: org/other: no such folder, and Hugging Face's cache has no "
                            + workplace.cache + "/models--org--other"
                    ),
                    "\(ended)"
                )
                #expect(ended.error.contains("`hf download org/other`"), "\(ended)")
            }
            let revision = try await workplace.end("inspect", "org/tiny@v9")
            #expect(revision.exitCode == 2)
            #expect(revision.error.hasPrefix("denoised: org/tiny@v9: no revision \"v9\" in"), "\(revision)")
        }
    }
}
