/// An action chunk: published under the topic `chunk.<robot>`, or sent as the reply to `predict`.
public struct ChunkMessage: Sendable, Hashable {
    /// How the chunk was sampled.
    public struct Sampling: Sendable, Hashable {
        /// The solver: `ddpm`, `ddim` or `dpmsolver++`.
        public var solver: String
        /// The number of denoising steps.
        public var steps: Int
        /// `sequential`, `quasi-newton` or `paradigms`.
        public var method: String
        /// The window of a parallel method, in steps; 1 where sequential.
        public var window: Int
        /// The tolerance of a parallel method, in its own unit; 0 where sequential.
        public var tolerance: Double
        /// Parallel iterations: forward passes of the network one after the other.
        public var iterations: Int
        /// Model evaluations: (sample, timestep) pairs that went through the network.
        public var evaluations: Int
        /// What was neglected, in the tolerance's unit; 0 where sequential.
        public var residual: Double
        /// `exact`: the sequential chunk; `converged`: that within the tolerance; `coarse`: finished in long steps, to be in
        /// time.
        public var quality: String
        /// The long steps of a coarse chunk; 0 for the others.
        public var coarseSteps: Int

        /// A sampling with these figures.
        public init(
            solver: String,
            steps: Int,
            method: String,
            window: Int = 1,
            tolerance: Double = 0,
            iterations: Int,
            evaluations: Int,
            residual: Double = 0,
            quality: String = "exact",
            coarseSteps: Int = 0
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
        }
    }

    /// Nanoseconds spent in each stage between the receipt of the observation and the publishing of the chunk.
    public struct Stages: Sendable, Hashable {
        /// Unpacking the observation, checking it and adding it to the history.
        public var decode: UInt64
        /// Waiting for the planner.
        public var queue: UInt64
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
            condition: UInt64 = 0,
            sample: UInt64 = 0,
            encode: UInt64 = 0,
            total: UInt64 = 0
        ) {
            self.decode = decode
            self.queue = queue
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
    /// go on with them. Empty where the policy predicts none.
    public var beyond: [Float]
    /// The first of the actions that were not sampled but given, row-major [k, actionDim]: what the robot was assumed to carry
    /// out at steps `firstStep` ..< `firstStep` + k. Empty where nothing was.
    public var frozen: [Float]
    /// The seed of the sampling noise.
    public var noiseSeed: UInt64
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

    /// Reads a published chunk.
    public init(decoding bytes: [UInt8], limits: MessagePackLimits = .standard) throws(MessageError) {
        let envelope = try Envelope(bytes, limits: limits)
        try envelope.expect("chunk")
        try self.init(envelope.fields)
    }

    init(_ fields: FieldReader) throws(MessageError) {
        robot = try fields.robot()
        episode = try fields.episode()
        sequence = try fields.unsigned("sequence")
        timeNs = try fields.unsigned("time_ns")
        firstStep = try fields.unsigned("first_step")
        let (elements, shape) = try NumericArray.decode(fields.value("action"), field: "action")
        // An array of no numbers may claim any number of steps, which a reader would walk one by one.
        guard shape.count == 2, !elements.isEmpty else {
            throw MessageError(
                .badArray,
                field: "action.shape",
                "found \(shape), expected [n_action_steps, action_dim], each from 1 up"
            )
        }
        (actions, actionSteps, actionDim) = (elements, shape[0], shape[1])
        beyond = try ActionRows.decode(fields, "beyond", actionDim: actionDim)?.values ?? []
        frozen = try ActionRows.decode(fields, "frozen", actionDim: actionDim)?.values ?? []
        noiseSeed = try fields.unsigned("noise_seed")
        sampling = try Sampling(
            solver: fields.string("solver"),
            steps: fields.count("steps"),
            method: fields.string("method"),
            window: fields.count("window"),
            tolerance: fields.double("tolerance"),
            iterations: fields.count("iterations"),
            evaluations: fields.count("evaluations"),
            residual: fields.double("residual"),
            quality: fields.string("quality"),
            coarseSteps: fields.count("coarse_steps")
        )
        let stages = try fields.fields("stages_ns")
        timing = try Timing(
            stages: Stages(
                decode: stages.unsigned("decode"),
                queue: stages.unsigned("queue"),
                condition: stages.unsigned("condition"),
                sample: stages.unsigned("sample"),
                encode: stages.unsigned("encode"),
                total: stages.unsigned("total")
            ),
            receivedNs: fields.unsigned("received_ns"),
            publishedNs: fields.unsigned("published_ns"),
            wallNs: fields.unsigned("wall_ns")
        )
    }

    /// The message as published.
    ///
    /// - Parameters:
    ///   - request: the number of the request that the chunk answers; nil if it answers none.
    ///   - arrayKeys: how the keys of arrays are packed.
    ///   - finish: called once everything but the timing has been packed, to complete the timing: so that the chunk
    ///     can tell how long its own packing took.
    public mutating func encode(
        request: UInt64? = nil,
        arrayKeys: ArrayKeys = .binary,
        finish: (inout Timing) -> Void = { _ in }
    ) -> [UInt8] {
        let encoder = MessagePackEncoder()
        let optional = [request != nil, !beyond.isEmpty, !frozen.isEmpty].count { $0 }
        encoder.message("chunk", fields: 21 + optional)
        if let request {
            encoder.string("request")
            encoder.unsigned(request)
        }
        encoder.string("robot")
        encoder.string(robot.text)
        encoder.string("episode")
        encoder.episode(episode)
        encoder.string("sequence")
        encoder.unsigned(sequence)
        encoder.string("time_ns")
        encoder.unsigned(timeNs)
        encoder.string("first_step")
        encoder.unsigned(firstStep)
        encoder.string("action")
        NumericArray.encode(actions, shape: [actionSteps, actionDim], keys: arrayKeys, to: encoder)
        if !beyond.isEmpty {
            encoder.string("beyond")
            ActionRows(beyond, actionDim: actionDim).encode(keys: arrayKeys, to: encoder)
        }
        if !frozen.isEmpty {
            encoder.string("frozen")
            ActionRows(frozen, actionDim: actionDim).encode(keys: arrayKeys, to: encoder)
        }
        encoder.string("noise_seed")
        encoder.unsigned(noiseSeed)
        encode(sampling, to: encoder)
        finish(&timing)
        encode(timing, to: encoder)
        return encoder.bytes
    }

    private func encode(_ sampling: Sampling, to encoder: borrowing MessagePackEncoder) {
        encoder.string("solver")
        encoder.string(sampling.solver)
        encoder.string("steps")
        encoder.integer(Int64(sampling.steps))
        encoder.string("method")
        encoder.string(sampling.method)
        encoder.string("window")
        encoder.integer(Int64(sampling.window))
        encoder.string("tolerance")
        encoder.float(sampling.tolerance)
        encoder.string("iterations")
        encoder.integer(Int64(sampling.iterations))
        encoder.string("evaluations")
        encoder.integer(Int64(sampling.evaluations))
        encoder.string("residual")
        encoder.float(sampling.residual)
        encoder.string("quality")
        encoder.string(sampling.quality)
        encoder.string("coarse_steps")
        encoder.integer(Int64(sampling.coarseSteps))
    }

    private func encode(_ timing: Timing, to encoder: borrowing MessagePackEncoder) {
        let stages = timing.stages
        encoder.string("stages_ns")
        encoder.map(6)
        encoder.string("decode")
        encoder.unsigned(stages.decode)
        encoder.string("queue")
        encoder.unsigned(stages.queue)
        encoder.string("condition")
        encoder.unsigned(stages.condition)
        encoder.string("sample")
        encoder.unsigned(stages.sample)
        encoder.string("encode")
        encoder.unsigned(stages.encode)
        encoder.string("total")
        encoder.unsigned(stages.total)
        encoder.string("received_ns")
        encoder.unsigned(timing.receivedNs)
        encoder.string("published_ns")
        encoder.unsigned(timing.publishedNs)
        encoder.string("wall_ns")
        encoder.unsigned(timing.wallNs)
    }
}
