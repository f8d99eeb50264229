import Foundation
import Glibc
import Robotics
import Testing
import Transport

extension EndToEndToSee {
    @Suite struct MonitorTests {
        /// A daemon that has published a chunk for a robot and rejected a request.
        private func daemon() async throws -> RunningDaemon {
            let daemon = try await RunningDaemon(policy: SourceTree.tinyPolicy("processors"), "--http", "0")
            _ = try daemon.client().chunk(for: observation(0))
            let socket = try ZeroMQSocket(.dealer, context: daemon.context)
            _ = try socket.connect(daemon.endpoints.requests)
            try socket.send([[0xc1]])
            _ = try ZeroMQSocket.wait(for: [socket], timeout: .seconds(10))
            return daemon
        }

        @Test func onePageShowsTheRobots() async throws {
            let daemon = try await daemon()
            let page = try await succeed(["monitor", "--connect", daemon.endpoints.requests, "--once"]).output
            #expect(
                page.hasPrefix("denoised 0.2.0 serves processors at \(daemon.endpoints.requests), up 0:0")
            )
            let lines = page.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
            #expect(lines.contains { $0.first == "arm1" && $0.dropFirst().first == "running" })
            #expect(lines.contains { $0.prefix(3) == ["rejected:", "not_messagepack", "1"] })
            #expect(lines.contains { $0.first == "total" && $0.count > 4 }, "latencies")
            #expect(!page.contains("\u{1b}"), "no escape sequences outside a terminal")
        }

        @Test func oneHeartbeatIsPrintedAsJSON() async throws {
            let daemon = try await daemon()
            let name = try #require(RobotID("armTwo.x"))
            let other = try RobotClient.connecting(
                robot: name,
                requests: daemon.endpoints.requests,
                context: daemon.context
            )
            var message = try observation(3)
            message.robot = name
            message.episode = .name("first")
            _ = try other.predict(message)
            let report = try await succeed(["monitor", "--connect", daemon.endpoints.requests, "--json"])
                .json()
            #expect(report["policy"] as? String == "processors")
            let robots = try #require(report["robots"] as? [String: [String: Any]])
            #expect(Set(robots.keys) == ["arm1", "armTwo.x"], "ids are as the robots sent them")
            #expect(robots["arm1"]?["episode"] as? Int == 1)
            #expect(robots["armTwo.x"]?["episode"] as? String == "first")
            #expect(robots["arm1"]?["state"] as? String == "running")
            #expect(report["warnings"] as? [String] == [] && report["camera_servers"] as? [String] == [])
            #expect(report["stop"] as? Int == 0)
            let statistics = try #require(report["statistics"] as? [String: Any])
            #expect(statistics["rejected_messages"] as? [String: Int] == ["not_messagepack": 1])
            #expect(try #require(statistics["uptime_ns"] as? Int) > 0)
            // Percentiles in a heartbeat may be a second old.
            #expect(statistics["latency_ns"] is [String: [String: Int]])
        }

        @Test(arguments: [["--once"], ["--json"], []])
        func nobodyThereIsAClearError(options: [String]) async throws {
            let ended = try await RunningProgram(
                ["monitor", "--connect", "tcp://127.0.0.1:9", "--timeout-s", "0.3"] + options
            ).end()
            #expect(ended.exitCode == 1)
            #expect(ended.output == "")
            #expect(
                ended.error.hasPrefix("denoised: no answer to info from tcp://127.0.0.1:9 within 0.3"),
                "\(ended)"
            )
        }

        @Test func aDaemonThatComesBackIsShownAgain() async throws {
            let first = try await daemon()
            let monitor = try RunningProgram(["monitor", "--connect", first.endpoints.requests])
            try await monitor.wait(for: "a page") { monitor.output.contains("arm1") }
            _ = try await first.stop()
            try await monitor.wait(for: "the silence") { monitor.output.contains("\nsilent for ") }
            let policy = try PolicyCopy(of: "processors")
            let second = try RunningProgram([
                "serve", "--policy", policy.path, "--observations", "tcp://127.0.0.1:*",
                "--chunks", "tcp://127.0.0.1:*", "--requests", first.endpoints.requests,
            ])
            try await monitor.wait(for: "the new daemon") {
                try #require(second.isRunning, "\(second.error)")
                return monitor.output.contains("serves policy") && monitor.output.hasSuffix("no errors\n")
            }
            monitor.send(SIGINT)
            #expect(try await monitor.end().exitCode == 0)
        }

        // MARK: HTTP

        /// Where a daemon with `--http` listens, from its log.
        private func url(of daemon: RunningDaemon, _ path: String) async throws -> URL {
            let mark = "metrics and health at "
            var found: Substring?
            try await daemon.program.wait(for: "the HTTP address") {
                found = daemon.program.error.split(separator: "\n").first { $0.contains(mark) }
                return found != nil
            }
            let address = try #require(found?.components(separatedBy: mark).last)
            return try #require(URL(string: address + path))
        }

        /// A URL's status code and body, by curl.
        private func get(_ url: URL) async throws -> (code: String, body: String) {
            let ended = try await RunningProgram(
                ["--silent", "--max-time", "20", "--write-out", "\n%{http_code}", url.absoluteString],
                executable: URL(filePath: "/usr/bin/curl")
            ).end()
            let lines = ended.output.split(separator: "\n", omittingEmptySubsequences: false)
            return (String(lines.last ?? ""), lines.dropLast().joined(separator: "\n"))
        }

        private static let hasCurl = FileManager.default.isExecutableFile(atPath: "/usr/bin/curl")

        @Test(.enabled(if: hasCurl, "no curl"))
        func metricsAndHealthAreServed() async throws {
            let daemon = try await daemon()
            // The next heartbeat has the rejection.
            var metrics = ""
            let url = try await url(of: daemon, "/metrics")
            let deadline = ContinuousClock.now + .seconds(20)
            repeat {
                let answer = try await get(url)
                #expect(answer.code == "200")
                metrics = answer.body
            } while !metrics.contains("denoised_rejected_messages_total{reason=\"not_messagepack\"} 1")
                && ContinuousClock.now < deadline
            let lines = metrics.split(separator: "\n")
            for line in [
                "denoised_up 1", "denoised_rejected_messages_total{reason=\"not_messagepack\"} 1",
                "denoised_robot_state{robot=\"arm1\",state=\"running\"} 1", "denoised_observations_total 1",
            ] { #expect(lines.contains { $0 == line }, "no \(line) in\n\(metrics)") }
            #expect(
                metrics.contains("denoised_info{version=\"0.2.0\",policy=\"processors\",solver=\"ddpm\",")
            )

            let health = try await get(try await self.url(of: daemon, "/healthz"))
            #expect(health == ("200", "ok\n"))
            #expect(try await get(try await self.url(of: daemon, "/other")).code == "404")
            _ = try await daemon.stop()
        }

        @Test(arguments: [
            ("0.0.0.0:9464", "http://0.0.0.0:9464 is open to other machines"),
            ("nonsense", "expected PORT or HOST:PORT"),
            ("127.0.0.1:99999", "expected PORT or HOST:PORT"),
        ])
        func otherAddressesAreRefused(address: String, reason: String) async throws {
            let ended = try await RunningProgram([
                "serve", "--policy", SourceTree.tinyPolicy("processors"), "--http", address,
            ]).end()
            #expect(ended.exitCode == 2)
            #expect(ended.error.contains(reason), "\(ended)")
        }
    }
}
