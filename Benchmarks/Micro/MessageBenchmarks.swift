import Benchmark
import Robotics
import Wire

/// Packing and unpacking of what goes over the wire for PushT with keypoints: an observation of 18 numbers, a chunk of 8
/// actions.
func addMessageBenchmarks() {
    Benchmark("message encode observation") { _, messages in
        blackHole(messages.observation.encoded())
    } setup: {
        try Messages()
    }
    Benchmark("message decode observation") { _, messages in
        blackHole(try RobotObservation(decoding: messages.observationBytes))
    } setup: {
        try Messages()
    }
    Benchmark("message encode chunk") { _, messages in
        blackHole(messages.chunk.encode())
    } setup: {
        try Messages()
    }
    Benchmark("message decode chunk") { _, messages in
        blackHole(try RobotChunk(decoding: messages.chunkBytes))
    } setup: {
        try Messages()
    }
}

private final class Messages {
    let observation: RobotObservation
    let observationBytes: [UInt8]
    var chunk: RobotChunk
    let chunkBytes: [UInt8]

    init() throws {
        guard let robot = RobotID("robot") else { preconditionFailure("robot is a robot id") }
        observation = RobotObservation(
            robot: robot,
            episode: .number(3),
            sequence: 120,
            timeNs: 1_700_000_000_000_000_000,
            values: [
                "observation.environment_state": (0..<16).map { 100 + 10 * Float($0) },
                "observation.state": [256, 300],
            ],
            noiseSeed: 42
        )
        observationBytes = observation.encoded()
        var chunk = RobotChunk(
            robot: robot,
            episode: .number(3),
            sequence: 120,
            timeNs: observation.timeNs,
            firstStep: 120,
            actions: (0..<16).map { 200 + Float($0) },
            actionSteps: 8,
            actionDim: 2,
            noiseSeed: 42,
            sampling: RobotChunk.Sampling(
                solver: "ddpm",
                steps: 100,
                method: .paradigms,
                window: 20,
                tolerance: 0.1,
                iterations: 13,
                evaluations: 260,
                residual: 0.09
            ),
            timing: RobotChunk.Timing(receivedNs: 1_000_000_000, publishedNs: 1_050_000_000)
        )
        chunkBytes = chunk.encode()
        self.chunk = chunk
    }
}
