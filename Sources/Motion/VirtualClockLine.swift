import Robotics

/// A line by a clock that only moves where somebody waits: an episode takes as long as its planning, and goes as it would
/// by the wall clock.
///
/// A chunk is planned when its observation is published, and arrives after the time that planning it took. A planner does
/// one chunk at a time, and of the observations that wait for it takes the newest, as the daemon does.
public struct VirtualClockLine: ChunkLine {
    /// Answers an observation that asks for a chunk, and tells how long that took.
    public typealias Plan = (RobotObservation) throws -> (chunk: RobotChunk, latency: Duration)

    private struct Planned {
        let chunk: RobotChunk
        let start: Duration
        let end: Duration
    }

    private let plan: Plan
    private let observe: (RobotObservation) throws -> Void
    private var underWay: [Planned] = []
    /// The time since ``start()``.
    public private(set) var now: Duration = .zero

    /// A line to a planner.
    ///
    /// - Parameters:
    ///   - plan: gets the observations that ask for a chunk.
    ///   - observe: gets the others.
    public init(plan: @escaping Plan, observe: @escaping (RobotObservation) throws -> Void) {
        self.plan = plan
        self.observe = observe
    }

    /// Sets the time to zero and forgets what is under way.
    public mutating func start() {
        now = .zero
        underWay = []
    }

    /// Hands an observation over; if it asks for a chunk, that is planned at once, and arrives when it would.
    ///
    /// - Throws: what the planner throws.
    public mutating func publish(_ observation: RobotObservation) throws {
        guard observation.replan ?? true else { return try observe(observation) }
        let (chunk, latency) = try plan(observation)
        underWay.removeAll { $0.start > now }
        let start = max(now, underWay.last?.end ?? .zero)
        underWay.append(Planned(chunk: chunk, start: start, end: start + latency))
    }

    /// Moves the clock to the next chunk's arrival or to the deadline, whichever is first.
    public mutating func nextChunk(until deadline: Duration) -> ArrivedChunk? {
        if let first = underWay.first, first.end <= deadline {
            underWay.removeFirst()
            now = max(now, first.end)
            return ArrivedChunk(first.chunk, at: first.end)
        }
        now = max(now, deadline)
        return nil
    }
}
