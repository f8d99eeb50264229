import Policy
import Wire

/// What turns a history of observations into an action chunk: a policy, to the daemon. It is made and used on one
/// thread of its own.
public protocol ChunkPlanner: SendableMetatype {
    /// The features of an observation, and the sizes of a chunk.
    var policy: InfoMessage.Policy { get }
    /// How chunks are sampled.
    var sampler: InfoMessage.Sampler { get }

    /// An empty history for a robot: of `policy.nObsSteps` observations with exactly the features of `policy`.
    func makeHistory() -> ObservationHistory

    /// Samples a chunk.
    ///
    /// The result depends on the arguments alone, so that a repeated observation gets the same chunk.
    /// - Parameters:
    ///   - history: one that ``makeHistory()`` made, with at least one observation.
    ///   - noiseSeed: the seed of the sampling noise.
    mutating func plan(history: ObservationHistory, noiseSeed: UInt64) throws -> PlannedChunk
}

/// A chunk as a ``ChunkPlanner`` returns it.
public struct PlannedChunk: Sendable, Hashable {
    /// The actions in the robot's units, row-major [nActionSteps, actionDim]; the first is for the control step of the
    /// newest observation.
    public var actions: [Float]
    /// The actions predicted to follow them, row-major [k, actionDim]; k may be 0.
    public var beyond: [Float]
    /// How they were sampled.
    public var sampling: ChunkMessage.Sampling
    /// Nanoseconds spent on normalising the history and preparing the network's condition.
    public var conditionNs: UInt64
    /// Nanoseconds spent in the denoising steps.
    public var sampleNs: UInt64

    /// A chunk.
    public init(
        actions: [Float],
        beyond: [Float] = [],
        sampling: ChunkMessage.Sampling,
        conditionNs: UInt64,
        sampleNs: UInt64
    ) {
        self.actions = actions
        self.beyond = beyond
        self.sampling = sampling
        self.conditionNs = conditionNs
        self.sampleNs = sampleNs
    }
}
