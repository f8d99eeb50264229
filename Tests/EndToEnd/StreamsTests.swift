import Foundation
import Glibc
import MCAP
import Testing

extension EndToEnd {
    /// Standard streams that nobody reads, that cannot be written, or that are closed.
    @Suite struct StreamsTests {
        /// `serve 2>&1 | tee log`, and tee ends.
        @Test func readersThatGoAwayDoNotEndTheDaemon() async throws {
            let (output, error) = (try ProgramPipe(), try ProgramPipe())
            let daemon = try LocalDaemon(output: output.writing, error: error.writing)
            let client = try await daemon.client()
            _ = try client.chunk(for: observation(0))
            output.closeReader()
            error.closeReader()
            try daemon.provokeALine()
            try await daemon.program.wait(for: "the lost line") {
                try client.info().statistics.lostLogLines > 0
            }
            #expect(try client.chunk(for: observation(1)).sequence == 1)
            daemon.program.send(SIGTERM)
            let ended = try await daemon.program.end(seconds: 20)
            #expect(
                ended.exitCode == 1,
                "an orderly end, but nobody could be told what the daemon did: \(ended)"
            )
        }

        /// Ctrl-S in the daemon's terminal, or a pipe that is not drained.
        @Test func aLogThatNobodyReadsStopsNothing() async throws {
            let error = try ProgramPipe(isFull: true)
            let daemon = try LocalDaemon(error: error.writing)
            let client = try await daemon.client()
            try daemon.provokeALine()
            _ = try client.chunk(for: observation(0))
            guard case .stop(let stop) = try daemon.send(.stop(robot: client.robot)), stop.robots == 1 else {
                Issue.record("a stop was not answered")
                return
            }
            // What waited is there when somebody reads again.
            try await daemon.program.wait(for: "the log") { error.read().contains("observations ipc://") }
            #expect(try client.info().statistics.lostLogLines == 0)
            daemon.program.send(SIGTERM)
            #expect(try await daemon.program.end(seconds: 20).exitCode == 0)
        }

        @Test func aLogThatIsNotReadDelaysTheEndByAMoment() async throws {
            let error = try ProgramPipe(isFull: true)
            let daemon = try LocalDaemon(error: error.writing)
            _ = try await daemon.client()
            let start = ContinuousClock.now
            daemon.program.send(SIGTERM)
            #expect(try await daemon.program.end(seconds: 20).exitCode == 0)
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(
                daemon.program.output.contains("latency, ms") || daemon.program.output.contains("0 chunks")
            )
        }

        /// `ulimit -f`: writing beyond it is an error and a signal that kills whoever does not expect it.
        @Test func aLogAtTheSizeLimitIsLostAndCounted() async throws {
            let daemon = try LocalDaemon()
            let client = try await daemon.client()
            try await daemon.program.wait(for: "the first line") { !daemon.program.error.isEmpty }
            func limitFiles(_ bytes: String) async throws {
                let limit = ["--pid", "\(daemon.program.processIdentifier)", "--fsize=\(bytes):unlimited"]
                _ = try await RunningProgram(limit, executable: URL(filePath: "/usr/bin/prlimit")).end()
            }
            try await limitFiles("1")
            try daemon.provokeALine()
            try await daemon.program.wait(for: "the lost line") {
                try client.info().statistics.lostLogLines > 0
            }
            #expect(daemon.program.isRunning)
            try await limitFiles("unlimited")
            try await daemon.program.wait(for: "the notice") {
                try daemon.provokeALine()
                return daemon.program.error.contains(
                    "log line lost: the log was not read, or could not be written"
                )
            }
            daemon.program.send(SIGTERM)
            let ended = try await daemon.program.end(seconds: 20)
            #expect(ended.exitCode == 0, "\(ended)")
            #expect(ended.output.contains("1 log lines lost"), "\(ended)")
        }

        @Test(arguments: ["<&- >&- 2>&-", ">&- 2>&-", "2>&-"])
        func closedStreamsAreTheNullDevice(closing: String) async throws {
            let daemon = try LocalDaemon(wrapper: [
                "/bin/bash", "-c", "exec \"$0\" \"$@\" \(closing)", program.path,
            ])
            let client = try await daemon.client()
            try daemon.provokeALine()
            _ = try client.chunk(for: observation(0))
            for descriptor in closing.contains("<") ? 0...2 : 2...2 {
                let path = "/proc/\(daemon.program.processIdentifier)/fd/\(descriptor)"
                let target = try FileManager.default.destinationOfSymbolicLink(atPath: path)
                #expect(target == "/dev/null", "\(descriptor)")
            }
            daemon.program.send(SIGTERM)
            #expect(try await daemon.program.end(seconds: 20).exitCode == 0)
        }

        @Test(
            arguments: [
                ["inspect", SourceTree.tinyPolicy("processors"), "--json"],
                ["sim", "--print-reset", "1", "--json"],
                ["sim", "--print-reset", "1"], ["--help"], ["serve", "--help"], ["--version"],
            ]
        )
        func aResultThatCannotBeWrittenIsOne(arguments: [String]) async throws {
            let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
            let closed = try ProgramPipe()
            closed.closeReader()
            for (output, reason) in [
                (full, "No space left on device"), (closed.writing, "Broken pipe"),
            ] {
                let ended = try await RunningProgram(arguments, output: output).end()
                #expect(ended.exitCode == 1, "\(ended)")
                #expect(
                    ended.error == "denoised: standard output cannot be written (\(reason))\n",
                    "\(ended)"
                )
            }
        }

        /// The statistics at the end are the daemon's result; the lines at its start are not.
        @Test func aDaemonWhoseResultCannotBeWrittenEndsInOrderWithOne() async throws {
            let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
            let folder = try TemporaryFolder()
            let recording = folder.path("run.mcap")
            let daemon = try LocalDaemon(["--record", recording], output: full)
            _ = try await daemon.client().chunk(for: observation(0))
            daemon.program.send(SIGTERM)
            let ended = try await daemon.program.end(seconds: 20)
            #expect(ended.exitCode == 1, "\(ended)")
            #expect(ended.error.contains("standard output cannot be written (No space left on device)"))
            #expect(try isComplete(recording))
        }

        /// Standard error is a device that is full: no daemon ends for that, and no other command crashes.
        @Test func errorsThatCannotBeWrittenKeepTheirExitCode() async throws {
            let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
            let ended = try await RunningProgram(["sim", "--print-reset", "x"], error: full).end()
            #expect(ended.exitCode == 2)
        }
    }
}
