import Foundation
import Glibc
import MCAP
import Testing
import Transport
import Wire

extension EndToEnd {
    @Suite struct ServeTests {
        @Test(arguments: [SIGINT, SIGTERM])
        func servesARobotAndEndsOnASignal(signal: Int32) async throws {
            let daemon = try await RunningDaemon(policy: SourceTree.tinyPolicy("processors"))
            // The log, by which the endpoints are known, comes first.
            try await daemon.program.wait(for: "the summary") {
                daemon.program.output.contains(daemon.endpoints.requests)
            }
            let text = daemon.program.output
            for part in [
                "denoised serves processors", daemon.endpoints.observations, daemon.endpoints.chunks,
                daemon.endpoints.requests,
            ] {
                #expect(text.contains(part), "no \"\(part)\" in\n\(text)")
            }

            let client = try daemon.client()
            let info = try client.info()
            #expect(info.policy.name == "processors")
            #expect((info.policy.horizon, info.policy.nObsSteps, info.policy.nActionSteps) == (8, 2, 4))
            #expect((info.sampler.solver, info.sampler.steps) == ("ddpm", 5))
            let chunk = try client.chunk(for: observation(0))
            #expect((chunk.actionSteps, chunk.actionDim, chunk.firstStep) == (4, 2, 0))
            #expect(
                chunk.actions.allSatisfy { (12...511).contains($0) },
                "clipped samples, so within the actions' range"
            )
            // With the same noise the request and the published observation give the same chunk.
            let predicted = try client.predict(observation(1, noiseSeed: 9))
            #expect(try client.chunk(for: observation(1, noiseSeed: 9)).actions == predicted.actions)

            let ended = try await daemon.stop(signal)
            #expect(ended.error.contains(signal == SIGINT ? "SIGINT" : "SIGTERM"))
            #expect(ended.output.contains("1 predictions"))
            #expect(ended.output.contains("latency, ms"))
            #expect(
                ended.output.contains(
                    "0 commands, 0 limit violations; 0 late chunks, 0 coarse, 0 warm; 0 observations dropped"
                )
            )
            for stage in DaemonStatistics.stagesWithoutCameras {
                #expect(ended.output.contains("\n  \(stage) "))
            }
        }

        @Test func statisticsAreTheOnlyOutputWithJSON() async throws {
            let daemon = try await RunningDaemon(policy: SourceTree.tinyPolicy("processors"), "--json")
            let client = try daemon.client()
            for sequence in 0..<3 as Range<UInt64> { _ = try client.predict(observation(sequence)) }
            let statistics = try await daemon.stop().json()
            #expect(statistics["predictions"] as? Int == 3)
            #expect(statistics["observations"] as? Int == 3)
            #expect(statistics["requests"] as? [String: Int] == ["info": 1, "predict": 3])
            let latency = try #require(statistics["latency_ns"] as? [String: [String: Int]])
            #expect(latency["total"]?["count"] == 3)
        }

        /// A real-time thread with more work than it can do keeps every other one from the core, so none of those that
        /// sample may have the priority, nor one that is started later.
        @Test(.enabled("the system gives no real-time priority") { try await mayHavePriority() })
        func thePriorityIsTheSocketThreadsAlone() async throws {
            let daemon = try await RunningDaemon(
                policy: SourceTree.tinyPolicy("processors"),
                "--priority",
                "7",
                "--threads",
                "2"
            )
            _ = try daemon.client().predict(observation(0))
            let threads = try Self.threads(of: daemon.program.processIdentifier)
            let expected = ["sockets": 7, "planner": 0, "denoiser-1": 0]
            for (name, priority) in expected {
                #expect(threads.contains { $0 == (name, priority) }, "\(name) in \(threads)")
            }
            #expect(threads.filter { $0.priority != 0 }.map(\.name) == ["sockets"])
            #expect(try await daemon.stop().exitCode == 0)
        }

        private static func mayHavePriority() async throws -> Bool {
            let executable = URL(filePath: "/usr/bin/chrt")
            return try await RunningProgram(["--fifo", "7", "true"], executable: executable).end().exitCode
                == 0
        }

        /// The threads of a process with their real-time priorities, 0 for none (`man 5 proc`: field 40 of `stat`).
        private static func threads(of process: Int32) throws -> [(name: String, priority: Int)] {
            let tasks = URL(filePath: "/proc/\(process)/task")
            let folders = try FileManager.default.contentsOfDirectory(
                at: tasks,
                includingPropertiesForKeys: nil
            )
            return try folders.map { folder in
                let stat = try String(contentsOf: folder.appending(path: "stat"), encoding: .utf8)
                let nameStart = try #require(stat.firstIndex(of: "("))
                let nameEnd = try #require(stat.lastIndex(of: ")"))
                // The name, in parentheses, is the second field and may have blanks.
                let fields = stat[nameEnd...].split(separator: " ")
                return (
                    String(stat[stat.index(after: nameStart)..<nameEnd]), try #require(Int(fields[40 - 2]))
                )
            }
        }

        @Test(arguments: ["0", "100", "-1"])
        func aPriorityThatThereIsNotIsBadInput(level: String) async throws {
            let ended = try await RunningProgram([
                "serve", "--policy", SourceTree.tinyPolicy("processors"), "--priority=\(level)",
            ]).end()
            #expect(ended.exitCode == 2)
            #expect(ended.error.contains("--priority is \(level), expected 1...99"), "\(ended)")
        }

        /// Without the right to it, whoever runs the tests: of root the capability is taken, too.
        @Test func aPriorityThatTheSystemRefusesIsBadInput() async throws {
            let command = [
                "--rtprio=0", program.path(percentEncoded: false), "serve", "--priority", "20", "--policy",
                SourceTree.tinyPolicy("processors"),
            ]
            let isRoot = geteuid() == 0
            let ended = try await RunningProgram(
                (isRoot ? ["--bounding-set=-sys_nice", "/usr/bin/prlimit"] : []) + command,
                executable: URL(filePath: isRoot ? "/usr/bin/setpriv" : "/usr/bin/prlimit")
            ).end()
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(
                ended.error.contains(
                    "--priority: real-time priority 20: Operation not permitted; the limit (ulimit -r, "
                        + "LimitRTPRIO= in a systemd unit) is 0, expected at least 20"
                ),
                "\(ended)"
            )
        }

        /// Enough requests that the signal comes while a chunk is sampled, however fast the machine; one thread, so that a
        /// busy machine does not make chunks of a tiny network slow.
        @Test(arguments: [SIGINT, SIGTERM])
        func endsWhileAChunkIsSampled(signal: Int32) async throws {
            let policy = try PolicyCopy(of: "processors")
            try policy.edit("config.json") { $0["num_train_timesteps"] = 10_000 }
            let daemon = try await RunningDaemon(
                policy: policy.path,
                "--steps",
                "10000",
                "--threads",
                "1",
                "--json"
            )
            let client = try daemon.client()
            let socket = try ZeroMQSocket(.dealer, context: daemon.context)
            _ = try socket.connect(daemon.endpoints.requests)
            let numbers = 0..<UInt64(16)
            for number in numbers {
                try socket.send([Request.predict(observation(number)).encoded(number: number)])
            }
            try await daemon.program.wait(for: "the observations") {
                try client.info().statistics.observations >= numbers.count
            }

            let statistics = try await daemon.stop(signal).json()
            var chunks: Set<UInt64> = []
            var refusals: Set<UInt64> = []
            for _ in numbers {
                _ = try ZeroMQSocket.wait(for: [socket], timeout: .seconds(10))
                let frames = try #require(try socket.receive(maximumFrames: 1), "a request was not answered")
                switch try Reply.decode(frames[0]) {
                case (let number?, .chunk): chunks.insert(number)
                case (let number?, .error(let error)):
                    #expect(error.code == "stopping")
                    refusals.insert(number)
                case (_, let reply): Issue.record("expected a chunk or a refusal, got \(reply)")
                }
            }
            #expect(refusals.contains(15), "the daemon ends before it has worked everything off")
            #expect(chunks.union(refusals) == Set(numbers))
            #expect(statistics["predictions"] as? Int == chunks.count)
        }

        @Test func garbageOnEverySocketIsCountedAndSurvived() async throws {
            let daemon = try await RunningDaemon(policy: SourceTree.tinyPolicy("processors"), "--json")
            let client = try daemon.client()
            _ = try client.chunk(for: observation(0))

            // Bytes that are no ZeroMQ at all.
            for endpoint in [
                daemon.endpoints.observations, daemon.endpoints.chunks, daemon.endpoints.requests,
            ] {
                try send("GET / HTTP/1.1\r\n\r\n\u{0}\u{ff}\u{7f}", to: endpoint)
            }
            // ZeroMQ messages that are no requests: no MessagePack, no map, too many frames.
            let requests = try ZeroMQSocket(.dealer, context: daemon.context)
            _ = try requests.connect(daemon.endpoints.requests)
            for payload in [[], [0xc1], [0x01], Array("garbage".utf8), [0xdf, 0xff, 0xff, 0xff, 0xff]]
                as [[UInt8]]
            {
                try requests.send([payload])
                _ = try ZeroMQSocket.wait(for: [requests], timeout: .seconds(10))
                let answer = try #require(
                    try requests.receive(maximumFrames: 2)?.last,
                    "no answer to \(payload)"
                )
                guard case .error = try Reply.decode(answer).1 else {
                    Issue.record("expected an error for \(payload)")
                    return
                }
            }
            try requests.send(Array(repeating: [1, 2, 3], count: 20))
            // Subscriptions to what is not there, and a message from a subscriber.
            let chunks = try ZeroMQSocket(.subscribe, context: daemon.context)
            _ = try chunks.connect(daemon.endpoints.chunks)
            try chunks.subscribe(to: (0..<255).map { UInt8($0) })
            // Observations: no MessagePack, another robot's topic, one frame, three frames.
            let observations = try ZeroMQSocket(.publish, context: daemon.context)
            _ = try observations.connect(daemon.endpoints.observations)
            let topic = Array("observation.arm1".utf8)
            let good = try observation(7).encoded()
            let garbage: [[[UInt8]]] = [
                [topic, [0xc1, 0x00]], [topic + [0x32], good], [topic], [topic, good, good],
            ]
            try await daemon.program.wait(for: "the rejections") {
                for frames in garbage { try observations.send(frames) }
                let rejected = try client.info().statistics.rejectedMessages
                // Of those before, four were no MessagePack and one had too many frames.
                return rejected["not_messagepack", default: 0] > 4 && rejected["bad_frames", default: 0] > 3
            }

            #expect(try client.chunk(for: observation(1)).sequence == 1)
            let statistics = try await daemon.stop().json()
            let rejected = try #require(statistics["rejected_messages"] as? [String: Int])
            #expect(rejected.values.reduce(0, +) >= 8)
            #expect(statistics["planner_errors"] as? Int == 0)
            #expect(statistics["observations"] as? Int == 2, "no garbage entered a history")
        }

        @Test func anEpisodeOverTCPIsTheEmbeddedOne() async throws {
            let policy = try pushTPolicy()
            let daemon = try await RunningDaemon(policy: policy.path, "--window", "1", "--json")
            let options = ["--episodes", "2", "--seed", "11", "--json"]
            let embedded = try await succeed(["sim", "--policy", policy.path, "--window", "1"] + options)
                .json()
            let connected = try await succeed(["sim", "--connect", daemon.endpoints.requests] + options)
                .json()
            let episodes = try EpisodeTests.check(embedded, seeds: 11...12, evaluations: 5)
            let others = try EpisodeTests.check(connected, seeds: 11...12, evaluations: 5)
            #expect(episodes as NSArray == others as NSArray)
            // Two episodes of 300 steps, and two observations to warm up. What is published last may not arrive.
            let statistics = try await daemon.stop().json()
            #expect(try (599...602).contains(#require(statistics["observations"] as? Int)))
            #expect(statistics["rejected_messages"] as? [String: Int] == [:])
        }

        /// Writes bytes to a TCP port and hangs up.
        private func send(_ text: String, to endpoint: String) throws {
            let port = try #require(UInt16(endpoint.split(separator: ":").last ?? ""))
            try connection(port: port).write(contentsOf: Data(text.utf8))
        }
    }
}
