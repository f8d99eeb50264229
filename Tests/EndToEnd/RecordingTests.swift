import Foundation
import Glibc
import MCAP
import Robotics
import Testing

extension EndToEnd {
    /// `serve --record` and `replay`.
    @Suite struct RecordingTests {
        private static let policy = SourceTree.tinyPolicy("processors")

        /// Chunks of two episodes, some observations without; the daemon has the last chunk when this returns.
        private static func drive(_ daemon: RunningDaemon, episodes: UInt64 = 2) throws {
            let client = try daemon.client()
            for episode in 1...episodes {
                for sequence in 0..<4 as Range<UInt64> {
                    // The first seed is one that no double holds.
                    let seed: UInt64? = sequence == 0 ? 18_446_744_073_709_551_557 : nil
                    var asking = try observation(2 * sequence, episode: episode, noiseSeed: seed)
                    // One chunk is sampled to fit actions that will be carried out meanwhile.
                    if sequence == 2 { asking.committed = ActionRows([0.25, -0.5], actionDim: 2) }
                    _ = try client.chunk(for: asking)
                    var silent = try observation(2 * sequence + 1, episode: episode)
                    silent.replan = false
                    try client.publish(silent)
                }
            }
        }

        private static func replay(_ file: String, _ options: String...) async throws -> RunningProgram.Ended
        {
            try await RunningProgram(["replay", file, "--policy", policy, "--json"] + options).end()
        }

        /// Sets how large a running program's files may grow.
        private static func limitFiles(of pid: Int32, toBytes bytes: String) async throws {
            let ended = try await RunningProgram(
                ["--pid", "\(pid)", "--fsize=\(bytes):unlimited"],
                executable: URL(filePath: "/usr/bin/prlimit")
            ).end()
            try #require(ended.exitCode == 0, "\(ended)")
        }

        private static func size(of file: String) throws -> Int {
            try #require(try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int)
        }

        /// Waits until the recording holds so many chunks.
        private static func wait(for chunks: Int, in file: String, of daemon: RunningDaemon) async throws {
            try await daemon.program.wait(for: "\(chunks) chunks in the recording") {
                let reader = try MCAPReader(file)
                var found = 0
                while let message = try reader.next() { found += message.schema == "denoised.chunk" ? 1 : 0 }
                return found >= chunks
            }
        }

        @Test(arguments: [
            [], ["--window", "3", "--tolerance", "0.01"], ["--window", "auto", "--warm-start"],
            ["--window", "1", "--warm-start", "partial", "--warm-part", "0.5"],
            ["--window", "2", "--warm-start", "partial"],
        ])
        func aKilledDaemonsRecordingReplaysIdentically(options: [String]) async throws {
            let folder = try TemporaryFolder()
            let file = folder.path("killed.mcap")
            let daemon = try await RunningDaemon(
                policy: Self.policy,
                options: ["--record", file, "--seed", "5"] + options
            )
            try Self.drive(daemon)
            try await Self.wait(for: 8, in: file, of: daemon)
            daemon.program.send(SIGKILL)
            _ = try await daemon.program.end()

            let ended = try await Self.replay(file)
            #expect(ended.exitCode == 0, "\(ended)")
            let report = try ended.json()
            #expect(report["cut_off_at"] as? Int != nil)
            #expect(report["same_policy"] as? Bool == true)
            let replay = try #require(report["replay"] as? [String: Any])
            #expect(try #require(replay["identical"] as? Int) >= 8)
            #expect(replay["identical"] as? Int == replay["chunks"] as? Int, "\(ended)")
            #expect(replay["different"] as? Int == 0)
        }

        @Test func aFinishedRecordingReplaysAndDifferencesAreFound() async throws {
            let folder = try TemporaryFolder()
            let daemon = try await RunningDaemon(
                policy: Self.policy,
                options: ["--record", folder.path("run-{time}.mcap"), "--json"]
            )
            try Self.drive(daemon, episodes: 1)
            let statistics = try await daemon.stop().json()
            #expect(statistics["unrecorded_messages"] as? Int == 0)
            let name = try #require(
                try FileManager.default.contentsOfDirectory(atPath: folder.path("")).first
            )
            #expect(name.wholeMatch(of: /run-\d{8}T\d{6}\.\d{3}Z\.mcap/) != nil, "\(name)")

            let same = try await Self.replay(folder.path(name))
            #expect(same.exitCode == 0, "\(same)")
            #expect(try same.json()["cut_off_at"] == nil)
            // Another seed changes the chunks whose noise the robot left to the daemon.
            let other = try await Self.replay(folder.path(name), "--seed", "6")
            #expect(other.exitCode == 1, "\(other)")
            let replay = try #require(try other.json()["replay"] as? [String: Any])
            #expect(replay["identical"] as? Int == 1 && (replay["different"] as? Int ?? 0) >= 3)
            #expect(other.error.contains("came out differently"))
            let text = try await succeed(["replay", folder.path(name), "--policy", Self.policy])
            #expect(text.output.contains("identical"))

            if let python = ProcessInfo.processInfo.environment["DENOISED_MCAP_PYTHON"] {
                let script = SourceTree.path("Tests/Oracles/recording.py")
                let check = try await RunningProgram(
                    [script, "--check", folder.path(name)],
                    executable: URL(filePath: python)
                ).end()
                #expect(check.exitCode == 0, "\(check)")
            }
        }

        /// What Tests/Oracles/old_recording.py recorded with an older version.
        @Test func aRecordingOfFormat1Replays() async throws {
            let ended = try await Self.replay(
                SourceTree.path("Tests/MCAPTests/Resources/format1.mcap")
            )
            let report = try ended.json()
            #expect(report["same_policy"] as? Bool == true)
            let replay = try #require(report["replay"] as? [String: Any])
            #expect(replay["observations"] as? Int == 33)
            #expect(replay["chunks"] as? Int == 19 && replay["compared"] as? Int == 19, "\(ended)")
            // Another processor may change the last bits: 1e-4 of the actions' range, 512.
            #expect(try #require(replay["largest_difference"] as? Double) <= 0.05, "\(ended)")
        }

        @Test func badRecordingsAreBadInput() async throws {
            let folder = try TemporaryFolder()
            try Data("no recording".utf8).write(to: folder.file("text.mcap"))
            try MCAPWriter(creating: folder.path("empty.mcap"), library: "test").finish()
            for name in ["text.mcap", "empty.mcap", "missing.mcap"] {
                let ended = try await Self.replay(folder.path(name))
                #expect(ended.exitCode == 2, "\(name): \(ended)")
                #expect(ended.error.contains(name), "\(ended)")
            }
            // A file that is there is not overwritten.
            let before = try Data(contentsOf: folder.file("text.mcap"))
            let ended = try await RunningProgram(
                ["serve", "--policy", Self.policy, "--record", folder.path("text.mcap")]
            ).end()
            #expect(ended.exitCode == 2 && ended.error.contains("there already"), "\(ended)")
            #expect(try Data(contentsOf: folder.file("text.mcap")) == before)
        }

        /// The system lets the file grow to a size and no further, as a full disk does; then it lets it grow again.
        @Test func aFullDiskStopsNothing() async throws {
            let folder = try TemporaryFolder()
            let file = folder.path("full.mcap")
            let daemon = try await RunningDaemon(policy: Self.policy, options: ["--record", file, "--json"])
            let pid = daemon.program.processIdentifier
            let client = try daemon.client()
            var sequence: UInt64 = 0
            func step() throws {
                _ = try client.chunk(for: observation(sequence))
                sequence += 1
            }
            try step()
            try await Self.wait(for: 1, in: file, of: daemon)
            let limit = try Self.size(of: file) + 6000
            try await Self.limitFiles(of: pid, toBytes: "\(limit)")
            try await daemon.program.wait(for: "a lost message") {
                try step()
                return try client.info().statistics.unrecordedMessages > 0
            }
            #expect(try Self.size(of: file) <= limit)
            let part = try await Self.replay(file)
            #expect(part.exitCode == 0, "\(part)")
            #expect(daemon.program.error.components(separatedBy: "recording pauses").count == 2, "one line")

            try await Self.limitFiles(of: pid, toBytes: "unlimited")
            try await daemon.program.wait(for: "the recording to go on") {
                try step()
                return daemon.program.error.contains("recording goes on")
            }
            for _ in 0..<3 { try step() }
            let statistics = try await daemon.stop().json()
            #expect(try #require(statistics["unrecorded_messages"] as? Int) > 0)
            let whole = try await Self.replay(file)
            #expect(whole.exitCode == 0, "\(whole)")
            let replay = try #require(try whole.json()["replay"] as? [String: Any])
            #expect(try #require(replay["lost"] as? Int) > 0)
            #expect(try whole.json()["cut_off_at"] == nil)
        }
    }
}
