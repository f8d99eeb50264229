import Clocks
import Motion
import Robotics
import Transport

/// The line to a daemon, by the wall clock.
struct WallClockLine: ChunkLine {
    private let client: RobotClient
    private var started = MonotonicTime.now()

    /// A line through a client that has exchanged messages with its daemon before, so that none is lost.
    init(_ client: RobotClient) {
        self.client = client
    }

    /// Sets the time to zero. Chunks under way still arrive.
    mutating func start() { started = .now() }

    /// The time since ``start()``.
    var now: Duration { .now() - started }

    /// Publishes an observation.
    ///
    /// - Throws: `RobotClientError` if the socket fails.
    func publish(_ observation: RobotObservation) throws {
        try client.publish(observation)
    }

    /// Waits until a chunk arrives, or to at most a millisecond after the deadline.
    ///
    /// - Throws: `RobotClientError` if the socket fails, or what arrives cannot be read.
    func nextChunk(until deadline: Duration) throws -> ArrivedChunk? {
        try client.nextChunk(until: started + deadline).map { ArrivedChunk($0, at: now) }
    }
}

extension VirtualClockLine {
    /// A line to a daemon, which plans while the clock stands still.
    ///
    /// - Parameter repeatInterval: after what time an observation is published again whose chunk is not there.
    init(_ client: RobotClient, timeout: Duration = .seconds(120), repeatInterval: Duration) {
        self.init(
            plan: { observation in
                let start = MonotonicTime.now()
                let chunk = try client.chunk(
                    for: observation,
                    timeout: timeout,
                    longestInterval: repeatInterval
                )
                return (chunk, .now() - start)
            },
            observe: { try client.publish($0) }
        )
    }
}
