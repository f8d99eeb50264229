import Foundation
import Testing

extension EndToEnd {
    /// `ulimit -v`: with too little address space a command says so; it neither hangs nor crashes.
    @Suite struct AddressSpaceTests {
        private static let policy = SourceTree.tinyPolicy("processors")

        private func limited(_ kilobytes: Int) -> [String] {
            [
                "/bin/bash", "-c", "ulimit -v \(kilobytes); exec \"$0\" \"$@\"",
                program.path(percentEncoded: false),
            ]
        }

        @Test(arguments: Array(stride(from: 300_000, through: 1_800_000, by: 150_000)))
        func aDaemonServesOrSaysWhyNot(kilobytes: Int) async throws {
            let daemon = try LocalDaemon(["--threads", "2"], wrapper: limited(kilobytes))
            try await daemon.program.wait(for: "the daemon or its end", seconds: 30) {
                !daemon.program.isRunning || daemon.program.output.contains("requests")
            }
            if daemon.program.isRunning {
                _ = try await daemon.client().chunk(for: observation(0))
                daemon.program.send(SIGTERM)
                #expect(try await daemon.program.end(seconds: 20).exitCode == 0)
            } else {
                try check(await daemon.program.end(), kilobytes: kilobytes)
            }
        }

        /// Every command that runs a policy.
        @Test(
            arguments: [
                ["sim"], ["predict", "--input", "x", "--output", "y"], ["bench", "chunk"],
                ["bench", "budget"],
                ["bench", "paper"], ["bench", "realtime"], ["bench", "robots"],
            ],
            [250_000, 450_000]
        )
        func everyCommandSaysWhyNot(command: [String], kilobytes: Int) async throws {
            let limited = limited(kilobytes)
            let ended = try await RunningProgram(
                Array(limited.dropFirst()) + command + ["--policy", Self.policy],
                executable: URL(filePath: limited[0])
            ).end(seconds: 30)
            try check(ended, kilobytes: kilobytes)
        }

        private func check(_ ended: RunningProgram.Ended, kilobytes: Int) throws {
            #expect(ended.exitCode == 1, "\(ended)")
            let match = ended.error.wholeMatch(
                of:
                    /denoised: (?:the policy|any policy|a daemon) needs about (\d+) MiB of address space, the limit is (\d+) MiB \(ulimit -v\)\n/
            )
            let output = try #require(match, "\(ended)").output
            #expect(Int(output.2) == kilobytes / 1024)
            #expect(try #require(Int(output.1)) > kilobytes / 1024)
        }
    }
}
