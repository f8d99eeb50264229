import Foundation
import Planning
import Testing
import Transport

extension EndToEnd {
    /// What clients may make `serve` take of the machine: memory, which it gives back, and file descriptors.
    @Suite struct ResourceTests {
        /// A number of /proc/PID/status, in MiB.
        private static func memory(_ field: String, of daemon: RunningDaemon) throws -> Int {
            let text = try String(
                contentsOfFile: "/proc/\(daemon.program.processIdentifier)/status",
                encoding: .utf8
            )
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(field):") })
            return try #require(
                line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap { Int($0) }
            )
                >> 10
        }

        /// A request of nearly 1 MiB that takes the daemon long to read.
        private static let longRequest: [UInt8] = {
            // {"v": 1, "type": "info", "pad": [60,000 strings]}
            var bytes: [UInt8] = [0x83, 0xa1] + Array("v".utf8) + [1, 0xa4] + Array("type".utf8)
            bytes += [0xa4] + Array("info".utf8) + [0xa3] + Array("pad".utf8) + [0xdc, 0xea, 0x60]
            for _ in 0..<60_000 { bytes += [0xad] + Array(repeating: UInt8(ascii: "x"), count: 13) }
            return bytes
        }()

        @Test func floodsOfLongMessagesTakeLittleMemoryAndNotForLong() async throws {
            let daemon = try await RunningDaemon(policy: SourceTree.tinyPolicy("processors"))
            let before = try Self.memory("VmRSS", of: daemon)
            var options = ZeroMQSocket.Options()
            options.sendHighWaterMark = 2
            options.lingerMilliseconds = 0
            // Each peer in a context of its own, as if it were a process.
            var peers = try (0..<4).map { _ in
                try ZeroMQSocket(.dealer, context: ZeroMQContext(), options: options)
            }
            for peer in peers { _ = try peer.connect(daemon.endpoints.requests) }
            let end = ContinuousClock.now + .seconds(4)
            var sent = 0
            while ContinuousClock.now < end {
                var hasSent = false
                for peer in peers where try peer.send([Self.longRequest]) {
                    sent += 1
                    hasSent = true
                }
                if !hasSent { try await Task.sleep(for: .milliseconds(1)) }
            }
            peers = []
            let peak = try Self.memory("VmHWM", of: daemon) - before
            // Four times 16 of them, what is on its way, and room for what tests beside this one do to the clock.
            #expect(peak < 250, "\(peak) MiB after \(sent) messages of 1 MiB")
            try await daemon.program.wait(for: "memory given back", seconds: 20) {
                try Self.memory("VmRSS", of: daemon) - before < 60
            }
            _ = try await daemon.stop()
        }

        private func serve(limits: String) throws -> RunningProgram {
            let free = "tcp://127.0.0.1:*"
            return try RunningProgram(
                [
                    "-c", "ulimit \(limits) && exec \"$0\" \"$@\"", program.path(percentEncoded: false),
                    "serve", "--policy", SourceTree.tinyPolicy("processors"), "--observations", free,
                    "--chunks", free,
                    "--requests", free,
                ],
                executable: URL(filePath: "/bin/sh")
            )
        }

        @Test func theLimitOfDescriptorsIsRaised() async throws {
            let serving = try serve(limits: "-Sn 100")
            try await serving.wait(for: "the endpoints") { serving.output.contains("requests") }
            let limits = try String(
                contentsOfFile: "/proc/\(serving.processIdentifier)/limits",
                encoding: .utf8
            )
            let line = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max open files") })
            let words = line.split(separator: " ")
            #expect(words[3] == words[4], "soft and hard: \(line)")
            #expect(words[3] != "100")
            serving.send(SIGTERM)
            #expect(try await serving.end().exitCode == 0)
        }

        @Test func fewDescriptorsAreAWarning() async throws {
            let serving = try serve(limits: "-n 100")
            try await serving.wait(for: "the endpoints") { serving.output.contains("requests") }
            #expect(!serving.error.contains("file descriptors"), "\(serving.error)")
            let words = serving.output.split(whereSeparator: { " \n".contains($0) }).map(String.init)
            let requests = try #require(words.last { $0.hasPrefix("tcp://") })
            let context = try ZeroMQContext()
            var peers: [ZeroMQSocket] = []
            for _ in 0..<55 {
                peers.append(try ZeroMQSocket(.dealer, context: context))
                _ = try peers[peers.count - 1].connect(requests)
            }
            try await serving.wait(for: "the warning", seconds: 20) {
                serving.error.contains("of 100 file descriptors are left")
            }
            peers = []
            try await serving.wait(for: "its end", seconds: 20) {
                serving.error.contains("there are file descriptors again")
            }
            serving.send(SIGTERM)
            #expect(try await serving.end().exitCode == 0)
        }
    }
}
