import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// A robot that keeps the newest message alone on both of its sockets.
    @Suite(.timeLimit(.minutes(10))) struct ConflateTests {
        /// ZMQ_CONFLATE keeps the last frame of a message: no topic arrives, in either direction.
        private static let robot = """
            import sys, time
            import msgpack, zmq
            context = zmq.Context()
            publisher, subscriber = context.socket(zmq.PUB), context.socket(zmq.SUB)
            for socket in publisher, subscriber:
                socket.setsockopt(zmq.CONFLATE, 1)
            publisher.connect(sys.argv[1])
            with_topic = sys.argv[2] == "topic"
            features = (feature.split("=") for feature in sys.argv[3:])
            values = {name: [0.0] * int(count) for name, count in features}
            for sequence in range(400):
                body = msgpack.packb({
                    "v": 1, "type": "observation", "robot": "arm1", "episode": 1, "sequence": sequence, "time_ns": 0,
                    "observation": values,
                })
                publisher.send_multipart([b"observation.arm1", body] if with_topic else [body])
                time.sleep(0.02)
            """

        @Test(.enabled(if: ExampleRobot.pythonPath != nil), arguments: ["topic", "alone"])
        func observationsArrive(frames: String) async throws {
            let daemon = try LocalDaemon()
            let client = try await daemon.client()
            let policy = try client.info().policy
            let features = policy.features.map { "\($0.name)=\($0.count)" }
            let robot = try RunningProgram(
                ["-c", Self.robot, daemon.endpoints.observations, frames] + features,
                executable: URL(filePath: try #require(ExampleRobot.pythonPath))
            )
            try await robot.wait(for: "chunks") { try client.info().statistics.chunks > 3 }
            #expect(try client.info().statistics.rejectedMessages.isEmpty)
            robot.send(SIGTERM)
        }
    }
}
