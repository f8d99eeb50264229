import Foundation
import Glibc
import Testing

extension EndToEndToSee {
    /// `serve --http` as a part of the program: its thread, and what it does without file descriptors.
    @Suite struct HTTPTests {
        private func daemon() async throws -> (RunningDaemon, port: UInt16) {
            let daemon = try await RunningDaemon(policy: SourceTree.tinyPolicy("processors"), "--http", "0")
            let mark = "metrics and health at http://127.0.0.1:"
            var port: UInt16?
            try await daemon.program.wait(for: "the HTTP address") {
                let line = daemon.program.error.split(separator: "\n").first { $0.contains(mark) }
                port = line?.components(separatedBy: mark).last.flatMap { UInt16($0) }
                return port != nil
            }
            return (daemon, try #require(port))
        }

        /// A connection on which `/healthz` was asked for.
        private func ask(port: UInt16) throws -> FileHandle {
            let handle = try connection(port: port)
            var patience = timeval(tv_sec: 20, tv_usec: 0)
            setsockopt(
                handle.fileDescriptor,
                SOL_SOCKET,
                SO_RCVTIMEO,
                &patience,
                socklen_t(MemoryLayout<timeval>.size)
            )
            try handle.write(contentsOf: Data("GET /healthz HTTP/1.1\r\n\r\n".utf8))
            return handle
        }

        /// Whether something has come on a connection.
        private func hasAnswer(_ connection: FileHandle) -> Bool {
            var waiting = pollfd(fd: connection.fileDescriptor, events: Int16(POLLIN), revents: 0)
            return poll(&waiting, 1, 0) > 0
        }

        private func process(_ daemon: RunningDaemon, _ file: String) throws -> String {
            try String(contentsOfFile: "/proc/\(daemon.program.processIdentifier)/\(file)", encoding: .utf8)
        }

        /// What the system tells of the thread `http` after its name (`man 5 proc`, /proc/PID/stat): first its state.
        private func httpThread(_ daemon: RunningDaemon) throws -> [String] {
            let folder = "/proc/\(daemon.program.processIdentifier)/task"
            let thread = try #require(
                try FileManager.default.contentsOfDirectory(atPath: folder).first { thread in
                    (try? process(daemon, "task/\(thread)/comm")) == "http\n"
                }
            )
            let words = try process(daemon, "task/\(thread)/stat").split(separator: ")").last
            return try #require(words).split(separator: " ").map(String.init)
        }

        /// How long the thread has computed, in hundredths of a second.
        private func ticks(_ daemon: RunningDaemon) throws -> Int {
            let words = try httpThread(daemon)
            return try #require(Int(words[11])) + (try #require(Int(words[12])))
        }

        /// Leaves a daemon as many descriptors as it has open, or the limit of before.
        private func limitDescriptors(of daemon: RunningDaemon, to limit: String) async throws {
            let ended = try await RunningProgram(
                ["--pid", "\(daemon.program.processIdentifier)", "--nofile=\(limit):"],
                executable: URL(filePath: "/usr/bin/prlimit")
            ).end()
            try #require(ended.exitCode == 0, "\(ended)")
        }

        private func useUpDescriptors(of daemon: RunningDaemon) async throws -> String {
            let limits = try process(daemon, "limits").split(separator: "\n")
            let line = try #require(limits.first { $0.hasPrefix("Max open files") })
            let folder = "/proc/\(daemon.program.processIdentifier)/fd"
            let numbers = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { Int($0) }
            // A new descriptor takes the lowest free number, and the limit is for numbers.
            let free = try #require((0...numbers.count).first { !numbers.contains($0) })
            try await limitDescriptors(of: daemon, to: "\(free)")
            return String(line.split(separator: " ")[3])
        }

        private static let hasPrlimit = FileManager.default.isExecutableFile(atPath: "/usr/bin/prlimit")

        @Test(.enabled(if: hasPrlimit, "no prlimit"))
        func withoutDescriptorsClientsWait() async throws {
            let (daemon, port) = try await daemon()
            let before = try await useUpDescriptors(of: daemon)
            let ticksBefore = try ticks(daemon)
            let connection = try ask(port: port)
            try await Task.sleep(for: .seconds(2))
            #expect(!hasAnswer(connection))
            #expect(try ticks(daemon) - ticksBefore < 10, "it tries again and again")
            try await limitDescriptors(of: daemon, to: before)
            try await daemon.program.wait(for: "the answer", seconds: 20) { hasAnswer(connection) }
            let answer = String(decoding: try connection.readToEnd() ?? Data(), as: UTF8.self)
            // A warning that few descriptors are left may follow.
            #expect(answer.contains("\r\n\r\nok\n"), "\(answer)")
            _ = try await daemon.stop()
        }

        @Test(.enabled(if: hasPrlimit, "no prlimit"))
        func withoutDescriptorsTheDaemonEndsAsItShould() async throws {
            let (daemon, port) = try await daemon()
            _ = try await useUpDescriptors(of: daemon)
            let connection = try ask(port: port)
            _ = try await daemon.stop()
            withExtendedLifetime(connection) {}
        }

        @Test func theThreadHasANameAndNoPriority() async throws {
            let (daemon, _) = try await daemon()
            // The 41st field, the 39th after the name, is the policy; 0 is SCHED_OTHER.
            #expect(try httpThread(daemon)[38] == "0")
            _ = try await daemon.stop()
        }
    }
}
