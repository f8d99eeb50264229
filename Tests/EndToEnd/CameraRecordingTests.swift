import Foundation
import MCAP
import Pictures
import PolicyFixtures
import Robotics
import Testing

extension EndToEnd {
    /// `serve --record` and `replay` of a policy that sees.
    @Suite struct CameraRecordingTests {
        private static let size = 96

        private static func pixels(_ step: UInt64) -> [UInt8] {
            (0..<size * size * 3).map { UInt8(truncatingIfNeeded: $0 &* $0 / 7 &+ 40 * Int(step)) }
        }

        private static func frame(_ step: UInt64, isCompressed: Bool) throws -> CameraFrame {
            let pixels = pixels(step)
            guard isCompressed else { return CameraFrame(height: size, width: size, pixels: pixels) }
            var encoder = try PictureEncoder()
            return CameraFrame(
                .picture(try encoder.jpeg(pixels.span, height: size, width: size), format: .jpeg)
            )
        }

        /// Five chunks from frames, one of which stands in for one that is left out. What is asked is sent once, what is published may
        /// be repeated.
        private static func drive(_ daemon: RunningDaemon, isCompressed: Bool) throws {
            let client = try daemon.client()
            for sequence in 0..<5 as Range<UInt64> {
                let frame = sequence == 3 ? nil : try frame(sequence, isCompressed: isCompressed)
                let observation = RobotObservation(
                    robot: try #require(RobotID("arm1")),
                    episode: .number(1),
                    sequence: sequence,
                    timeNs: 1000 + sequence,
                    values: ["observation.state": [0.1 * Float(sequence), -0.5]],
                    frames: frame.map { ["observation.image": $0] } ?? [:]
                )
                _ = try client.predict(observation)
            }
        }

        private static func messages(in file: String) throws -> [RecordedMessage] {
            let reader = try MCAPReader(file)
            var messages: [RecordedMessage] = []
            while let message = try reader.next() { messages.append(message) }
            return messages
        }

        /// Every frame of a recording, and what its image is.
        private static func images(in file: String) throws -> [[String: Any]] {
            try messages(in: file).filter { $0.schema == "foxglove.CompressedImage" }.map { message in
                #expect(message.topic == "/arm1/observation.image")
                let json = try JSONSerialization.jsonObject(with: Data(message.data))
                return try #require(json as? [String: Any])
            }
        }

        @Test func aKilledDaemonsPicturesReplayIdentically() async throws {
            let fixture = try ImageFixture("one-camera")
            let policy = fixture.copy.directory.path(percentEncoded: false)
            let folder = try TemporaryFolder()
            let file = folder.path("killed.mcap")
            let daemon = try await RunningDaemon(policy: policy, options: ["--record", file, "--seed", "5"])
            try Self.drive(daemon, isCompressed: true)
            try await daemon.program.wait(for: "the chunks in the recording") {
                try Self.messages(in: file).count { $0.schema == "denoised.chunk" } >= 5
            }
            daemon.program.send(SIGKILL)
            _ = try await daemon.program.end()

            let images = try Self.images(in: file)
            #expect(images.count == 4)
            for (image, step) in zip(images, [0, 1, 2, 4] as [UInt64]) {
                guard case .picture(let picture, _) = try Self.frame(step, isCompressed: true).content else {
                    continue
                }
                #expect(image["data"] as? String == Data(picture).base64EncodedString())
            }
            let ended = try await RunningProgram(["replay", file, "--policy", policy, "--json"]).end()
            #expect(ended.exitCode == 0, "\(ended)")
            let report = try ended.json()
            #expect(report["cut_off_at"] as? Int != nil && report["same_policy"] as? Bool == true)
            let replay = try #require(report["replay"] as? [String: Any])
            #expect(replay["frames"] as? Int == 4 && replay["chunks"] as? Int == 5, "\(ended)")
            #expect(replay["identical"] as? Int == 5 && replay["different"] as? Int == 0, "\(ended)")
        }

        @Test(arguments: [false, true])
        func pixelsReplayIdenticallyIfTheyWereRecordedWithoutLoss(keepsPixels: Bool) async throws {
            let fixture = try ImageFixture("one-camera")
            let policy = fixture.copy.directory.path(percentEncoded: false)
            let folder = try TemporaryFolder()
            let file = folder.path("pixels.mcap")
            let daemon = try await RunningDaemon(
                policy: policy,
                options: ["--record", file] + (keepsPixels ? ["--record-raw-images"] : [])
            )
            try Self.drive(daemon, isCompressed: false)
            _ = try await daemon.stop()

            let images = try Self.images(in: file)
            #expect(images.count == 4)
            for image in images {
                #expect(image["format"] as? String == (keepsPixels ? "png" : "jpeg"))
                #expect(image["lossy"] as? Bool == !keepsPixels)
            }
            let ended = try await RunningProgram(["replay", file, "--policy", policy]).end()
            #expect(ended.exitCode == 0, "\(ended)")
            let explanation = "Frames that came as pixels were recorded as JPEG"
            #expect(ended.output.contains("5 observations, 4 frames, 5 chunks"), "\(ended)")
            if keepsPixels {
                #expect(ended.output.contains("5 chunks compared, 5 identical"), "\(ended)")
                #expect(!ended.output.contains(explanation))
            } else {
                #expect(ended.output.contains("0 chunks compared, 0 identical"), "\(ended)")
                #expect(
                    ended.output.contains(
                        "5 not comparable: a frame that it was planned from was recorded with loss"
                    )
                )
                #expect(ended.output.components(separatedBy: explanation).count == 2, "said once")
            }
            try await Self.checkWithPython(file)
        }

        /// Reads the file with another program's reader, if there is one.
        private static func checkWithPython(_ file: String) async throws {
            guard let python = ProcessInfo.processInfo.environment["DENOISED_MCAP_PYTHON"] else { return }
            let check = try await RunningProgram(
                [SourceTree.path("Tests/Oracles/recording.py"), "--check", file],
                executable: URL(filePath: python)
            ).end()
            #expect(check.exitCode == 0, "\(check)")
        }

        @Test func theOptionsForFramesAreChecked() async throws {
            let policy = SourceTree.tinyPolicy("processors")
            let alone = try await RunningProgram(["serve", "--policy", policy, "--record-raw-images"]).end()
            #expect(alone.exitCode == 2 || alone.exitCode == 64, "\(alone)")
            #expect(alone.error.contains("expected --record with it"), "\(alone)")

            // A recording of a policy that sees nothing does not fit one that sees.
            let fixture = try ImageFixture("one-camera")
            let ended = try await RunningProgram([
                "replay", SourceTree.path("Tests/MCAPTests/Resources/format1.mcap"), "--policy",
                fixture.copy.directory.path(percentEncoded: false),
            ]).end()
            #expect(ended.exitCode == 2, "\(ended)")
            #expect(ended.error.contains("/observation\" number 0"), "\(ended)")
        }
    }
}
