import Robotics

/// A chunk, and when it arrived.
public struct ArrivedChunk: Sendable, Hashable {
    /// The chunk.
    public let chunk: RobotChunk
    /// The time since the episode's start.
    public let time: Duration

    /// A chunk that arrived at a time.
    public init(_ chunk: RobotChunk, at time: Duration) {
        self.chunk = chunk
        self.time = time
    }
}

/// A robot's line to its planner, together with the clock that both live by.
public protocol ChunkLine {
    /// Sets the time to zero.
    mutating func start()

    /// The time since ``start()``.
    var now: Duration { get }

    /// Sends an observation now.
    mutating func publish(_ observation: RobotObservation) throws

    /// Waits until a chunk arrives or the deadline has come, whichever is first. Returns nil at the deadline.
    mutating func nextChunk(until deadline: Duration) throws -> ArrivedChunk?
}
