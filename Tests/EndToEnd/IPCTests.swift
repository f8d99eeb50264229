import Foundation
import Testing

extension EndToEnd {
    /// `serve` at `ipc` endpoints: a path has one owner, and whoever starts again finds it free.
    @Suite struct IPCTests {
        private let folder: TemporaryFolder
        private var endpoints: [String] {
            ["observations", "chunks", "requests"].map { "ipc://\(folder.path($0))" }
        }

        init() throws { folder = try TemporaryFolder() }

        private func program(_ endpoints: [String]) throws -> RunningProgram {
            try RunningProgram([
                "serve", "--policy", SourceTree.tinyPolicy("processors"), "--observations", endpoints[0],
                "--chunks", endpoints[1], "--requests", endpoints[2],
            ])
        }

        private func serving() async throws -> RunningProgram {
            let program = try program(endpoints)
            try await program.wait(for: "the endpoints") {
                try #require(program.isRunning, "\(program.error)")
                return program.output.contains("requests")
            }
            return program
        }

        @Test func aSecondDaemonIsRefusedAndTheFirstGoesOn() async throws {
            let first = try await serving()
            let second = try await program(endpoints).end()
            #expect(second.exitCode == 1)
            #expect(
                second.error.contains(
                    "bind \(endpoints[0]): Address already in use: another process (\(first.processIdentifier)) "
                        + "listens there"
                ),
                "\(second)"
            )
            let stopped = try await RunningProgram(["stop", "arm1", "--connect", endpoints[2]]).end()
            #expect(stopped.output == "1 robot stopped\n", "the first has it: \(stopped)")
            first.send(SIGTERM)
            #expect(try await first.end().exitCode == 0)

            // Its sockets are gone, and after a kill they are stale.
            let third = try await serving()
            third.send(SIGKILL)
            _ = try await third.end()
            #expect(FileManager.default.fileExists(atPath: folder.path("requests")))
            let fourth = try await serving()
            fourth.send(SIGTERM)
            #expect(try await fourth.end().exitCode == 0)
        }

        @Test func onePathIsNotTwoSockets() async throws {
            let ended = try await program([endpoints[0], endpoints[1], endpoints[0]]).end()
            #expect(ended.exitCode == 1)
            #expect(ended.error.contains("another socket of this process listens there"), "\(ended)")
        }

        @Test func aFileAtThePathIsLeft() async throws {
            try Data("precious".utf8).write(to: folder.file("chunks"))
            let ended = try await program(endpoints).end()
            #expect(ended.exitCode == 1)
            #expect(ended.error.contains("\(folder.path("chunks")) is a regular file"), "\(ended)")
            #expect(try Data(contentsOf: folder.file("chunks")) == Data("precious".utf8))
        }
    }
}
