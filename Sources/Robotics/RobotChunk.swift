/// An action chunk for a robot: published under the topic `chunk.<robot>`, or sent as the reply to `predict`.
public struct RobotChunk: Sendable, Hashable {
    /// How the chunk was sampled.
    public struct Sampling: Sendable, Hashable {
        /// The solver: `ddpm`, `ddim` or `dpmsolver++`.
        public var solver: String
        /// The number of denoising steps.
        public var steps: Int
        /// How the denoising steps are taken.
        public var method: SamplingMethod
        /// The window of a parallel method, in denoising steps; 1 if sequential.
        public var window: Int
        /// The tolerance of a parallel method, in its own unit; 0 if sequential.
        public var tolerance: Double
        /// Parallel iterations: forward passes of the network one after the other.
        public var iterations: Int
        /// Model evaluations: (sample, timestep) pairs that went through the network.
        public var evaluations: Int
        /// What was neglected, in the tolerance's unit; 0 if sequential.
        public var residual: Double
        /// How near the chunk is to the sequential one.
        public var quality: ChunkQuality
        /// The coarse steps of a coarse chunk; 0 for the others.
        public var coarseSteps: Int
        /// The passes of the network that the chunk comes from, in their order. Empty if the chunk was taken before it was
        /// finished, because it would have been late.
        public var passes: [SamplingPass]

        /// A sampling with these figures.
        public init(
            solver: String,
            steps: Int,
            method: SamplingMethod,
            window: Int = 1,
            tolerance: Double = 0,
            iterations: Int,
            evaluations: Int,
            residual: Double = 0,
            quality: ChunkQuality = .exact,
            coarseSteps: Int = 0,
            passes: [SamplingPass] = []
        ) {
            self.solver = solver
            self.steps = steps
            self.method = method
            self.window = window
            self.tolerance = tolerance
            self.iterations = iterations
            self.evaluations = evaluations
            self.residual = residual
            self.quality = quality
            self.coarseSteps = coarseSteps
            self.passes = passes
        }
    }

    /// Nanoseconds spent in each stage between the receipt of the observation and the publishing of the chunk.
    public struct Stages: Sendable, Hashable {
        /// Unpacking the observation, checking it and adding it to the history.
        public var decode: UInt64
        /// Waiting for the planner.
        public var queue: UInt64
        /// Decoding and encoding frames of cameras; nil if the policy has none.
        public var vision: UInt64?
        /// Normalising the history and preparing the network's condition.
        public var condition: UInt64
        /// Sampling: the denoising steps.
        public var sample: UInt64
        /// From the end of sampling until the chunk was packed: unnormalising, hand-over and packing.
        public var encode: UInt64
        /// All of it; at least the sum of the others.
        public var total: UInt64

        /// The time of each stage, in nanoseconds.
        public init(
            decode: UInt64 = 0,
            queue: UInt64 = 0,
            vision: UInt64? = nil,
            condition: UInt64 = 0,
            sample: UInt64 = 0,
            encode: UInt64 = 0,
            total: UInt64 = 0
        ) {
            self.decode = decode
            self.queue = queue
            self.vision = vision
            self.condition = condition
            self.sample = sample
            self.encode = encode
            self.total = total
        }
    }

    /// When the daemon handled the observation, and how long it took. Set last, after the rest has been packed.
    public struct Timing: Sendable, Hashable {
        /// The time spent in each stage.
        public var stages: Stages
        /// The daemon's monotonic clock at the receipt of the observation, in nanoseconds.
        public var receivedNs: UInt64
        /// The daemon's monotonic clock when the chunk was packed, in nanoseconds.
        public var publishedNs: UInt64
        /// The daemon's wall clock (since 1970, UTC) at the same moment, in nanoseconds.
        public var wallNs: UInt64

        /// A chunk's time stamps.
        public init(
            stages: Stages = Stages(),
            receivedNs: UInt64,
            publishedNs: UInt64 = 0,
            wallNs: UInt64 = 0
        ) {
            self.stages = stages
            self.receivedNs = receivedNs
            self.publishedNs = publishedNs
            self.wallNs = wallNs
        }
    }

    /// Whose chunk it is.
    public var robot: RobotID
    /// The episode of the observation.
    public var episode: EpisodeID
    /// The sequence number of the observation that the chunk answers.
    public var sequence: UInt64
    /// That observation's time stamp, of the robot's clock, echoed.
    public var timeNs: UInt64
    /// The control step at which the first action applies.
    public var firstStep: UInt64
    /// The actions in the robot's units, row-major [actionSteps, actionDim].
    public var actions: [Float]
    /// The number of actions.
    public var actionSteps: Int
    /// The numbers in each action.
    public var actionDim: Int
    /// The actions that were predicted to follow `actions`, row-major [k, actionDim]: a robot whose next chunk is late may
    /// go on with them. Empty if the policy predicts none.
    public var beyond: [Float]
    /// The first of the actions that were not sampled but given, row-major [k, actionDim]: what the robot was assumed to carry
    /// out at control steps `firstStep` ..< `firstStep` + k. Empty if nothing was.
    public var frozen: [Float]
    /// The seed of the sampling noise.
    public var noiseSeed: UInt64
    /// The name of the policy that planned it, if the daemon runs several.
    public var policy: String?
    /// How it was sampled.
    public var sampling: Sampling
    /// When, and how long it took.
    public var timing: Timing

    /// A chunk. `actions` has `actionSteps * actionDim` numbers, `beyond` and `frozen` whole actions.
    public init(
        robot: RobotID,
        episode: EpisodeID,
        sequence: UInt64,
        timeNs: UInt64,
        firstStep: UInt64,
        actions: [Float],
        actionSteps: Int,
        actionDim: Int,
        beyond: [Float] = [],
        frozen: [Float] = [],
        noiseSeed: UInt64,
        sampling: Sampling,
        timing: Timing
    ) {
        precondition(actions.count == actionSteps * actionDim, "actions do not fill [actionSteps, actionDim]")
        precondition(beyond.isEmpty || beyond.count.isMultiple(of: actionDim), "beyond has part of an action")
        precondition(frozen.isEmpty || frozen.count.isMultiple(of: actionDim), "frozen has part of an action")
        self.robot = robot
        self.episode = episode
        self.sequence = sequence
        self.timeNs = timeNs
        self.firstStep = firstStep
        self.actions = actions
        self.actionSteps = actionSteps
        self.actionDim = actionDim
        self.beyond = beyond
        self.frozen = frozen
        self.noiseSeed = noiseSeed
        self.sampling = sampling
        self.timing = timing
    }

    /// The action for control step `firstStep + index`: `actionDim` numbers.
    public func action(_ index: Int) -> ArraySlice<Float> {
        actions[index * actionDim..<(index + 1) * actionDim]
    }

    /// The number of actions in `beyond`.
    public var beyondSteps: Int { beyond.isEmpty ? 0 : beyond.count / actionDim }

    /// The number of actions in `frozen`.
    public var frozenSteps: Int { frozen.isEmpty ? 0 : frozen.count / actionDim }
}
