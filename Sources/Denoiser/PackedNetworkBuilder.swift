import CKernels

/// Turns an architecture and its parameters into the stages of a packed forward pass.
///
/// It walks the network as a forward pass would and keeps track of which buffer holds what. A layer writes its output
/// the way the layer after it reads it, so each step asks what comes next.
struct PackedNetworkBuilder {
    private(set) var stages: [PackedStage] = []
    /// Where the layers so far left their output as floats.
    private(set) var stream: UnsafeMutablePointer<Float>

    private let architecture: UNet1DArchitecture
    private let engine: Engine
    private let memory: PackedActivations
    /// Packed rows take turns: `x` is what the next layer reads, `other` what it may write.
    private var x: UnsafeMutablePointer<UInt32>
    private var other: UnsafeMutablePointer<UInt32>
    private var nextStream: UnsafeMutablePointer<Float>
    private var filmOffset = 0

    init(architecture: UNet1DArchitecture, engine: Engine, memory: PackedActivations) {
        self.architecture = architecture
        self.engine = engine
        self.memory = memory
        self.x = memory.packedA.pointer
        self.other = memory.packedB.pointer
        self.stream = memory.streamA.pointer
        self.nextStream = memory.streamB.pointer
    }

    /// Builds all stages.
    mutating func build<Failure: Error>(parameter: (String) throws(Failure) -> [Float]) throws(Failure) {
        let encoder = architecture.encoder
        let bottom = architecture.bottom
        let decoder = architecture.decoder
        let last = encoder.count - 1

        for (level, shape) in encoder.enumerated() {
            let between = PackedRows(cells: x, length: shape.length, format: format(shape.second))
            try add(shape.first, length: shape.length, to: [between], parameter: parameter)
            var destinations = level > 0 ? [skip(level)] : []
            if let name = shape.resample {
                let channels = shape.second.outChannels
                destinations.append(
                    PackedRows(
                        cells: x,
                        length: shape.length,
                        format: resampleFormat(channels),
                        order: .evenFirst(level: level)
                    )
                )
                try add(shape.second, length: shape.length, to: destinations, parameter: parameter)
                let next = encoder[level + 1]
                try addResampling(
                    name,
                    channels: channels,
                    taps: Tap.downsampling(length: shape.length),
                    lengths: (shape.length, next.length),
                    weightIndex: { out, channel, tap in (out * channels + channel) * 3 + tap },
                    to: PackedRows(cells: other, length: next.length, format: format(next.first)),
                    parameter: parameter
                )
                swap(&x, &other)
            } else {
                destinations.append(
                    PackedRows(cells: x, length: shape.length, format: format(bottom[0]))
                )
                try add(shape.second, length: shape.length, to: destinations, parameter: parameter)
            }
        }

        let coarsest = encoder[last].length
        let between = PackedRows(cells: x, length: coarsest, format: format(bottom[1]))
        try add(bottom[0], length: coarsest, to: [between], parameter: parameter)
        let above =
            decoder.isEmpty
            ? PackedRows(cells: x, length: coarsest, format: finalFormat) : lower(last, order: .same)
        try add(bottom[1], length: coarsest, to: [above], parameter: parameter)

        for (index, shape) in decoder.enumerated() {
            let level = last - index
            let between = PackedRows(cells: x, length: shape.length, format: format(shape.second))
            try add(
                shape.first,
                length: shape.length,
                joinedFrom: memory.joined(level),
                to: [between],
                parameter: parameter
            )
            guard let name = shape.resample else { continue }
            let channels = shape.second.outChannels
            let upper = PackedRows(cells: x, length: shape.length, format: resampleFormat(channels))
            try add(shape.second, length: shape.length, to: [upper], parameter: parameter)
            let order = PositionOrder.interleaved(level: level - 1)
            let isFinest = level == 1
            try addResampling(
                name,
                channels: channels,
                taps: Tap.upsampling(length: shape.length),
                lengths: (shape.length, 2 * shape.length),
                weightIndex: { out, channel, tap in (channel * channels + out) * 4 + tap },
                to: isFinest
                    ? PackedRows(
                        cells: other,
                        length: 2 * shape.length,
                        format: finalFormat,
                        order: order
                    ) : lower(level - 1, order: order),
                parameter: parameter
            )
            if isFinest { swap(&x, &other) }
        }
        try addEnd(parameter: parameter)
    }

    // MARK: - Formats

    /// The first and the last layers compute in single precision. Their rounding would reach the result directly, and they
    /// are too small to gain time.
    private static let endFormat = dn_f32

    /// What a block's packed input holds.
    private func format(_ block: ResidualBlockShape) -> dn_format {
        block.name == architecture.encoder[0].first.name
            ? Self.endFormat : engine.format(weights: block.inChannels * block.outChannels)
    }

    /// What the second convolution from the end reads.
    private var finalFormat: dn_format {
        engine.format(weights: architecture.downDims[0] * architecture.downDims[0])
    }

    private func resampleFormat(_ channels: Int) -> dn_format { engine.format(weights: channels * channels) }

    /// Destination in a level's decoder of the upsampled activations.
    private func lower(_ level: Int, order: PositionOrder) -> PackedRows {
        let decoder = architecture.decoder[architecture.encoder.count - 1 - level]
        return PackedRows(
            cells: memory.joined(level),
            length: decoder.length,
            format: format(decoder.first),
            order: order
        )
    }

    /// Destination in a level's decoder of the skip connection: the rows below the upsampled ones, which are as many.
    private func skip(_ level: Int) -> PackedRows {
        var rows = lower(level, order: .same)
        let channels = architecture.encoder[level].second.outChannels
        rows.firstRow = rows.format == dn_bf16 ? (channels + 1) / 2 : channels
        return rows
    }

    // MARK: - Layers

    /// Adds a residual block that reads `x`, or a level's joined rows.
    private mutating func add<Failure: Error>(
        _ shape: ResidualBlockShape,
        length: Int,
        joinedFrom joined: UnsafeMutablePointer<UInt32>? = nil,
        to destinations: [PackedRows],
        parameter: (String) throws(Failure) -> [Float]
    ) throws(Failure) {
        let name = shape.name
        let inputs = joined == nil ? [shape.inChannels] : [shape.inChannels / 2, shape.inChannels / 2]
        let input = joined ?? x
        let groups = architecture.nGroups
        let share = ChannelShare(
            channels: shape.outChannels,
            groupWidth: shape.outChannels / groups,
            parts: engine.threads
        )
        let taps = architecture.kernelSize
        let hiddenFormat = engine.format(weights: shape.outChannels * shape.outChannels)
        func convolution(
            _ name: String,
            inputs: [Int],
            taps: Int,
            format: dn_format
        ) throws(Failure) -> PackedConvolution {
            try centred(
                name,
                inputs: inputs,
                taps: taps,
                length: length,
                share: share,
                format: format,
                parameter: parameter
            )
        }

        var shortcut: (convolution: PackedConvolution, output: UnsafeMutablePointer<Float>)?
        if shape.inChannels != shape.outChannels {
            let residual = try convolution(
                "\(name).residual_conv",
                inputs: inputs,
                taps: 1,
                format: format(shape)
            )
            shortcut = (residual, memory.residual.pointer)
        } else if inputs.count > 1 {
            // The sum needs both tensors as one; a convolution with the identity is that.
            let identity = PackedConvolution(
                weight: { out, channel, _ in out == channel ? 1 : 0 },
                bias: [Float](repeating: 0, count: shape.outChannels),
                inputs: inputs,
                taps: Tap.centred(taps: 1, length: length),
                outLength: length,
                share: share,
                format: format(shape),
                engine: engine
            )
            shortcut = (identity, memory.residual.pointer)
        }
        stages.append(
            PackedStage(
                try convolution("\(name).conv1.block.0", inputs: inputs, taps: taps, format: format(shape)),
                input: input,
                inputLength: length,
                output: memory.hidden.pointer,
                outLength: length,
                shortcut: shortcut,
                normalization: PackedStage.Normalization(
                    norm: try norm(
                        "\(name).conv1.block.1",
                        groups: groups,
                        share: share,
                        parameter: parameter
                    ),
                    filmOffset: filmOffset,
                    hasScale: architecture.useFiLMScaleModulation,
                    residual: nil
                ),
                destinations: [PackedRows(cells: other, length: length, format: hiddenFormat)]
            )
        )
        stages.append(
            PackedStage(
                try convolution(
                    "\(name).conv2.block.0",
                    inputs: [shape.outChannels],
                    taps: taps,
                    format: hiddenFormat
                ),
                input: other,
                inputLength: length,
                output: nextStream,
                outLength: length,
                normalization: PackedStage.Normalization(
                    norm: try norm(
                        "\(name).conv2.block.1",
                        groups: groups,
                        share: share,
                        parameter: parameter
                    ),
                    filmOffset: nil,
                    hasScale: false,
                    residual: shortcut?.output ?? stream
                ),
                destinations: destinations
            )
        )
        swap(&stream, &nextStream)
        filmOffset += shape.outChannels * architecture.filmValuesPerChannel
    }

    /// Adds the convolution between two levels, which reads `x`.
    private mutating func addResampling<Failure: Error>(
        _ name: String,
        channels: Int,
        taps: [Tap],
        lengths: (input: Int, output: Int),
        weightIndex: (_ out: Int, _ channel: Int, _ tap: Int) -> Int,
        to destination: PackedRows,
        parameter: (String) throws(Failure) -> [Float]
    ) throws(Failure) {
        let weight = try parameter("\(name).weight")
        stages.append(
            PackedStage(
                PackedConvolution(
                    weight: { weight[weightIndex($0, $1, $2)] },
                    bias: try parameter("\(name).bias"),
                    inputs: [channels],
                    taps: taps,
                    outLength: lengths.output,
                    share: ChannelShare(channels: channels, groupWidth: 1, parts: engine.threads),
                    format: resampleFormat(channels),
                    engine: engine
                ),
                input: x,
                inputLength: lengths.input,
                output: stream,
                outLength: lengths.output,
                destinations: [destination]
            )
        )
    }

    /// Adds the last convolution with its normalisation, and the one that gives actions.
    private mutating func addEnd<Failure: Error>(
        parameter: (String) throws(Failure) -> [Float]
    ) throws(Failure) {
        let horizon = architecture.horizon
        let channels = architecture.downDims[0]
        let groups = UNet1DArchitecture.finalGroups
        let share = ChannelShare(channels: channels, groupWidth: channels / groups, parts: engine.threads)
        stages.append(
            PackedStage(
                try centred(
                    "final_conv.0.block.0",
                    inputs: [channels],
                    taps: architecture.kernelSize,
                    length: horizon,
                    share: share,
                    format: finalFormat,
                    parameter: parameter
                ),
                input: x,
                inputLength: horizon,
                output: memory.hidden.pointer,
                outLength: horizon,
                normalization: PackedStage.Normalization(
                    norm: try norm(
                        "final_conv.0.block.1",
                        groups: groups,
                        share: share,
                        parameter: parameter
                    ),
                    filmOffset: nil,
                    hasScale: false,
                    residual: nil
                ),
                destinations: [PackedRows(cells: other, length: horizon, format: Self.endFormat)]
            )
        )
        stages.append(
            PackedStage(
                try centred(
                    "final_conv.1",
                    inputs: [channels],
                    taps: 1,
                    length: horizon,
                    share: ChannelShare(
                        channels: architecture.actionDim,
                        groupWidth: 1,
                        parts: engine.threads
                    ),
                    format: Self.endFormat,
                    parameter: parameter
                ),
                input: other,
                inputLength: horizon,
                output: stream,
                outLength: horizon,
                destinations: []
            )
        )
    }

    /// An ordinary convolution under its PyTorch name.
    private func centred<Failure: Error>(
        _ name: String,
        inputs: [Int],
        taps: Int,
        length: Int,
        share: ChannelShare,
        format: dn_format,
        parameter: (String) throws(Failure) -> [Float]
    ) throws(Failure) -> PackedConvolution {
        let weight = try parameter("\(name).weight")
        let channels = inputs.reduce(0, +)
        return PackedConvolution(
            weight: { out, channel, tap in weight[(out * channels + channel) * taps + tap] },
            bias: try parameter("\(name).bias"),
            inputs: inputs,
            taps: Tap.centred(taps: taps, length: length),
            outLength: length,
            share: share,
            format: format,
            engine: engine
        )
    }

    private func norm<Failure: Error>(
        _ name: String,
        groups: Int,
        share: ChannelShare,
        parameter: (String) throws(Failure) -> [Float]
    ) throws(Failure) -> PackedNorm {
        PackedNorm(
            gain: try parameter("\(name).weight"),
            bias: try parameter("\(name).bias"),
            groups: groups,
            share: share,
            isa: engine.isa
        )
    }
}
