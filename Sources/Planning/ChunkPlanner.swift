import Clocks
import Policy
import Robotics

/// What turns a history of observations into an action chunk: a policy, to the daemon. It is made and used on one
/// thread of its own.
public protocol ChunkPlanner: SendableMetatype {
    /// The features of an observation, and the sizes of a chunk.
    var policy: PolicyDescription { get }
    /// How chunks are sampled. Changes only while the planner is tuned.
    var sampler: SamplerDescription { get }
    /// Features that a robot may send besides those of `policy`, and that are not read.
    var ignoredFeatures: Set<String> { get }
    /// Bytes of the weights that the planner keeps in memory; 0 if it has none.
    var weightBytes: Int { get }

    /// An empty history for a robot: of `policy.nObsSteps` observations with exactly the features of `policy`.
    func makeHistory() -> ObservationHistory

    /// Samples a chunk.
    ///
    /// Without a deadline, and unless the planner says otherwise, the result depends on the history and the noise seed
    /// alone, so that a repeated observation gets the same chunk.
    mutating func plan(_ request: PlanningRequest) throws -> PlannedChunk

    /// What the planner has of the chunk that it is planning, for when time is up; nil: nothing until it is done.
    var interim: (any InterimChunk)? { get }

    /// Does what chunks of a history, or of those that follow it, would wait for: encodes the newest frame of a camera. Called
    /// while no chunk is to be planned.
    ///
    /// - Returns: the frame, if it cannot be decoded and has not been told of before.
    mutating func prepare(_ history: ObservationHistory, camera: Int) -> BadFrame?

    /// When chunks of several robots are planned together; nil: never. Changes only while the planner is tuned.
    var grouping: Grouping? { get }

    /// Whether there is nothing to measure that would make chunks faster.
    var isTuned: Bool { get }

    /// Measures what makes later chunks faster, in the time that is left between chunks. Returns when that is done, or when the
    /// turns have ended.
    ///
    /// - Parameters:
    ///   - turns: says when there is time.
    ///   - serve: what `turns` does with the planner while the measurement waits.
    /// - Throws: what keeps the planner from being tuned. It plans as before then.
    mutating func tune(_ turns: IdleTurns, serve: (inout Self) -> IdleTurns.Service) throws

    /// Samples the chunks of several robots together, as many as ``grouping`` says at most. The chunks are ready when the first
    /// of the deadlines comes.
    ///
    /// - Returns: for each request its chunk, or why there is none.
    mutating func plan(together requests: [PlanningRequest]) -> [Result<PlannedChunk, any Error>]

    /// How far two chunks' numbers lie apart, both [k, actionDim] in the robot's units: their largest difference, in units in
    /// which all dimensions count alike.
    func deviation(of actions: [Float], from reference: [Float]) -> Float
}

extension ChunkPlanner {
    /// A robot sends the policy's features and no others.
    public var ignoredFeatures: Set<String> { [] }

    /// There are no weights.
    public var weightBytes: Int { 0 }

    /// A chunk is there when it is done.
    public var interim: (any InterimChunk)? { nil }

    /// Does nothing.
    public mutating func prepare(_ history: ObservationHistory, camera: Int) -> BadFrame? { nil }

    /// Chunks are planned one after the other.
    public var grouping: Grouping? { nil }

    /// There is nothing to measure.
    public var isTuned: Bool { true }

    /// Does nothing.
    public mutating func tune(_ turns: IdleTurns, serve: (inout Self) -> IdleTurns.Service) {}

    /// Plans one after the other.
    public mutating func plan(together requests: [PlanningRequest]) -> [Result<PlannedChunk, any Error>] {
        requests.map { request in Result { try plan(request) } }
    }

    /// The largest difference in the robot's units.
    public func deviation(of actions: [Float], from reference: [Float]) -> Float {
        zip(actions, reference).map { abs($0 - $1) }.max() ?? 0
    }
}

/// The chunk that a ``ChunkPlanner`` is planning, as far as it has come. Another thread takes it if time is up and a core has
/// stopped; see `StallWatch`.
public protocol InterimChunk: Sendable {
    /// Takes the chunk, once at most; the planner goes on.
    ///
    /// - Parameter frozen: ``PlanningRequest/frozen`` of the chunk being planned.
    /// - Returns: nil if there is nothing that a robot could carry out, or nothing any more.
    func claim(frozen: [Float]) -> PlannedChunk?
}

/// A camera's picture that cannot be decoded.
public struct BadFrame: Sendable, Hashable {
    /// The camera's name.
    public var camera: String
    /// The format, what was found and what was expected.
    public var reason: String

    /// A picture of that camera.
    public init(camera: String, reason: String) {
        self.camera = camera
        self.reason = reason
    }
}

/// What a ``ChunkPlanner`` is asked for.
public struct PlanningRequest: Sendable {
    /// Who asks.
    public var robot: RobotID
    /// The episode of the newest observation.
    public var episode: EpisodeID
    /// The sequence number of the newest observation: its control step.
    public var sequence: UInt64
    /// One that ``ChunkPlanner/makeHistory()`` made, with at least one observation.
    public var history: ObservationHistory
    /// The seed of the sampling noise.
    public var noiseSeed: UInt64
    /// The actions that the robot will carry out at the control steps `sequence`, `sequence` + 1, ... whatever the chunk says,
    /// [k, actionDim] in the robot's units: the chunk begins with them. Empty if nothing is known; k is at most `horizon`
    /// - `nObsSteps` + 1.
    public var frozen: [Float]
    /// When the chunk must be there; nil if it takes the time it takes.
    public var deadline: MonotonicTime?

    /// A request.
    public init(
        robot: RobotID,
        episode: EpisodeID,
        sequence: UInt64,
        history: ObservationHistory,
        noiseSeed: UInt64,
        frozen: [Float] = [],
        deadline: MonotonicTime? = nil
    ) {
        self.robot = robot
        self.episode = episode
        self.sequence = sequence
        self.history = history
        self.noiseSeed = noiseSeed
        self.frozen = frozen
        self.deadline = deadline
    }
}

/// A chunk as a ``ChunkPlanner`` returns it.
public struct PlannedChunk: Sendable, Hashable {
    /// The actions in the robot's units, row-major [nActionSteps, actionDim]; the first is for the control step of the
    /// newest observation.
    public var actions: [Float]
    /// The actions predicted to follow them, row-major [k, actionDim]; k may be 0.
    public var beyond: [Float]
    /// Those of ``PlanningRequest/frozen`` that the planner took up; empty if it sampled everything.
    public var frozen: [Float]
    /// How they were sampled.
    public var sampling: RobotChunk.Sampling
    /// Whether they were sampled together with other robots' chunks, not in turn.
    public var isGrouped = false
    /// Frames of earlier observations that cannot be decoded, which have not been told of before. The chunk is planned without
    /// those observations.
    public var badFrames: [BadFrame] = []
    /// Nanoseconds spent on decoding and encoding frames; nil if the policy has no cameras.
    public var visionNs: UInt64?
    /// Nanoseconds spent on normalising the history and preparing the network's condition.
    public var conditionNs: UInt64
    /// Nanoseconds spent in the denoising steps.
    public var sampleNs: UInt64

    /// A chunk.
    public init(
        actions: [Float],
        beyond: [Float] = [],
        frozen: [Float] = [],
        sampling: RobotChunk.Sampling,
        conditionNs: UInt64,
        sampleNs: UInt64
    ) {
        self.actions = actions
        self.beyond = beyond
        self.frozen = frozen
        self.sampling = sampling
        self.conditionNs = conditionNs
        self.sampleNs = sampleNs
    }
}
