import Foundation
import Pictures
import PolicyFixtures
import Robotics
import Testing
import Transport
import Wire

extension EndToEnd {
    /// Frames of a camera server in Python, which sends what LeRobot's image server sends.
    @Suite(.timeLimit(.minutes(10))) struct CameraServerTests {
        /// Publishes the same picture 30 times a second, as LeRobot does; prints its endpoint.
        private static let server = """
            import base64, json, sys, time, zmq
            path, name = sys.argv[1:]
            socket = zmq.Context().socket(zmq.PUB)
            socket.setsockopt(zmq.SNDHWM, 20)
            socket.setsockopt(zmq.LINGER, 0)
            print(f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}", flush=True)
            image = base64.b64encode(open(path, "rb").read()).decode("utf-8")
            while True:
                message = {"timestamps": {name: time.time()}, "images": {name: image}}
                socket.send_string(json.dumps(message), zmq.NOBLOCK)
                time.sleep(1 / 30)
            """

        private static let camera = "observation.image"
        private static let side = 96

        /// A picture with a gradient in each colour: red, green and blue of each pixel.
        private static var pixels: [UInt8] {
            var pixels: [UInt8] = []
            for row in 0..<side {
                for column in 0..<side { pixels += [UInt8(2 * row), UInt8(2 * column), UInt8(255 - row)] }
            }
            return pixels
        }

        private func jpeg() throws -> [UInt8] {
            var encoder = try PictureEncoder()
            return try encoder.jpeg(Self.pixels.span, height: Self.side, width: Self.side)
        }

        private func state(_ episode: UInt64, frame: CameraFrame? = nil) throws -> RobotObservation {
            RobotObservation(
                robot: try #require(RobotID("arm1")),
                episode: .number(episode),
                sequence: 0,
                timeNs: 1000,
                values: ["observation.state": [100, 200]],
                frames: frame.map { [Self.camera: $0] } ?? [:],
                replan: true,
                noiseSeed: 7
            )
        }

        /// The frame that LeRobot's client makes of the picture: decoded, with red and blue exchanged.
        private func frameOfLeRobot(_ jpeg: [UInt8]) throws -> CameraFrame {
            let header = try PictureHeader(reading: jpeg.span, as: .jpeg)
            var decoder = try PictureDecoder()
            var pixels = [UInt8](repeating: 0, count: header.pixelByteCount)
            var span = pixels.mutableSpan
            try decoder.decode(jpeg.span, header, into: &span)
            for pixel in stride(from: 0, to: pixels.count, by: 3) { pixels.swapAt(pixel, pixel + 2) }
            return CameraFrame(height: header.height, width: header.width, pixels: pixels)
        }

        @Test(.enabled(if: ExampleRobot.pythonPath != nil, "DENOISED_TEST_PYTHON is not set"))
        func aRobotThatSendsItsStateAloneGetsTheChunkOfTheServersFrame() async throws {
            let fixture = try ImageFixture("one-camera")
            let folder = try TemporaryFolder()
            let jpeg = try jpeg()
            try Data(jpeg).write(to: folder.file("picture.jpeg"))
            let python = URL(filePath: try #require(ExampleRobot.pythonPath))
            let server = try RunningProgram(
                ["-c", Self.server, folder.path("picture.jpeg"), "head"],
                executable: python
            )
            try await server.wait(for: "the server's endpoint") {
                try #require(server.isRunning, "\(server.error)")
                return server.output.hasSuffix("\n")
            }
            let endpoint = server.output.trimmingCharacters(in: .whitespacesAndNewlines)
            let policy = fixture.copy.directory.path(percentEncoded: false)
            let source = "\(Self.camera)=head@\(endpoint)"
            let daemon = try await RunningDaemon(policy: policy, "--camera", source)
            let client = try daemon.client()
            var told: CameraServerStatus?
            try await daemon.program.wait(for: "a frame") {
                let info = try RobotClient.info(from: daemon.endpoints.requests, context: daemon.context)
                told = info.cameraServers.first
                return (told?.frames ?? 0) > 0
            }
            let joined = try client.chunk(for: state(1))
            let sent = try client.chunk(for: state(2, frame: frameOfLeRobot(jpeg)))
            #expect(joined.actions == sent.actions)
            #expect(told?.camera == Self.camera && told?.name == "head" && told?.endpoint == endpoint)
            #expect(told?.refused == 0 && told?.repeated == 0)

            // The server dies: frames are used for half a second, then the robot is as good as silent.
            server.send(SIGKILL)
            _ = try await server.end()
            try await Task.sleep(for: .milliseconds(700))
            let request = Request.predict(try state(3))
            let error = #expect(throws: RobotClientError.self) {
                try RobotClient.answer(to: request, from: daemon.endpoints.requests, context: daemon.context)
            }
            #expect("\(error.map { "\($0)" } ?? "")".contains("expected at most 500 ms"))
            let ended = try await daemon.stop()
            #expect(
                ended.output.contains("  camera        \(Self.camera) from \(endpoint) (head)"),
                "\(ended)"
            )
        }

        static let refused: [(options: [String], says: String)] = [
            (["observation.imag=tcp://127.0.0.1:5"], "--camera observation.imag: the policy "),
            (["observation.image"], "expected CAMERA=tcp://HOST:PORT"),
            (["=tcp://127.0.0.1:5"], "expected CAMERA=tcp://HOST:PORT"),
            (["observation.image=@tcp://127.0.0.1:5"], "expected CAMERA=tcp://HOST:PORT"),
            (["observation.image=tcp://127.0.0.1:70000"], "a port from 1 to 65535"),
            (
                ["observation.image=tcp://127.0.0.1:5", "observation.image=tcp://127.0.0.1:6"],
                "--camera observation.image is given twice"
            ),
            (
                ["observation.image=tcp://10.0.0.1:5"],
                "tcp://10.0.0.1:5 is on another machine, and camera servers have no keys"
            ),
        ]

        /// By default observations come to 5555, which is also where LeRobot's camera servers are.
        @Test(arguments: [
            ["serve"],
            ["serve", "--observations", "tcp://127.0.0.1:5554", "--requests", "tcp://*:5555", "--insecure"],
        ])
        func aDaemonIsNoCameraServerOfItsOwn(command: [String]) async throws {
            let fixture = try ImageFixture("one-camera")
            let policy = ["--policy", fixture.copy.directory.path(percentEncoded: false)]
            let camera = ["--camera", "observation.image=tcp://127.0.0.1:5555"]
            let ended = try await RunningProgram(command + policy + camera).end()
            #expect(ended.exitCode == 2, "\(ended)")
            let expected =
                "--camera: observation.image: found tcp://127.0.0.1:5555, where the daemon itself listens"
            #expect(ended.error.contains(expected), "\(ended)")
        }

        @Test(arguments: refused)
        func wrongSourcesAreNamed(options: [String], says: String) async throws {
            let fixture = try ImageFixture("one-camera")
            let policy = fixture.copy.directory.path(percentEncoded: false)
            let free = "tcp://127.0.0.1:*"
            let ended = try await RunningProgram(
                [
                    "serve", "--policy", policy, "--observations", free, "--chunks", free, "--requests", free,
                ] + options.flatMap { ["--camera", $0] }
            ).end()
            #expect(ended.exitCode == 2, "\(options): \(ended)")
            #expect(ended.error.contains(says), "\(options): \(ended)")
        }
    }
}
