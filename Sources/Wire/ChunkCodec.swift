import Robotics

extension RobotChunk {
    /// The fields of a chunk.
    package static let table = MessageTable(unread, content + sampled + timed)

    private static let unread = RobotChunk(
        robot: .unread,
        episode: .number(0),
        sequence: 0,
        timeNs: 0,
        firstStep: 0,
        actions: [],
        actionSteps: 0,
        actionDim: 0,
        noiseSeed: 0,
        sampling: Sampling(solver: "", steps: 0, method: .sequential, iterations: 0, evaluations: 0),
        timing: Timing(receivedNs: 0)
    )

    private static let content: [MessageField<RobotChunk>] = [
        .required("robot", \.robot, .robot, "that of the observation that the chunk answers"),
        .required("episode", \.episode, .episode, "likewise"),
        .required("sequence", \.sequence, .unsigned, "likewise"),
        .required("time_ns", \.timeNs, .unsigned, "likewise"),
        .required(
            "first_step",
            \.firstStep,
            .unsigned,
            "the control step at which the first action applies: the observation's `sequence`"
        ),
        MessageField(
            FieldDescription(
                "action",
                .floatRows,
                "[n_action_steps, action_dim], in the robot's units; row i is for control step `first_step` + i"
            )
        ) {
            .array($0.actions, shape: [$0.actionSteps, $0.actionDim])
        } read: { (fields, chunk) throws(MessageError) in
            try chunk.readActions(fields)
        },
        .furtherActions(
            "beyond",
            \.beyond,
            "[k, action_dim]: the actions predicted to follow, row i for control step `first_step` + n_action_steps + i"
        ),
        .furtherActions(
            "frozen",
            \.frozen,
            """
            [k, action_dim]: the actions that were given, not sampled, for control steps `first_step` ... `first_step` + k - 1; \
            `action` begins with them
            """
        ),
        .required("noise_seed", \.noiseSeed, .unsigned, "the seed of the sampling noise"),
        .optional(
            "policy",
            \.policy,
            .string,
            "the name of the policy that planned it; left out if the daemon runs one"
        ),
    ]

    private static let sampled: [MessageField<RobotChunk>] = [
        .required("solver", \.sampling.solver, .string, "`ddpm`, `ddim` or `dpmsolver++`"),
        .required("steps", \.sampling.steps, .count, "denoising steps"),
        .required("method", \.sampling.method, .choice, "`sequential`, `quasi-newton` or `paradigms`"),
        .required(
            "window",
            \.sampling.window,
            .count,
            "a parallel method's window in denoising steps; 1 if sequential"
        ),
        .required(
            "tolerance",
            \.sampling.tolerance,
            .float,
            """
            a parallel method's tolerance: quasi-newton in normalised action units, paradigms in standard deviations of a \
            step's noise; 0 if sequential
            """
        ),
        .required("iterations", \.sampling.iterations, .count, "passes of the network, one after the other"),
        .required(
            "evaluations",
            \.sampling.evaluations,
            .count,
            "(sample, timestep) pairs that went through the network"
        ),
        .required(
            "residual",
            \.sampling.residual,
            .float,
            "what was neglected, in the tolerance's unit; 0 if sequential"
        ),
        .required(
            "quality",
            \.sampling.quality,
            .choice,
            """
            `exact`: the sequential chunk; `converged`: that within the tolerance; `warm`: another chunk, which started from the \
            robot's last one, re-noised; `coarse`: finished in coarse steps to keep the budget
            """
        ),
        .required(
            "coarse_steps",
            \.sampling.coarseSteps,
            .count,
            "the coarse steps of a coarse chunk; 0 for the others"
        ),
        .unlessEmpty(
            "passes",
            \.sampling.passes,
            SamplingPassColumns.coding,
            "the passes, see below; left out of a chunk that was taken before it was finished"
        ),
    ]

    /// The fields that are known last.
    private static let timed: [MessageField<RobotChunk>] = [
        .required("stages_ns", \.timing.stages, .map(Stages.table), "time spent in each stage, see below"),
        .required(
            "received_ns",
            \.timing.receivedNs,
            .unsigned,
            "the daemon's monotonic clock when it had read the observation"
        ),
        .required(
            "published_ns",
            \.timing.publishedNs,
            .unsigned,
            "the daemon's monotonic clock when the chunk was packed"
        ),
        .required(
            "wall_ns",
            \.timing.wallNs,
            .unsigned,
            "the daemon's wall clock (since 1970, UTC) at that moment"
        ),
    ]

    /// Reads a published chunk.
    public init(decoding bytes: [UInt8], limits: MessagePackLimits = .standard) throws(MessageError) {
        let envelope = try Envelope(bytes, limits: limits)
        try envelope.expect("chunk")
        self = try Self.table.read(envelope.fields)
    }

    private mutating func readActions(_ fields: FieldReader) throws(MessageError) {
        let (actions, shape) = try NumericArray.decode(fields.value("action"), field: "action")
        // An array of no numbers may claim any number of steps, which a reader would walk one by one.
        guard shape.count == 2, !actions.isEmpty else {
            throw MessageError(
                .badArray,
                field: "action.shape",
                "found \(shape), expected [n_action_steps, action_dim], each from 1 up"
            )
        }
        (self.actions, actionSteps, actionDim) = (actions, shape[0], shape[1])
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
        encoder.begin("chunk", request: request, fields: Self.table.count(in: self))
        encoder.fields(Self.content, of: self, arrayKeys: arrayKeys)
        encoder.fields(Self.sampled, of: self)
        finish(&timing)
        encoder.fields(Self.timed, of: self)
        return encoder.bytes
    }
}

extension MessageField<RobotChunk> {
    /// Whole actions of the same size as the chunk's others, which have been read before.
    fileprivate static func furtherActions(
        _ name: String,
        _ path: WritableKeyPath<RobotChunk, [Float]> & Sendable,
        _ meaning: String
    ) -> MessageField {
        let property = StoredProperty(path)
        return MessageField(FieldDescription(name, .floatRows, isOptional: true, meaning)) { chunk in
            let numbers = property.value(of: chunk)
            guard !numbers.isEmpty else { return nil }
            return .array(numbers, shape: [numbers.count / chunk.actionDim, chunk.actionDim])
        } read: { (fields, chunk) throws(MessageError) in
            guard fields.optional(name) != nil else { return }
            let rows = try ActionRows.decode(fields, name, actionDim: chunk.actionDim)
            property.set(rows.values, in: &chunk)
        }
    }
}

extension RobotChunk.Stages {
    /// The stages, in the order in which a chunk goes through them.
    package static let table = MessageTable(
        RobotChunk.Stages(),
        [
            .required(
                "decode",
                \.decode,
                .unsigned,
                "unpacking the observation, checking it and adding it to the history"
            ),
            .required("queue", \.queue, .unsigned, "waiting for the planner"),
            .optional(
                "vision",
                \.vision,
                .unsigned,
                "decoding and encoding frames that were not encoded before; left out for a policy without cameras"
            ),
            .required(
                "condition",
                \.condition,
                .unsigned,
                "normalising the history and preparing the network's condition"
            ),
            .required("sample", \.sample, .unsigned, "the denoising steps"),
            .required("encode", \.encode, .unsigned, "unnormalising, hand-over and packing"),
            .required("total", \.total, .unsigned, "the sum of the others: `published_ns` - `received_ns`"),
        ]
    )
}
