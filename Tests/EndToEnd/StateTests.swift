import Foundation
import Robotics
import Testing
import Transport

extension EndToEnd {
    /// `serve --state`: what a person stopped stays stopped, whatever becomes of the daemon.
    @Suite struct StateTests {
        private let folder: TemporaryFolder
        private var file: String { folder.path("state.json") }

        init() throws { folder = try TemporaryFolder() }

        private func daemon() async throws -> RunningDaemon {
            try await RunningDaemon(
                policy: SourceTree.tinyPolicy("processors"),
                options: ["--state", file, "--log-level", "info"]
            )
        }

        private func kill(_ daemon: RunningDaemon) async throws {
            daemon.program.send(SIGKILL)
            _ = try await daemon.program.end()
        }

        private func refusal(_ daemon: RunningDaemon, _ robot: String) throws -> String? {
            do {
                var seen = try observation(0)
                seen.robot = try #require(RobotID(robot))
                _ = try daemon.client(robot).predict(seen)
                return nil
            } catch RobotClientError.refused(let error) {
                return error.code
            }
        }

        @Test func aStopAndItsEndOutliveAKill() async throws {
            var daemon = try await daemon()
            #expect(try refusal(daemon, "arm1") == nil)
            let stopped = try await succeed(["stop", "arm1", "--connect", daemon.endpoints.requests])
            #expect(stopped.output == "1 robot stopped\n")
            #expect(stopped.error == "")
            try await kill(daemon)

            daemon = try await self.daemon()
            #expect(try refusal(daemon, "arm1") == "stopped")
            #expect(try refusal(daemon, "arm2") == nil)
            _ = try await succeed(["stop", "--connect", daemon.endpoints.requests])
            _ = try await succeed(["resume", "arm1", "--connect", daemon.endpoints.requests])
            try await kill(daemon)

            daemon = try await self.daemon()
            #expect(try refusal(daemon, "arm1") == nil)
            #expect(try refusal(daemon, "arm3") == "stopped")
            _ = try await succeed(["resume", "--all", "--connect", daemon.endpoints.requests])
            try await kill(daemon)

            daemon = try await self.daemon()
            #expect(try refusal(daemon, "arm3") == nil)
            // That the end of the daemon stops every robot is nobody's stop.
            _ = try await daemon.stop()
            daemon = try await self.daemon()
            #expect(try refusal(daemon, "arm1") == nil)
            _ = try await daemon.stop()
        }

        @Test func aDamagedFileStopsEveryRobot() async throws {
            try Data("{".utf8).write(to: folder.file("state.json"))
            let daemon = try await daemon()
            #expect(try refusal(daemon, "arm1") == "stopped")
            #expect(daemon.program.error.contains("is damaged, so every robot is stopped"))
            _ = try await daemon.stop()
        }

        @Test func aStopThatIsNotKeptIsAFailedRun() async throws {
            let daemon = try await daemon()
            try FileManager.default.createDirectory(atPath: file + ".new", withIntermediateDirectories: false)
            let ended = try await RunningProgram(["stop", "arm1", "--connect", daemon.endpoints.requests])
                .end()
            #expect(ended.exitCode == 1)
            #expect(ended.output == "1 robot stopped\n")
            #expect(
                ended.error.contains("the stop holds, but a restart of the daemon forgets it"),
                "\(ended)"
            )
            #expect(try refusal(daemon, "arm1") == "stopped")
            // Whoever ends the daemon is told as well.
            daemon.program.send(SIGTERM)
            let end = try await daemon.program.end()
            #expect(end.exitCode == 1)
            #expect(
                end.error.contains(
                    "denoised: --state: the next daemon may not know which robots are stopped: \(file).new: cannot be"
                ),
                "\(end)"
            )
        }

        @Test func oneFileIsOneDaemons() async throws {
            let daemon = try await daemon()
            let second = try await RunningProgram(
                [
                    "serve", "--policy", SourceTree.tinyPolicy("processors"), "--state", file,
                    "--observations",
                    "tcp://127.0.0.1:*", "--chunks", "tcp://127.0.0.1:*", "--requests", "tcp://127.0.0.1:*",
                ]
            ).end()
            #expect(second.exitCode == 1)
            #expect(second.error.contains("another daemon keeps its state there"), "\(second)")
            _ = try await daemon.stop()
        }

        @Test func aFolderThatIsNotThereIsBadInput() async throws {
            let ended = try await RunningProgram(
                ["serve", "--policy", SourceTree.tinyPolicy("processors"), "--state", "/nowhere/state.json"]
            ).end()
            #expect(ended.exitCode == 2)
            #expect(ended.error.contains("--state: /nowhere/state.json.lock: cannot be opened"), "\(ended)")
        }
    }
}
