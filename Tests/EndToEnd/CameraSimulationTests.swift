import Benchmarking
import Foundation
import Pictures
import Policy
import PolicyFixtures
import PushT
import Robotics
import Sampling
import Testing
import Tuning

@testable import denoised

extension EndToEndOfCommands {
    /// Episodes of a policy that sees. Its weights are made up, so it moves senselessly, but always the same.
    @Suite struct CameraSimulationTests {
        /// One for all tests, because drawing its weights takes long.
        private static let policy: Result<URL, any Error> = Result {
            let fixture = try ImageFixture("one-camera")
            let kept = FileManager.default.temporaryDirectory
                .appending(path: "denoised-tests-policy-\(ProcessInfo.processInfo.processIdentifier)")
            try FileManager.default.moveItem(at: fixture.copy.directory, to: kept)
            atexit {
                if let url = try? CameraSimulationTests.policy.get() {
                    try? FileManager.default.removeItem(at: url)
                }
            }
            return kept
        }

        private static let poorCamera = SourceTree.root.appending(path: "sim/disturbances/poor-camera.json")
        private static let camera = "observation.image"

        private static func path() throws -> String { try policy.get().path(percentEncoded: false) }

        private static func disturbances(_ camera: String) throws -> Disturbances {
            let json = #"{"name": "test", "description": "", "camera": {\#(camera)}}"#
            return try Disturbances(json: Data(json.utf8), source: "test.json")
        }

        /// An episode as chunks, where they were asked for, and coverage.
        private struct Episode: Equatable {
            var steps: [Int] = []
            var actions: [[Float]] = []
            var coverage: [Double] = []
        }

        /// What the simulated robot does, through its own daemon.
        private func simulated(
            seed: UInt64,
            _ settings: CameraSettings = CameraSettings()
        ) throws -> (episode: Episode, camera: CameraReport) {
            let robot = try SimulatedRobot(
                policy: PolicyBundle(directory: Self.policy.get()),
                sampler: SamplerOptions.parse(["--threads", "1"]),
                camera: settings
            )
            defer { robot.stop() }
            let result = try robot.runEpisode(seed: seed) { _ in }
            let episode = Episode(
                steps: result.chunks.map { Int($0.chunk.sequence) },
                actions: result.chunks.map(\.chunk.actions),
                coverage: result.recording.frames.map(\.coverage)
            )
            #expect(result.chunks.allSatisfy { $0.hasVision })
            return (episode, CameraReport(try #require(robot.camera)))
        }

        /// The same, computed without robot, camera and daemon.
        private func computed(
            seed: UInt64,
            quality: Int? = nil,
            disturbance: CameraDisturbance? = nil
        ) throws -> Episode {
            let bundle = try PolicyBundle(directory: Self.policy.get())
            let settings = bundle.configuration.defaultSettings
            let policy = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
            let simulation = PushTSimulation()
            let renderer = try FrameRenderer(of: simulation)
            var observation = simulation.reset(seed: seed)
            var history = policy.makeHistory()
            var drawn: [[UInt8]] = []
            var newest: (step: Int, frame: CameraFrame)?
            var queue: [SIMD2<Double>] = []
            var target = observation.agentPosition
            var episode = Episode(coverage: [simulation.coverage])
            for step in 0..<simulation.scenario.episode.maxSteps {
                drawn.append(renderer.frame())
                let shown = drawn[disturbance?.shownStep(at: step) ?? step]
                if let arrived = disturbance.map({ $0.apply(to: shown, step: step, seed: seed) }) ?? shown {
                    let pixels = try quality.map { try Self.throughJPEG(arrived, quality: $0) } ?? arrived
                    newest = (step, CameraFrame(height: 96, width: 96, pixels: pixels))
                }
                if let newest, step - newest.step <= 5 {
                    let position = [Float(observation.agentPosition.x), Float(observation.agentPosition.y)]
                    try history.append(
                        Observation(
                            values: ["observation.state": position],
                            frames: [Self.camera: newest.frame]
                        )
                    )
                    if queue.isEmpty {
                        let noise = PushTEpisodes.noiseSeed(seed: seed, step: step)
                        let chunk = try policy.sample(SamplingRequest(history: history, noise: .seed(noise)))
                        episode.steps.append(step)
                        episode.actions.append(chunk.actions)
                        queue = stride(from: 0, to: chunk.actions.count, by: 2).map {
                            SIMD2(Double(chunk.actions[$0]), Double(chunk.actions[$0 + 1]))
                        }
                    }
                }
                if !queue.isEmpty { target = simulation.scenario.world.clamp(queue.removeFirst()) }
                let outcome = try simulation.step(target)
                episode.coverage.append(outcome.coverage)
                observation = outcome.observation
                if outcome.isEpisodeOver { break }
            }
            return episode
        }

        /// What is left of pixels after JPEG.
        private static func throughJPEG(_ pixels: [UInt8], quality: Int) throws -> [UInt8] {
            var encoder = try PictureEncoder()
            var decoder = try PictureDecoder()
            let picture = try encoder.jpeg(pixels.span, height: 96, width: 96, quality: quality)
            var decoded = [UInt8](repeating: 0, count: pixels.count)
            var span = decoded.mutableSpan
            try decoder.decode(picture.span, PictureHeader(reading: picture.span, as: .jpeg), into: &span)
            return decoded
        }

        private func expectCoverage(of reported: [String: Any], _ episode: Episode) throws {
            let coverage = try #require(reported["max_coverage"] as? Double)
            #expect(try abs(coverage - #require(episode.coverage.max())) < 1e-12)
        }

        @Test func anEpisodeIsTheOneComputedFromTheFrames() throws {
            let (found, camera) = try simulated(seed: 4)
            let expected = try computed(seed: 4)
            #expect(found.steps == Array(stride(from: 0, to: 300, by: 8)))
            #expect(found == expected)
            #expect((camera.encoding, camera.jpegQuality, camera.disturbances) == ("pixels", nil, nil))
            #expect(camera.lostFrames == nil)
            // Without these the policy would not have to see.
            #expect(Set(expected.actions).count == expected.actions.count)

            // JPEG shows nearly the same, and what a decoder makes of it.
            let (compressed, report) = try simulated(seed: 4, CameraSettings(jpegQuality: 80))
            #expect(try compressed == computed(seed: 4, quality: 80))
            #expect((report.encoding, report.jpegQuality) == ("jpeg", 80))
            #expect(compressed.actions[0] != found.actions[0])
            let drawn = try FrameRenderer(of: PushTSimulation()).frame()
            let decoded = try Self.throughJPEG(drawn, quality: 80)
            let differences = zip(drawn, decoded).map { abs(Int($0) - Int($1)) }
            #expect(differences.reduce(0, +) < 3 * differences.count, "grey levels")
        }

        @Test func aPoorCameraIsTheSameEveryTime() throws {
            let disturbances = try Disturbances(contentsOf: Self.poorCamera)
            let settings = CameraSettings(jpegQuality: 90, disturbances: disturbances)
            let (found, camera) = try simulated(seed: 11, settings)
            #expect(try found == computed(seed: 11, quality: 90, disturbance: disturbances.camera))
            #expect(camera.disturbances == "poor camera")
            // Steps 30 and 31, and 5 % of the others.
            #expect(try (3...40).contains(#require(camera.lostFrames)))
            #expect(camera.repeatedFrames == 4)
            #expect(camera.blindSteps == 0)
        }

        /// Frames that stay out for longer than the newest one stands in for them.
        @Test func withoutAFrameTheRobotHolds() throws {
            let disturbances = try Self.disturbances(
                #""dropped": {"steps": [0, 1, 2, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39]}"#
            )
            let (found, camera) = try simulated(seed: 4, CameraSettings(disturbances: disturbances))
            #expect(try found == computed(seed: 4, disturbance: disturbances.camera))
            // Step 29's frame stands in up to step 34; the chunk of step 27 has run out at step 35.
            #expect(Array(found.steps.prefix(6)) == [3, 11, 19, 27, 40, 48])
            #expect((camera.lostFrames, camera.blindSteps) == (13, 3 + 5))
        }

        @Test func reportsTellOfTheCamera() async throws {
            let options = [
                "sim", "--policy", try Self.path(), "--seed", "11", "--disturb",
                Self.poorCamera.path(percentEncoded: false), "--jpeg",
            ]
            let text = try await succeed(options + ["--trace"])
            #expect(text.error == "seed 11: coverage 0.072, no success in 300 steps\n")
            for part in [
                "observation.image: 96 x 96, sent as JPEG of quality 95, disturbed: poor camera", " vision ",
                "\n  vision ", "the camera lost", "repeated 4; in 0 control steps",
            ] {
                #expect(text.output.contains(part), "no \"\(part)\" in\n\(text.output)")
            }
            let report = try await succeed(options + ["--json"]).json()
            let camera = try #require(report["camera"] as? [String: Any])
            #expect(
                Set(camera.keys) == [
                    "name", "encoding", "jpeg_quality", "disturbances", "lost_frames", "repeated_frames",
                    "blind_steps",
                ]
            )
            #expect((camera["encoding"] as? String, camera["jpeg_quality"] as? Int) == ("jpeg", 95))
            let episode = try #require((report["per_episode"] as? [[String: Any]])?.first)
            let direct = try computed(
                seed: 11,
                quality: 95,
                disturbance: Disturbances(contentsOf: Self.poorCamera).camera
            )
            try expectCoverage(of: episode, direct)
        }

        /// Over TCP, and with nothing to see at all.
        @Test func aDaemonElsewhereSeesTheSame() async throws {
            let daemon = try await RunningDaemon(policy: try Self.path(), "--threads", "1")
            let sim = ["sim", "--connect", daemon.endpoints.requests, "--seed", "4", "--json"]
            let report = try await succeed(sim).json()
            let episode = try #require((report["per_episode"] as? [[String: Any]])?.first)
            try expectCoverage(of: episode, computed(seed: 4))
            let camera = try #require(report["camera"] as? [String: Any])
            #expect(Set(camera.keys) == ["name", "encoding"])

            let folder = try TemporaryFolder()
            let dark = #"{"name": "dark", "description": "", "camera": {"dropped": {"probability": 1}}}"#
            try Data(dark.utf8).write(to: folder.file("dark.json"))
            let held = try await succeed(sim + ["--disturb", folder.path("dark.json")]).json()
            let nothing = try #require(held["camera"] as? [String: Any])
            #expect((nothing["lost_frames"] as? Int, nothing["blind_steps"] as? Int) == (300, 300))
            #expect(held["iterations_mean"] as? Double == 0)
            let ended = try await daemon.stop()
            #expect(!ended.error.contains("reject"), "\(ended.error)")
        }

        /// On the virtual clock, in which an episode takes as long as its planning.
        @Test func worldsThatDoNotWaitAreSeen() async throws {
            let report = try await succeed([
                "bench", "realtime", "--policy", try Self.path(), "--episodes", "1", "--delays", "100",
                "--samplers", "ddim:2", "--strategies", "receding", "--json",
            ]).json()
            let results = try #require(report["results"] as? [[String: Any]])
            #expect(results.map { $0["schedule"] as? String } == ["lock-step", "synchronous", "receding"])
            for result in results { #expect(result["steps_mean"] as? Double == 300) }
        }

        /// By the wall clock, until three chunks have come.
        @Test func realTimeSees() async throws {
            let program = try RunningProgram([
                "sim", "--policy", try Self.path(), "--realtime", "--jpeg", "60", "--disturb",
                Self.poorCamera.path(percentEncoded: false), "--steps", "2", "--seed", "11", "--trace",
            ])
            try await program.wait(for: "three chunks") {
                program.output.split(separator: "\n").count { $0.hasPrefix("      11  ") } >= 3
            }
            let title = "in real time, blend, 1 episode\nobservation.image: 96 x 96, sent as JPEG"
            #expect(program.output.contains(title))
            #expect(program.output.contains("queue  vision  condition"))
            #expect(program.isRunning)
        }

        @Test func benchmarksTellVisionApart() async throws {
            let policy = try Self.path()
            let chunks = try await succeed([
                "bench", "chunk", "--policy", policy, "--window", "1", "--runs", "3", "--warm-up", "1",
                "--threads", "1", "--json",
            ]).json()
            let results = try #require(chunks["results"] as? [[String: Any]])
            #expect(results.map { $0["method"] as? String } == ["sequential"])
            for result in results {
                func time(_ key: String) throws -> Double { try #require(result[key] as? Double, "\(key)") }
                // Of every run: the frames of a history are never those of the run before.
                #expect(try time("vision_ms_p50") > 0.05)
                #expect(try time("vision_ms_p99") < time("ms_p99"))
                #expect(try time("newest_vision_ms_p50") > 0.05)
                #expect(try time("newest_vision_ms_p99") >= time("newest_vision_ms_p50"))
            }
            #expect(results[0]["deviation_max"] as? Double == 0)

            let budgets = try await succeed([
                "bench", "budget", "--policy", policy, "--budgets", "60000", "--chunks", "2", "--window", "4",
                "--threads", "1", "--json",
            ]).json()
            let budget = try #require((budgets["results"] as? [[String: Any]])?.first)
            #expect(try #require(budget["vision_ms_p50"] as? Double) > 0.05)

            let robots = try await succeed([
                "bench", "robots", "--policy", policy, "--steps", "2", "--window", "2", "--robots", "2",
                "--runs", "2", "--warm-up", "0", "--threads", "1", "--json",
            ]).json()
            let together = try #require((robots["results"] as? [[String: Any]])?.first)
            #expect(try #require(together["deviation_max"] as? Double) < 1e-4)

            let network = try await succeed([
                "bench", "network", "--architecture", policy, "--batch", "1", "--runs", "1", "--json",
            ]).json()
            #expect(network["parameters"] as? Int != nil)
        }

        @Test func theTableHasColumnsForVision() async throws {
            let options = ["--window", "1", "--runs", "2", "--warm-up", "0", "--steps", "2"]
            let seeing = try await succeed(["bench", "chunk", "--policy", try Self.path()] + options).output
            #expect(seeing.contains("p99  vision"), "\(seeing)")
            #expect(seeing.contains("newest"))
            let policy = try pushTPolicy()
            let blind = try await succeed(["bench", "chunk", "--policy", policy.path] + options).output
            #expect(!blind.contains("vision"), "\(blind)")
        }
    }

    /// What no camera of the simulator is for.
    @Suite struct RefusedCameraTests {
        private func check(_ arguments: [String], names parts: [String]) async throws {
            let ended = try await RunningProgram(arguments).end()
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(ended.output == "")
            for part in parts { #expect(ended.error.contains(part), "no \"\(part)\" in \(ended.error)") }
        }

        private static let offer =
            "PushT gives observation.state [2] (agent position), observation.environment_state [16] (keypoints) "
            + "and frames [96, 96, 3] of one camera"

        @Test(arguments: [
            ("no-crop", "takes frames of observation.image [45, 61, 3]; "),
            (
                "two-cameras-one-encoder",
                "sees through 2 cameras, observation.images.wrist [40, 52, 3] and observation.images.front [40, 52, 3]; "
            ),
            ("environment-state", "takes observation.environment_state [3]; "),
        ])
        func aPolicyThatTheSimulatorCannotServeIsRefused(name: String, reason: String) async throws {
            let fixture = try ImageFixture(name)
            let policy = fixture.copy.directory.path(percentEncoded: false)
            for command in [["sim"], ["bench", "realtime"]] {
                try await check(command + ["--policy", policy], names: [reason + Self.offer])
            }
        }

        @Test(arguments: [["--jpeg"], ["--jpeg", "80"], ["--disturb", "sim/disturbances/poor-camera.json"]])
        func optionsOfTheCameraAreForPoliciesWithOne(option: [String]) async throws {
            let policy = try pushTPolicy()
            let option = option.map { $0.contains("/") ? SourceTree.path($0) : $0 }
            try await check(
                ["sim", "--policy", policy.path] + option,
                names: ["\(option[0]) is for policies with a camera, and the policy policy has none"]
            )
            try await check(
                ["sim", "--print-reset", "1"] + option,
                names: ["\(option[0]) is for episodes, expected none beside --replay and --print-reset"]
            )
        }

        @Test(arguments: ["0", "101", "-5"])
        func aQualityThatIsNoneIsRefused(quality: String) async throws {
            try await check(
                ["sim", "--policy", "p", "--jpeg", quality],
                names: ["--jpeg is \(quality), expected 1...100"]
            )
        }

        @Test func aFileThatDisturbsNothingIsRefused() async throws {
            let folder = try TemporaryFolder()
            let loud =
                #"{"name": "loud", "description": "", "camera": {"noise": {"standard_deviation": 999}}}"#
            try Data(loud.utf8).write(to: folder.file("camera.json"))
            let policy = try pushTPolicy()
            try await check(
                ["sim", "--policy", policy.path, "--disturb", folder.path("camera.json")],
                names: [folder.path("camera.json"), "camera.noise.standard_deviation is 999.0"]
            )
            try await check(
                ["sim", "--policy", policy.path, "--disturb", folder.path("nowhere.json")],
                names: [folder.path("nowhere.json")]
            )
        }
    }
}
