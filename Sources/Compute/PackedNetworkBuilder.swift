import CKernels

/// Turns a plan and a network's parameters into the stages of a packed forward pass.
struct PackedNetworkBuilder {
    private let plan: PackedPlan
    private let engine: Engine
    private let memory: PackedActivations
    private let lengths: [Int]

    init(plan: PackedPlan, engine: Engine, memory: PackedActivations) {
        self.plan = plan
        self.engine = engine
        self.memory = memory
        self.lengths = plan.resampledLengths
    }

    /// All stages with their weights.
    func stages<Failure: Error>(
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) -> [PackedStage] {
        var result: [PackedStage] = []
        for (index, stage) in plan.stages.enumerated() {
            let share = ChannelShare(
                channels: stage.output.channels,
                groupWidth: stage.norm.map { $0.channels / $0.groups } ?? 1,
                parts: engine.threads
            )
            result.append(
                PackedStage(
                    try convolution(of: index, share: share, parameter: parameter),
                    input: memory.rows(readBy: index),
                    inputLength: stage.source.length,
                    output: memory.output(of: index),
                    outLength: stage.output.length,
                    shortcut: try shortcut(of: index, share: share, parameter: parameter),
                    normalization: try normalization(of: stage, share: share, parameter: parameter),
                    destinations: destinations(of: stage.output)
                )
            )
        }
        return result
    }

    /// The packed rows of all stages that read an activation.
    func destinations(of activation: Activation) -> [PackedRows] {
        let writer = plan.writer(of: activation)
        let isDoubled = writer >= 0 && plan.stages[writer].convolution.sampling == .doubling
        var result: [PackedRows] = []
        for (index, reader) in plan.stages.enumerated() {
            var firstRow = 0
            for input in reader.inputs {
                if input == activation {
                    var rows = PackedRows(
                        cells: memory.rows(readBy: index),
                        length: activation.length,
                        format: reader.format,
                        firstRow: firstRow,
                        order: order(
                            length: activation.length,
                            isDoubled: isDoubled,
                            isHalvedNext: reader.convolution.sampling == .halving
                        )
                    )
                    if reader.readsInput { result.append(rows) }
                    if let filter = reader.filter {
                        rows.cells = memory.filteredRows(readBy: index)
                        rows.filter = filter
                        result.append(rows)
                    }
                }
                firstRow += packedRows(channels: input.channels, format: reader.format)
            }
        }
        return result
    }

    private func order(length: Int, isDoubled: Bool, isHalvedNext: Bool) -> PositionOrder {
        guard isDoubled || isHalvedNext, let level = lengths.firstIndex(of: length) else { return .same }
        precondition(!(isDoubled && isHalvedNext), "nothing reads again in two what was doubled")
        return isDoubled ? .interleaved(level: level) : .evenFirst(level: level)
    }

    private func convolution<Failure: Error>(
        of index: Int,
        share: ChannelShare,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) -> PackedStage.Convolution {
        let stage = plan.stages[index]
        let shape = stage.convolution
        guard let filter = stage.filter else {
            return .taps(try convolution(shape, of: stage, share: share, parameter: parameter))
        }
        let convolution = FilteredConvolution(
            filter,
            weight: try parameter(shape.weight),
            bias: try parameter(shape.bias),
            inputs: stage.inputs.map(\.channels),
            length: shape.length,
            share: share,
            values: memory.products(of: index),
            engine: engine
        )
        return .filtered(
            convolution,
            input: memory.filteredRows(readBy: index),
            length: stage.filteredLength
        )
    }

    private func convolution<Failure: Error>(
        _ shape: ConvolutionShape,
        of stage: PackedPlan.Stage,
        share: ChannelShare,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) -> PackedConvolution {
        let weight = try parameter(shape.weight)
        let (inChannels, outChannels, taps) = (shape.inChannels, shape.outChannels, shape.taps)
        let isTransposed = shape.sampling == .doubling
        return PackedConvolution(
            weight: { out, channel, tap in
                let row = isTransposed ? channel * outChannels + out : out * inChannels + channel
                return weight[row * taps + tap]
            },
            bias: try parameter(shape.bias),
            inputs: stage.inputs.map(\.channels),
            taps: shape.reachingTaps,
            outLength: shape.outLength,
            share: share,
            format: stage.format,
            engine: engine
        )
    }

    private func shortcut<Failure: Error>(
        of index: Int,
        share: ChannelShare,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) -> (convolution: PackedConvolution, output: UnsafeMutablePointer<Float>)? {
        let stage = plan.stages[index]
        let output = memory.shortcut(of: index)
        switch stage.shortcut {
        case nil: return nil
        case .convolution(let shape):
            return (try convolution(shape, of: stage, share: share, parameter: parameter), output)
        case .identity:
            let identity = PackedConvolution(
                weight: { out, channel, _ in out == channel ? 1 : 0 },
                bias: [Float](repeating: 0, count: stage.output.channels),
                inputs: stage.inputs.map(\.channels),
                taps: Tap.centred(taps: 1, length: stage.source.length),
                outLength: stage.output.length,
                share: share,
                format: stage.format,
                engine: engine
            )
            return (identity, output)
        }
    }

    private func normalization<Failure: Error>(
        of stage: PackedPlan.Stage,
        share: ChannelShare,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) -> PackedStage.Normalization? {
        guard let shape = stage.norm else {
            precondition(stage.film == nil && stage.residual == nil, "only a norm modulates and adds")
            return nil
        }
        let residual: UnsafeMutablePointer<Float>? =
            switch stage.residual {
            case nil: nil
            case .shortcut(let reader): memory.shortcut(of: reader)
            case .activation(plan.input): memory.input
            case .activation(let activation): memory.output(of: plan.writer(of: activation))
            }
        return PackedStage.Normalization(
            norm: PackedNorm(
                gain: try parameter(shape.gain),
                bias: try parameter(shape.bias),
                groups: shape.groups,
                share: share,
                isa: engine.isa
            ),
            filmOffset: stage.film?.offset,
            hasScale: stage.film?.hasScale ?? false,
            residual: residual
        )
    }
}

extension ConvolutionShape {
    /// The taps that reach at least one output.
    fileprivate var reachingTaps: [Tap] {
        switch sampling {
        case .same(let taps): Tap.centred(taps: taps, length: length)
        case .halving: Tap.downsampling(length: length)
        case .doubling: Tap.upsampling(length: length)
        }
    }
}
