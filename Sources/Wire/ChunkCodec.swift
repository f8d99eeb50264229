import Robotics

extension RobotChunk {
    /// Reads a published chunk.
    public init(decoding bytes: [UInt8], limits: MessagePackLimits = .standard) throws(MessageError) {
        let envelope = try Envelope(bytes, limits: limits)
        try envelope.expect("chunk")
        try self.init(envelope.fields)
    }

    init(_ fields: FieldReader) throws(MessageError) {
        let (actions, shape) = try NumericArray.decode(fields.value("action"), field: "action")
        // An array of no numbers may claim any number of steps, which a reader would walk one by one.
        guard shape.count == 2, !actions.isEmpty else {
            throw MessageError(
                .badArray,
                field: "action.shape",
                "found \(shape), expected [n_action_steps, action_dim], each from 1 up"
            )
        }
        try self.init(
            robot: fields.robot(),
            episode: fields.episode(),
            sequence: fields.unsigned("sequence"),
            timeNs: fields.unsigned("time_ns"),
            firstStep: fields.unsigned("first_step"),
            actions: actions,
            actionSteps: shape[0],
            actionDim: shape[1],
            beyond: ActionRows.decode(fields, "beyond", actionDim: shape[1])?.values ?? [],
            frozen: ActionRows.decode(fields, "frozen", actionDim: shape[1])?.values ?? [],
            noiseSeed: fields.unsigned("noise_seed"),
            sampling: Sampling(fields),
            timing: Timing(fields)
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
        encoder.string(sampling.method.rawValue)
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
        encoder.string(sampling.quality.rawValue)
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

extension RobotChunk.Sampling {
    fileprivate init(_ fields: FieldReader) throws(MessageError) {
        try self.init(
            solver: fields.string("solver"),
            steps: fields.count("steps"),
            method: fields.choice("method"),
            window: fields.count("window"),
            tolerance: fields.double("tolerance"),
            iterations: fields.count("iterations"),
            evaluations: fields.count("evaluations"),
            residual: fields.double("residual"),
            quality: fields.choice("quality"),
            coarseSteps: fields.count("coarse_steps")
        )
    }
}

extension RobotChunk.Timing {
    fileprivate init(_ fields: FieldReader) throws(MessageError) {
        let stages = try fields.fields("stages_ns")
        try self.init(
            stages: RobotChunk.Stages(
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
}
