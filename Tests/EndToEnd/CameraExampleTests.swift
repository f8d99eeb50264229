import Foundation
import PolicyFixtures
import Testing

extension EndToEnd {
    /// The robots of examples/ at a daemon whose policy has a camera.
    @Suite(.timeLimit(.minutes(10))) struct CameraExampleTests {
        /// Writes a grey PNG, without a library.
        private static let writePNG = """
            import struct, sys, zlib
            path, height, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
            def chunk(name, data):
                return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
            rows = zlib.compress((b"\\0" + b"\\x60" * (3 * width)) * height)
            parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
            open(path, "wb").write(b"\\x89PNG\\r\\n\\x1a\\n" + parts)
            """

        private func writePNG(_ path: String, height: Int, width: Int) async throws {
            let python = URL(filePath: try #require(ExampleRobot.pythonPath))
            let arguments = ["-c", Self.writePNG, path, "\(height)", "\(width)"]
            let ended = try await RunningProgram(arguments, executable: python).end()
            try #require(ended.exitCode == 0, "\(ended)")
        }

        private static func policy(_ fixture: ImageFixture) -> String {
            fixture.copy.directory.path(percentEncoded: false)
        }

        private func run(_ robot: ExampleRobot, at daemon: RunningDaemon, _ options: [String]) async throws
            -> RunningProgram.Ended
        {
            let arguments = ["--requests", daemon.endpoints.requests, "--steps", "20"] + options
            return try await robot.run(arguments).end(seconds: 60)
        }

        /// Frames of every kind are what the daemon expects, and are planned from.
        @Test(.enabled(if: ExampleRobot.pythonPath != nil, "DENOISED_TEST_PYTHON is not set"))
        func framesOfEveryKindAreTaken() async throws {
            let fixture = try ImageFixture("one-camera")
            let folder = try TemporaryFolder()
            let pictures = folder.path("pictures")
            try FileManager.default.createDirectory(atPath: pictures, withIntermediateDirectories: true)
            for name in ["a.png", "b.PNG"] {
                try await writePNG("\(pictures)/\(name)", height: 96, width: 96)
            }
            try Data("no picture".utf8).write(to: folder.file("pictures").appending(path: "notes.txt"))
            let daemon = try await RunningDaemon(
                policy: Self.policy(fixture),
                "--robot",
                SourceTree.path("examples/robots/pusht.yaml"),
                "--json"
            )
            let cases: [(options: [String], says: String)] = [
                ([], "camera observation.image: madeup, 96 rows of 96 pixels"),
                (["--camera", "\(pictures)/a.png"], "camera observation.image: pictures, 96 rows"),
                (["--camera", pictures], "camera observation.image: pictures, 96 rows"),
                (
                    ["--camera", "observation.image=\(pictures)", "--commands"],
                    "camera observation.image: pictures"
                ),
            ]
            for (index, (options, says)) in cases.enumerated() {
                let ended = try await run(.python, at: daemon, options + ["--robot", "arm\(index)"])
                #expect(ended.exitCode == 0, "\(options): \(ended)")
                #expect(ended.output.contains(says), "\(options): \(ended)")
                #expect(ended.output.contains(": moving"), "\(options): \(ended)")
                #expect(ended.output.contains(" 0 malformed messages"), "\(options): \(ended)")
            }
            let statistics = try await daemon.stop().json()
            #expect(statistics["rejected_messages"] as? [String: Int] == [:])
            #expect(try #require(statistics["observations"] as? Int) > 20)
            #expect(try #require(statistics["chunks"] as? Int) > 0)
        }

        /// Frames that cannot be used end the robot before it begins.
        @Test(.enabled(if: ExampleRobot.pythonPath != nil, "DENOISED_TEST_PYTHON is not set"))
        func framesThatDoNotFitAreNamed() async throws {
            let fixture = try ImageFixture("one-camera")
            let folder = try TemporaryFolder()
            try await writePNG(folder.path("large.png"), height: 40, width: 52)
            try Data("GIF89a".utf8).write(to: folder.file("other.png"))
            try FileManager.default.createDirectory(
                at: folder.file("empty"),
                withIntermediateDirectories: true
            )
            let jpeg = SourceTree.path("Tests/PicturesTests/Resources/jpeg-420.jpeg")
            let daemon = try await RunningDaemon(policy: Self.policy(fixture))
            let cases: [(cameras: [String], says: String)] = [
                (
                    [folder.path("large.png")],
                    "large.png: 40 rows of 52 pixels, the policy expects 96 rows of 96; --resize"
                ),
                ([jpeg], "jpeg-420.jpeg: 29 rows of 37 pixels, the policy expects 96 rows of 96"),
                ([folder.path("other.png")], "other.png: neither PNG nor JPEG"),
                ([folder.path("empty")], "empty: found no file in it that ends in .jpg, .jpeg, .png"),
                ([folder.path("none.png")], "none.png: no such file or folder"),
                (["front=0"], "--camera front=0: no camera has that name; the policy has observation.image"),
                (["0", "1"], "--camera 1: all twice"),
                (["observation.image=0", "observation.image=1"], "observation.image twice"),
                (["observation.image="], "--camera observation.image=: no source"),
            ]
            for (cameras, says) in cases {
                let ended = try await run(.python, at: daemon, cameras.flatMap { ["--camera", $0] })
                #expect(ended.exitCode == 1, "\(cameras): \(ended)")
                #expect(ended.error.contains(says), "\(cameras): \(ended)")
            }
            _ = try await daemon.stop()
        }

        @Test(.enabled(if: ExampleRobot.pythonPath != nil, "DENOISED_TEST_PYTHON is not set"))
        func aCameraForAPolicyWithoutOneIsRefused() async throws {
            let daemon = try await RunningDaemon(policy: SourceTree.tinyPolicy("processors"))
            let ended = try await run(.python, at: daemon, ["--camera", "0"])
            #expect(ended.exitCode == 1, "\(ended)")
            #expect(ended.error.contains("--camera 0: the policy has no cameras"), "\(ended)")
            _ = try await daemon.stop()
        }

        @Test func theRobotWithoutCamerasSaysSo() async throws {
            let fixture = try ImageFixture("one-camera")
            let daemon = try await RunningDaemon(policy: Self.policy(fixture))
            let ended = try await run(.cpp, at: daemon, [])
            #expect(ended.exitCode == 1, "\(ended)")
            #expect(ended.error.contains("the policy has cameras and this robot has none"), "\(ended)")
            _ = try await daemon.stop()
        }
    }
}
