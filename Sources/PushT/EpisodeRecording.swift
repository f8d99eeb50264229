/// What happened in one episode: the poses and the coverage after every control step, and the score.
public struct EpisodeRecording: Sendable, Hashable {
    /// One moment of an episode.
    public struct Frame: Sendable, Hashable {
        /// The agent's centre.
        public let agentPosition: SIMD2<Double>
        /// The origin of the block's body coordinates.
        public let blockPosition: SIMD2<Double>
        /// The block's angle in [0, 2 pi).
        public let blockAngle: Double
        /// The share of the goal that the block covers, in [0, 1].
        public let coverage: Double
    }

    /// The task.
    public let scenario: Scenario
    /// The seed of the reset; nil if the episode started from a given state.
    public let seed: UInt64?
    /// The start, then one frame a step.
    public private(set) var frames: [Frame]

    /// A recording that starts with what the simulation shows now, right after a reset.
    public init(of simulation: PushTSimulation, seed: UInt64?) {
        scenario = simulation.scenario
        self.seed = seed
        frames = [Frame(simulation.observation, coverage: simulation.coverage)]
        frames.reserveCapacity(scenario.episode.maxSteps + 1)
    }

    /// Adds what one action led to.
    public mutating func append(_ outcome: StepOutcome) {
        frames.append(Frame(outcome.observation, coverage: outcome.coverage))
    }

    /// Actions taken.
    public var stepCount: Int { frames.count - 1 }

    /// The largest coverage after any step, in [0, 1]; 0 before the first. The start does not count.
    public var maxCoverage: Double { frames.dropFirst().reduce(0) { max($0, $1.coverage) } }

    /// The largest reward of any step: max over steps of min(coverage / success coverage, 1).
    public var score: Double { scenario.reward(coverage: maxCoverage) }

    /// Whether the coverage was above the success coverage after some step.
    public var isSuccess: Bool { maxCoverage > scenario.episode.successCoverage }
}

extension EpisodeRecording.Frame {
    fileprivate init(_ observation: PushTObservation, coverage: Double) {
        self.init(
            agentPosition: observation.agentPosition,
            blockPosition: observation.blockPosition,
            blockAngle: observation.blockAngle,
            coverage: coverage
        )
    }
}
