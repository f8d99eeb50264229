import Robotics
import Testing
import Transport

extension EndToEnd {
    /// `denoised stop` and `denoised resume`.
    @Suite struct StopTests {
        @Test func aStoppedRobotIsRefusedUntilItIsResumed() async throws {
            let daemon = try await RunningDaemon(policy: SourceTree.tinyPolicy("processors"))
            let there = ["--connect", daemon.endpoints.requests]
            func refusal(of robot: String, _ sequence: UInt64) throws -> String? {
                do {
                    var seen = try observation(sequence)
                    seen.robot = try #require(RobotID(robot))
                    _ = try daemon.client(robot).predict(seen)
                    return nil
                } catch RobotClientError.refused(let error) {
                    return error.code
                }
            }
            #expect(try refusal(of: "arm1", 0) == nil)
            #expect(try await succeed(["stop", "arm1"] + there).output == "1 robot stopped\n")
            #expect(try await succeed(["stop", "arm1"] + there).output == "0 robots stopped\n")
            #expect(try refusal(of: "arm1", 1) == "stopped")
            #expect(try refusal(of: "arm2", 0) == nil)
            #expect(try await succeed(["resume", "arm1"] + there).output == "1 robot released\n")
            #expect(try refusal(of: "arm1", 2) == nil)

            // Every robot: also one that nobody has heard of yet.
            #expect(
                try await succeed(["stop"] + there).output
                    == "2 robots stopped; it is for all, and the daemon has heard of 2\n"
            )
            #expect(try refusal(of: "arm3", 0) == "stopped")
            #expect(try await succeed(["resume", "--all"] + there).output == "3 robots released\n")
            #expect(try refusal(of: "arm3", 1) == nil)
            _ = try await daemon.stop()
        }

        @Test func aStopOfANameThatWasNeverHeardOfFails() async throws {
            let daemon = try await RunningDaemon(policy: SourceTree.tinyPolicy("processors"))
            let there = ["--connect", daemon.endpoints.requests]
            _ = try daemon.client("arm1").predict(observation(0))
            let ended = try await RunningProgram(["stop", "amr1"] + there).end()
            #expect(ended.exitCode == 1 && ended.output == "1 robot stopped\n", "\(ended)")
            #expect(ended.error.contains("never heard of amr1"), "\(ended)")
            #expect(ended.error.contains("it has heard of arm1"), "\(ended)")
            // The stop is kept: the robot may come.
            #expect(try await succeed(["resume", "amr1"] + there).output == "1 robot released\n")
            _ = try await daemon.stop()
        }

        @Test(arguments: [
            (["resume"], "either a robot or --all"),
            (["resume", "arm1", "--all"], "either a robot or --all"),
            (["stop", "arm 1"], "the robot is \"arm 1\""),
        ])
        func badUsageIsRefused(arguments: [String], text: String) async throws {
            let ended = try await RunningProgram(arguments).end()
            #expect(ended.exitCode == 2)
            #expect(ended.error.contains(text), "\(ended.error)")
        }

        @Test func nobodyThereIsAFailedRun() async throws {
            let ended = try await RunningProgram(["stop", "--connect", "tcp://127.0.0.1:9"]).end()
            #expect(ended.exitCode == 1)
            #expect(ended.error.contains("denoised serve"), "\(ended.error)")
        }
    }
}
