import Foundation
import Robotics
import Testing
import Transport
import Wire

extension EndToEnd {
    /// A policy that is calibrated beforehand, or while robots are served.
    @Suite struct CalibrationTests {
        private static let policy = SourceTree.tinyPolicy("processors")

        @Test func whatIsMeasuredBeforehandIsKept() async throws {
            let folder = try TemporaryFolder()
            let caches = ["XDG_CACHE_HOME": folder.path("caches")]
            func run(_ arguments: [String]) async throws -> RunningProgram.Ended {
                let ended = try await RunningProgram(arguments, environment: caches).end()
                try #require(ended.exitCode == 0, "\(ended)")
                return ended
            }
            let calibrate = ["calibrate", "--policy", Self.policy, "--threads", "1"]
            let first = try await run(calibrate + ["--json"]).json()
            #expect(first["measured"] as? Bool == true)
            #expect(first["kept"] as? Bool == true)
            #expect(try #require(first["seconds"] as? Double) > 0)
            #expect(first["threads"] as? Int == 1)
            let windows = try #require(first["windows"] as? [[String: Any]])
            let fastest = try #require(first["fastest_window"] as? Int)
            #expect(windows.contains { $0["window"] as? Int == fastest })
            #expect(
                windows.allSatisfy {
                    ($0["ms"] as? Double ?? 0) > 0 && ($0["iterations"] as? Double ?? 0) >= 1
                }
            )

            let second = try await run(calibrate + ["--json"]).json()
            #expect(second["measured"] as? Bool == false)
            #expect(second["fastest_window"] as? Int == fastest)
            #expect(try await run(calibrate + ["--json", "--again"]).json()["measured"] as? Bool == true)
            let text = try await run(calibrate).output
            #expect(text.contains("measured earlier") && text.contains("fastest: window"), "\(text)")

            // A daemon finds it, and samples by it from its first chunk on.
            let daemon = try LocalDaemon(["--threads", "1"], environment: caches)
            let client = try await daemon.client()
            let info = try client.info(timeout: .seconds(10))
            #expect(info.calibrationPercent == 100)
            #expect(info.sampler.method == .quasiNewton)
            #expect(try client.chunk(for: observation(0)).sampling.method == .quasiNewton)
        }

        /// Nobody would find it: the user is told, by the exit status too.
        @Test func whatCannotBeKeptIsNoSuccess() async throws {
            let folder = try TemporaryFolder()
            try Data().write(to: folder.file("taken"))
            let ended = try await RunningProgram(
                ["calibrate", "--policy", Self.policy, "--threads", "1", "--json"],
                environment: ["XDG_CACHE_HOME": folder.path("taken")]
            ).end()
            #expect(ended.exitCode == 1)
            #expect(try ended.json()["kept"] as? Bool == false)
            for part in ["cannot be kept in \(folder.path("taken"))/denoised", "the calibration is not kept"]
            {
                #expect(ended.error.contains(part), "\(ended)")
            }
        }

        /// Chunks are sequential until the calibration is done, then parallel; a recording over both replays.
        @Test func robotsAreServedWhileThePolicyIsCalibrated() async throws {
            let folder = try TemporaryFolder()
            let (caches, recording) = (["XDG_CACHE_HOME": folder.path("caches")], folder.path("run.mcap"))
            // Steps enough for a calibration of some seconds.
            let policy = try PolicyCopy(of: "processors")
            try policy.edit("config.json") { $0["num_train_timesteps"] = 3_000 }
            let daemon = try LocalDaemon(
                policy: policy.path,
                ["--record", recording, "--threads", "1", "--steps", "3000"],
                environment: caches
            )
            let client = try daemon.clientAtOnce()
            var methods: [SamplingMethod] = []
            let end = ContinuousClock.now + .seconds(60)
            for sequence in 0... where methods.last != .quasiNewton {
                try #require(ContinuousClock.now < end, "\(methods.count) chunks and no calibration")
                let chunk = try client.chunk(for: observation(UInt64(sequence)))
                methods.append(chunk.sampling.method)
                if chunk.sampling.method == .sequential { #expect(chunk.sampling.window == 1) }
                if methods.last == .quasiNewton { break }
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(methods.first == .sequential)
            #expect(try client.info(timeout: .seconds(10)).sampler.method == .quasiNewton)
            try await daemon.program.wait(for: "the log") {
                daemon.program.error.contains("chunks are sampled by quasi-newton, window")
            }
            daemon.program.send(SIGTERM)
            let ended = try await daemon.program.end()
            #expect(ended.exitCode == 0, "\(ended)")
            #expect(ended.error.contains("calibrating between chunks"), "\(ended)")

            let replayed = try await RunningProgram(
                ["replay", recording, "--policy", policy.path, "--json"],
                environment: caches
            ).end()
            #expect(replayed.exitCode == 0, "\(replayed)")
            let replay = try #require(try replayed.json()["replay"] as? [String: Any])
            #expect(replay["identical"] as? Int == methods.count, "\(replayed)")
            #expect(replay["compared"] as? Int == methods.count)
        }

        @Test(
            arguments: [
                (
                    ["calibrate", "--policy", "p", "--window", "4"],
                    "--window changes nothing that is measured"
                ),
                (["calibrate", "--policy", "p", "--seed", "4"], "--seed changes nothing that is measured"),
                (
                    ["calibrate", "--policy", "p", "--budget-ms", "9"],
                    "--budget-ms changes nothing that is measured"
                ),
                (
                    ["sim", "--policy", "p", "--window", "1", "--warm-start"],
                    "--warm-start is for sampling in parallel"
                ),
                (
                    ["sim", "--policy", "p", "--window", "1", "--warm-start", "guess"],
                    "--warm-start is for sampling in parallel"
                ),
                (
                    ["sim", "--policy", "p", "--warm-start", "--warm-part", "0.5"],
                    "--warm-part is for --warm-start partial"
                ),
                (
                    ["sim", "--policy", "p", "--warm-start", "partial", "--warm-part", "0"],
                    "--warm-part is 0.0, expected more than 0 and at most 1"
                ),
                (
                    ["sim", "--policy", "p", "--warm-start=half"],
                    "--warm-start is half, expected guess or partial"
                ),
                (["sim", "--policy", "p", "--warm-start", "half"], "Unexpected argument 'half'"),
            ] as [([String], String)]
        )
        func whatMeansNothingIsRefused(arguments: [String], message: String) async throws {
            let ended = try await RunningProgram(arguments).end()
            #expect(ended.exitCode == 2)
            #expect(ended.error.contains(message), "\(ended)")
        }
    }
}
