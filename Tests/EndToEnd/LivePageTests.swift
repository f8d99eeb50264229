import Foundation
import Glibc
import Robotics
import Testing
import Transport

extension EndToEndToSee {
    /// The live page of `serve --http`, with a robot that moves.
    @Suite struct LivePageTests {
        /// A daemon and the port of its page.
        private func serve(_ policy: String, _ options: String...) async throws -> (
            RunningDaemon, port: UInt16
        ) {
            let daemon = try await RunningDaemon(policy: policy, options: ["--http", "0"] + options)
            return (daemon, try await port(of: daemon.program))
        }

        private func port(of program: RunningProgram) async throws -> UInt16 {
            let mark = "metrics and health at http://127.0.0.1:"
            var port: UInt16?
            try await program.wait(for: "the HTTP address") {
                try #require(program.isRunning, "\(program.error)")
                let line = program.error.split(separator: "\n").first { $0.contains(mark) }
                port = line?.components(separatedBy: mark).last.flatMap { UInt16($0) }
                return port != nil
            }
            return try #require(port)
        }

        /// A connection on which something was asked for.
        private func ask(_ request: String, _ headers: String = "", port: UInt16) throws -> FileHandle {
            let handle = try connection(port: port)
            var patience = timeval(tv_sec: 30, tv_usec: 0)
            let size = socklen_t(MemoryLayout<timeval>.size)
            setsockopt(handle.fileDescriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
            let host = "Host: 127.0.0.1:\(port)\r\nOrigin: http://127.0.0.1:\(port)\r\n"
            try handle.write(contentsOf: Data("\(request) HTTP/1.1\r\n\(host)\(headers)\r\n".utf8))
            return handle
        }

        /// The status code and the body of an answer.
        private func answer(
            _ request: String,
            _ headers: String = "Denoised-Order: test\r\n",
            port: UInt16
        ) throws -> (status: Int?, body: String) {
            let text = String(
                decoding: try ask(request, headers, port: port).readToEnd() ?? Data(),
                as: UTF8.self
            )
            let parts = text.components(separatedBy: "\r\n\r\n")
            let status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
            return (status, parts.dropFirst().joined(separator: "\r\n\r\n"))
        }

        private func order(_ target: String, _ headers: String = "", port: UInt16) throws -> [String: Any] {
            let (status, body) = try answer(
                "POST /orders/\(target)",
                "Denoised-Order: test\r\n" + headers,
                port: port
            )
            let object = try? JSONSerialization.jsonObject(with: Data(body.utf8))
            return try #require(object as? [String: Any], "\(status ?? 0): \(body)")
        }

        /// Reads events until one of a name is as wanted, and returns it.
        private func event(
            _ name: String,
            from stream: EventReader,
            where isWanted: ([String: Any]) -> Bool = { _ in true }
        ) throws -> [String: Any] {
            let deadline = ContinuousClock.now + .seconds(60)
            while ContinuousClock.now < deadline {
                let event = try #require(try stream.next(), "the stream has ended")
                if event.name == name, isWanted(event.data) { return event.data }
            }
            Issue.record("no such \(name) within 60 s")
            return [:]
        }

        private func robot(_ id: String, in status: [String: Any]) -> [String: Any]? {
            (status["robots"] as? [[String: Any]])?.first { $0["id"] as? String == id }
        }

        @Test func aSimulatedRobotIsWatchedHeldAndStopped() async throws {
            let policy = try pushTPolicy()
            let folder = try TemporaryFolder()
            // On a busy machine a hold must not become a stop before the test has seen it.
            let example = try String(
                contentsOfFile: SourceTree.path("examples/robots/pusht.yaml"),
                encoding: .utf8
            )
            let patient = example.replacing("stop_after_ms: 5000", with: "stop_after_ms: never")
            try #require(patient != example)
            try Data(patient.utf8).write(to: folder.file("robot.yaml"))
            let (daemon, port) = try await serve(
                policy.path,
                "--robot",
                folder.path("robot.yaml"),
                "--solver",
                "ddim",
                "--steps",
                "3"
            )
            let simulation = try RunningProgram([
                "sim", "--connect", daemon.endpoints.requests, "--realtime", "--episodes", "100",
            ])
            let all = EventReader(try ask("GET /events", port: port))
            let id = "pusht-\(simulation.processIdentifier)"
            _ = try event("status", from: all) { robot(id, in: $0)?["state"] as? String == "running" }

            let stream = EventReader(try ask("GET /events?robot=\(id)", port: port))
            let hello = try event("hello", from: stream)
            #expect((hello["policies"] as? [[String: Any]])?.map { $0["actionDim"] as? Int } == [2])
            let facts = try event("robot", from: stream)
            #expect(facts["feedback"] as? String == "observation.state")
            let dimensions = try #require(facts["dimensions"] as? [[String: Any]])
            #expect(dimensions.map { $0["name"] as? String } == ["x", "y"])
            #expect(dimensions[0]["range"] as? [Double] == [0, 512])
            let observation = try event("observation", from: stream)
            let values = try #require(observation["values"] as? [String: [Double]])
            #expect(
                values["observation.state"]?.count == 2
                    && values["observation.environment_state"]?.count == 16
            )
            let chunk = try event("chunk", from: stream)
            #expect((chunk["actions"] as? [Double])?.isEmpty == false)
            let sampling = try #require(chunk["sampling"] as? [String: Any])
            let passes = try #require(sampling["passes"] as? [[Int]])
            #expect(
                passes.map { $0[0] } == [0, 1, 2] && passes.map { $0[1] } == [1, 2, 3],
                "three sequential steps"
            )
            _ = try event("command", from: stream)

            // Held: commands go on, and say so.
            #expect(try order("hold?robot=\(id)", port: port)["state"] as? String == "holding")
            _ = try event("command", from: stream) { $0["state"] as? String == "holding" }
            let stopped = try order("stop?robot=\(id)", port: port)
            #expect(stopped["state"] as? String == "stopped" && stopped["robots"] as? Int == 1)
            let state = try event("status", from: stream) {
                robot(id, in: $0)?["state"] as? String == "stopped"
            }
            let reason = try #require(robot(id, in: state)?["reason"] as? String)
            #expect(reason.hasPrefix("a stop was requested on the live page, 127.0.0.1:"), "\(reason)")
            #expect(
                daemon.program.error.contains("the live page, 127.0.0.1:"),
                "it is logged whom it came from"
            )

            // Whoever has not seen the stop cannot undo it.
            let early = try order("resume?robot=\(id)", "Denoised-Stop: 1\r\n", port: port)
            #expect(early["error"] as? String == "newer_stop")
            let number = try #require(stopped["stop"] as? String)
            #expect(UInt64(try #require(state["stop"] as? String)) == UInt64(number))
            let resumed = try order("resume?robot=\(id)", "Denoised-Stop: \(number)\r\n", port: port)
            #expect(resumed["state"] as? String == "idle")
            _ = try event("status", from: stream) { robot(id, in: $0)?["state"] as? String == "running" }
            simulation.send(SIGKILL)
            _ = try await daemon.stop()
        }

        @Test func aTokenIsPrintedAndAskedFor() async throws {
            let (daemon, port) = try await serve(SourceTree.tinyPolicy("processors"), "--http-token")
            var token: String?
            try await daemon.program.wait(for: "the token") {
                let line = daemon.program.output.split(separator: "\n").first { $0.hasPrefix("  token ") }
                token = line?.split(separator: " ").last.map(String.init)
                return token != nil
            }
            let right = "Denoised-Order: test\r\nAuthorization: Bearer \(try #require(token))\r\n"
            #expect(try answer("GET /", "", port: port).status == 200)
            #expect(try answer("GET /metrics", "", port: port).status == 200)
            #expect(try answer("GET /events", "", port: port).status == 401)
            #expect(try answer("POST /orders/stop?robots=all", port: port).status == 401)
            #expect(
                try answer("POST /orders/stop?robots=all", right + "Origin: x\r\n", port: port).status == 403
            )
            #expect(try answer("POST /orders/stop?robots=all", right, port: port).status == 200)
            #expect(!daemon.program.error.contains(try #require(token)), "the log does not have it")
            _ = try await daemon.stop()
        }

        /// Standard output is one JSON object then.
        @Test func withJSONTheTokenIsOnStandardError() async throws {
            let (daemon, port) = try await serve(
                SourceTree.tinyPolicy("processors"),
                "--http-token",
                "--json",
                "--log-level",
                "info"
            )
            let mark = "the token of the live page is "
            var token: String?
            try await daemon.program.wait(for: "the token") {
                token =
                    daemon.program.error.split(separator: "\n").first { $0.contains(mark) }?
                    .components(separatedBy: mark).last
                return token != nil
            }
            let headers = "Authorization: Bearer \(try #require(token))\r\nDenoised-Order: x\r\n"
            #expect(try answer("POST /orders/stop?robot=arm1", headers, port: port).status == 200)
            #expect(try await daemon.stop().json()["uptime_ns"] != nil)
        }

        @Test func aPageForReadingTakesNoOrders() async throws {
            let (daemon, port) = try await serve(SourceTree.tinyPolicy("processors"), "--http-read-only")
            let refused = try answer("POST /orders/stop?robots=all", port: port)
            #expect(refused.status == 403 && refused.body.contains("--http-read-only"))
            let hello = try event("hello", from: EventReader(try ask("GET /events", port: port)))
            #expect(hello["takesOrders"] as? Bool == false)
            _ = try await daemon.stop()
        }

        @Test(arguments: ["--http-token", "--http-read-only"])
        func anOptionOfThePageWantsThePage(option: String) async throws {
            let ended = try await RunningProgram([
                "serve", "--policy", SourceTree.tinyPolicy("processors"), option,
            ]).end()
            #expect(ended.exitCode == 2)
            #expect(
                ended.error.contains("\(option) is for the live page, expected --http with it"),
                "\(ended)"
            )
        }

        private static let chromium = ["chromium-headless-shell", "chromium"].first {
            FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)")
        }

        /// What people see in a browser: the live page, with robots whose ids, and all other text, are hostile, and the pages of `report`
        /// and `explain`.
        @Test(
            .enabled(
                if: chromium != nil && ExampleRobot.pythonPath != nil,
                "no /usr/bin/chromium-headless-shell or chromium (scripts/setup --browser), or DENOISED_TEST_PYTHON is not set"
            ),
            arguments: ["live_page.py", "made_pages.py"]
        )
        func aBrowserShowsThePages(checks: String) async throws {
            let ended = try await RunningProgram(
                [
                    SourceTree.path("Tests/Browser/\(checks)"), "--binary",
                    program.path(percentEncoded: false),
                ],
                executable: URL(filePath: try #require(ExampleRobot.pythonPath))
            ).end(seconds: 300)
            #expect(ended.exitCode == 0, "\(ended)")
        }
    }
}

/// Reads server-sent events from a connection.
private final class EventReader {
    private let handle: FileHandle
    private var rest = ""

    init(_ handle: FileHandle) { self.handle = handle }

    /// The next event; nil at the end of the stream.
    func next() throws -> (name: String, data: [String: Any])? {
        while true {
            if let end = rest.firstRange(of: "\n\n") {
                let event = String(rest[..<end.lowerBound])
                rest = String(rest[end.upperBound...])
                // The size of a piece of the answer, and its head, come before.
                guard let start = event.firstRange(of: "event: ") else { continue }
                let lines = event[start.upperBound...].components(separatedBy: "\n")
                guard lines.count == 2, lines[1].hasPrefix("data: ") else { continue }
                let json = try JSONSerialization.jsonObject(with: Data(lines[1].dropFirst(6).utf8))
                guard let data = json as? [String: Any] else { continue }
                return (lines[0], data)
            }
            guard let more = try handle.read(upToCount: 1 << 16), !more.isEmpty else { return nil }
            rest += String(decoding: more, as: UTF8.self).replacing("\r\n", with: "\u{0}")
        }
    }
}
