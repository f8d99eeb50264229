import Foundation
import Glibc
import Safetensors
import Testing

extension EndToEnd {
    /// Files that a user names: what is no regular file is refused at once, whatever option names it.
    @Suite struct UserFileTests {
        private static let policy = SourceTree.tinyPolicy("processors")
        private static let serve = ["serve", "--policy", policy]

        /// What ends with FILE where the file goes.
        static let commands: [[String]] = [
            serve + ["--robot", "FILE"],
            serve + ["--gr00t", "tcp://127.0.0.1:*", "--gr00t-token-file", "FILE"],
            serve + ["--curve-clients", "/", "--curve-key", "FILE"],
            ["monitor", "--curve-server", "FILE", "--curve-key", "FILE"],
            ["predict", "--policy", policy, "--output", "/dev/null", "--input", "FILE"],
            ["sim", "--output", "/dev/null", "--replay", "FILE"],
            ["replay", "--policy", policy, "FILE"],
            ["report", "--output", "/dev/null", "FILE"],
        ]

        private func error(of command: [String], file: String) async throws -> String {
            let ended = try await RunningProgram(command.map { $0 == "FILE" ? file : $0 }).end(seconds: 20)
            #expect(ended.exitCode == 2, "\(command): \(ended)")
            // The log tells which policy was taken before.
            let errors = ended.error.split(separator: "\n").filter { !$0.contains(" info denoised: ") }
            #expect(errors.count == 1, "\(command): \(ended)")
            return errors.map { $0 + "\n" }.joined()
        }

        @Test(arguments: commands)
        func whatIsNoFileIsRefused(command: [String]) async throws {
            let folder = try TemporaryFolder()
            mkfifo(folder.path("pipe"), 0o600)
            let pipe = try await error(of: command, file: folder.path("pipe"))
            #expect(
                pipe.contains("\(folder.path("pipe")): ") || pipe.contains("\(folder.path("pipe")) "),
                "\(pipe)"
            )
            #expect(pipe.contains("a named pipe"), "\(pipe)")
            let directory = try await error(of: command, file: folder.path(""))
            #expect(directory.contains("a folder"), "\(directory)")
            let missing = try await error(of: command, file: folder.path("none"))
            #expect(missing.contains("No such file or directory"), "\(missing)")
        }

        @Test func theErrorsAreShort() async throws {
            let folder = try TemporaryFolder()
            mkfifo(folder.path("pipe"), 0o600)
            for command in Self.commands.prefix(2) {
                #expect(
                    try await error(of: command, file: folder.path("pipe"))
                        == "denoised: \(folder.path("pipe")): a named pipe, expected a regular file\n"
                )
                #expect(
                    try await error(of: command, file: folder.path("none"))
                        == "denoised: \(folder.path("none")): No such file or directory\n"
                )
            }
        }

        /// A pipe in a policy's folder, also if only its fingerprint reads it.
        @Test(arguments: ["config.json", "model.safetensors", "other.json"])
        func aPipeInAPolicyIsRefused(name: String) async throws {
            let policy = try PolicyCopy(of: "processors")
            let folder = try TemporaryFolder()
            let file = policy.file(name).path(percentEncoded: false)
            unlink(file)
            mkfifo(file, 0o600)
            let command = ["serve", "--policy", policy.path, "--record", folder.path("run.mcap")]
            let text = try await error(of: command, file: "")
            #expect(text.contains("a named pipe"), "\(text)")
        }

        /// A file to write may be a pipe, but nobody waits for its reader.
        @Test func aPipeWithoutAReaderIsNotWrittenTo() async throws {
            let folder = try TemporaryFolder()
            mkfifo(folder.path("pipe"), 0o600)
            try SafetensorsWriter.write(
                EndToEndOfCommands.FailureTests.input,
                to: folder.file("in.safetensors")
            )
            let predict = [
                "predict", "--policy", Self.policy, "--input", folder.path("in.safetensors"), "--output",
            ]
            let ended = try await RunningProgram(predict + [folder.path("pipe")]).end(seconds: 20)
            #expect(ended.exitCode == 1, "\(ended)")
            #expect(ended.error.contains("cannot be written (No such device or address)"), "\(ended)")

            // Held open, so that the program finds a reader, and what it writes fits in.
            let reader = open(folder.path("pipe"), O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            defer { close(reader) }
            _ = try await succeed(predict + [folder.path("pipe")])
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            #expect(read(reader, &buffer, buffer.count) > 100)
        }

        /// What was measured is measured again when it cannot be kept, and the user is told.
        @Test func aCacheThatCannotBeWrittenIsAWarning() async throws {
            let folder = try TemporaryFolder()
            try Data().write(to: folder.file("file"))
            let caches = ["XDG_CACHE_HOME": folder.path("file")]
            let daemon = try LocalDaemon(environment: caches)
            let client = try await daemon.client()
            try await daemon.program.wait(for: "the calibration") {
                try client.info(timeout: .seconds(10)).calibrationPercent == 100
            }
            daemon.program.send(SIGTERM)
            let ended = try await daemon.program.end()
            let warnings = ended.error.split(separator: "\n").filter { $0.contains(" warning denoised: ") }
            #expect(warnings.count == 1, "\(ended)")
            #expect(
                warnings.first?.contains("cannot be kept in \(folder.path("file/denoised"))") == true,
                "\(ended)"
            )
            #expect(warnings.first?.contains("Not a directory") == true, "\(ended)")

            try SafetensorsWriter.write(
                EndToEndOfCommands.FailureTests.input,
                to: folder.file("in.safetensors")
            )
            let predict = [
                "predict", "--policy", Self.policy, "--input", folder.path("in.safetensors"), "--output",
                "/dev/null", "--window", "auto",
            ]
            let predicted = try await RunningProgram(predict, environment: caches).end()
            #expect(predicted.exitCode == 0, "\(predicted)")
            #expect(predicted.error.components(separatedBy: "cannot be kept in").count == 2, "\(predicted)")
        }
    }
}
