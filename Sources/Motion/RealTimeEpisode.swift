import Robotics

/// One episode of a robot whose world does not wait.
///
/// Control step k begins at k periods. There the robot observes, and carries out what its ``ChunkSchedule`` has for the
/// step; between two steps, observations travel and chunks arrive.
public struct RealTimeEpisode<Line: ChunkLine> {
    /// The beginning of a control step.
    public struct Tick {
        /// The control step.
        public let step: UInt64
        /// What to carry out; nil: hold what was carried out last.
        public let action: ActionPlan.Action?
        /// The chunks that arrived since the step before.
        public let arrived: [Arrival]
        /// How much later than planned the step began.
        public let lateness: Duration
    }

    /// A chunk that arrived.
    public struct Arrival {
        /// The chunk.
        public let chunk: RobotChunk
        /// From the control step of its observation to its arrival.
        public let latency: Duration
        /// What became of it.
        public let reception: ChunkSchedule.Reception
    }

    private var line: Line
    private var schedule: ChunkSchedule
    private let period: Duration
    private let delay: Duration
    /// Observations on their way, and when they are through.
    private var delayed: [(time: Duration, observation: RobotObservation)] = []

    /// An episode that has not begun.
    ///
    /// - Parameters:
    ///   - line: the way to the planner and back.
    ///   - settings: how chunks are asked for and joined.
    ///   - delay: how long an observation takes before it is published, from 0.
    ///   - latency: how long a chunk has taken so far, `delay` included.
    public init(
        on line: Line,
        settings: ChunkSchedule.Settings,
        delay: Duration,
        latency: LatencyEstimate
    ) {
        precondition(delay >= .zero, "the delay is \(delay), expected none or more")
        self.line = line
        self.period = settings.period
        self.delay = delay
        self.schedule = ChunkSchedule(
            settings,
            latency: latency,
            planning: max(latency.longest - delay, .zero)
        )
    }

    /// Runs until `act` says that the episode is over.
    ///
    /// - Parameters:
    ///   - observe: makes the observation of a control step; `request` is the chunk that it asks for, nil if it asks for none.
    ///   - act: carries out a step, in less than a period, and returns whether it was the last.
    /// - Throws: what the two and the line throw.
    public mutating func run(
        observe: (_ step: UInt64, _ request: ChunkRequest?) throws -> RobotObservation,
        act: (Tick) throws -> Bool
    ) throws {
        line.start()
        var step: UInt64 = 0
        var arrived: [Arrival] = []
        var isOver = false
        while !isOver {
            let time = period * Int(step)
            let lateness = max(line.now - time, .zero)
            let observation = try observe(step, schedule.request(at: step))
            delayed.append((time + delay, observation))
            try publishDelayed()
            isOver = try act(
                Tick(step: step, action: schedule.action(at: step), arrived: arrived, lateness: lateness)
            )
            step += 1
            if !isOver { arrived = try wait(for: step, of: observation.episode) }
        }
    }

    /// Waits for the beginning of a control step, and returns the chunks that arrived meanwhile.
    private mutating func wait(for step: UInt64, of episode: EpisodeID) throws -> [Arrival] {
        let end = period * Int(step)
        var arrivals: [Arrival] = []
        while true {
            let deadline = min(delayed.first?.time ?? end, end)
            if let arrived = try line.nextChunk(until: deadline) {
                let chunk = arrived.chunk
                // What answers the episode before is nobody's.
                guard chunk.episode == episode, chunk.sequence < step else { continue }
                let latency = arrived.time - period * Int(chunk.sequence)
                let reception = schedule.receive(chunk, latency: latency, before: step)
                arrivals.append(Arrival(chunk: chunk, latency: latency, reception: reception))
            } else if let first = delayed.first, first.time <= line.now {
                try publishDelayed()
            } else if line.now >= end {
                return arrivals
            }
        }
    }

    private mutating func publishDelayed() throws {
        while let first = delayed.first, first.time <= line.now {
            try line.publish(first.observation)
            delayed.removeFirst()
        }
    }
}
