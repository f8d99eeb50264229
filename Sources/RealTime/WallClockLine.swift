import Wire

/// The line to a daemon, by the wall clock.
public struct WallClockLine: ChunkLine {
    private let client: RobotClient
    private var startInstant = ContinuousClock.now

    /// A line through a client that has exchanged messages with its daemon before, so that none is lost.
    public init(_ client: RobotClient) {
        self.client = client
    }

    /// Sets the time to zero. Chunks under way still arrive.
    public mutating func start() { startInstant = .now }

    /// The time since ``start()``.
    public var now: Duration { startInstant.duration(to: .now) }

    /// Publishes an observation.
    ///
    /// - Throws: `RobotClientError` where the socket fails.
    public func publish(_ observation: ObservationMessage) throws {
        try client.publish(observation)
    }

    /// Waits until a chunk arrives, or to at most a millisecond after the deadline.
    ///
    /// - Throws: `RobotClientError` where the socket fails, or what arrives cannot be read.
    public func nextChunk(until deadline: Duration) throws -> ArrivedChunk? {
        try client.nextChunk(until: startInstant + deadline).map { ArrivedChunk($0, at: now) }
    }
}
