import Foundation
import Glibc
import MCAP
import Testing

/// Whether a recording ends with its summary.
func isComplete(_ recording: String) throws -> Bool {
    let reader = try MCAPReader(recording)
    while try reader.next() != nil {}
    return reader.end == .complete
}

extension EndToEnd {
    /// Signals at every moment of `serve`.
    @Suite struct SignalTests {
        @Test func aHangUpEndsTheDaemonInOrder() async throws {
            let folder = try TemporaryFolder()
            let recording = folder.path("run.mcap")
            let daemon = try LocalDaemon(["--record", recording])
            _ = try await daemon.client().chunk(for: observation(0))
            daemon.program.send(SIGHUP)
            let ended = try await daemon.program.end(seconds: 20)
            #expect(ended.exitCode == 0, "\(ended)")
            #expect(ended.error.contains("SIGHUP: ending"), "\(ended)")
            #expect(ended.output.contains("latency, ms"), "\(ended)")
            #expect(try isComplete(recording))
        }

        @Test func aHangUpThatWasIgnoredStaysIgnored() async throws {
            let daemon = try LocalDaemon(wrapper: ["/usr/bin/nohup", program.path(percentEncoded: false)])
            let client = try await daemon.client()
            daemon.program.send(SIGHUP)
            for sequence in 0..<3 as Range<UInt64> { _ = try client.chunk(for: observation(sequence)) }
            #expect(!daemon.program.error.contains("SIGHUP"))
            daemon.program.send(SIGTERM)
            #expect(try await daemon.program.end(seconds: 20).exitCode == 0)
        }

        /// Nothing has been calibrated in the new folder, and a calibration of so many steps takes a while.
        @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
        func aSignalWhileCalibratingEndsTheProgramPromptly(signal: Int32) async throws {
            let folder = try TemporaryFolder()
            let policy = try PolicyCopy(of: "processors")
            try policy.edit("config.json") { $0["num_train_timesteps"] = 10_000 }
            let (recording, state) = (folder.path("run.mcap"), folder.path("state.json"))
            let daemon = try LocalDaemon(
                policy: policy.path,
                ["--steps", "10000", "--record", recording, "--state", state],
                environment: ["XDG_CACHE_HOME": folder.path("cache")]
            )
            let info = try await daemon.client().info(timeout: .seconds(10))
            #expect(info.calibrationPercent < 100 && info.sampler.method == .sequential)
            let start = ContinuousClock.now
            daemon.program.send(signal)
            let ended = try await daemon.program.end(seconds: 20)
            #expect(ContinuousClock.now - start < .seconds(5), "\(ended)")
            #expect(ended.exitCode == 0, "\(ended)")
            #expect(!ended.error.contains("calibrated in"), "\(ended)")
            #expect(
                !FileManager.default.fileExists(atPath: folder.path("cache")),
                "an unfinished calibration"
            )
            #expect(try isComplete(recording))
            // The lock is free.
            let next = try LocalDaemon(["--state", state])
            _ = try await next.client()
        }

        @Test func aBlockedOutputKeepsNoSignalFromBeingHeeded() async throws {
            let output = try ProgramPipe(isFull: true)
            let folder = try TemporaryFolder()
            let recording = folder.path("run.mcap")
            let daemon = try LocalDaemon(["--record", recording], output: output.writing)
            _ = try await daemon.client().chunk(for: observation(0))
            daemon.program.send(SIGTERM)
            try await daemon.program.wait(for: "the end of the sockets", seconds: 20) {
                !daemon.threads.contains("sockets") && !daemon.threads.contains("recorder")
            }
            #expect(try isComplete(recording))
            #expect(daemon.program.isRunning, "nobody has read the results")
            daemon.program.send(SIGINT)
            let ended = try await daemon.program.end(seconds: 20)
            #expect(ended.exitCode == 1, "\(ended)")
            #expect(ended.error.contains("SIGINT: ending without waiting"), "\(ended)")
        }
    }
}
