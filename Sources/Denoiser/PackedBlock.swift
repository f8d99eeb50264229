import CKernels

/// Group normalisation with Mish, FiLM and a residual, of each thread's own channels.
final class PackedNorm {
    private let groupWidth: Int
    private let channels: Int
    private let share: ChannelShare
    private let isa: dn_isa
    private let gain: FloatBuffer
    private let bias: FloatBuffer
    /// [threads][2 * padded channels]
    private let scratch: FloatBuffer

    init(gain: [Float], bias: [Float], groups: Int, share: ChannelShare, isa: dn_isa) {
        self.channels = gain.count
        self.groupWidth = gain.count / groups
        self.share = share
        self.isa = isa
        self.gain = FloatBuffer(count: paddedChannels(gain.count))
        self.bias = FloatBuffer(count: paddedChannels(gain.count))
        for index in gain.indices {
            self.gain.pointer[index] = gain[index]
            self.bias.pointer[index] = bias[index]
        }
        self.scratch = FloatBuffer(count: share.ranges.count * 2 * paddedChannels(gain.count))
    }

    /// Normalises `values` [length * batch, paddedChannels] in place.
    ///
    /// - Parameters:
    ///   - filmOffset: where this block's scales and shifts start in a sample's row of FiLM numbers.
    ///   - residual: as `values`, is added.
    func callAsFunction(
        _ pass: Pass,
        values: UnsafeMutablePointer<Float>,
        length: Int,
        filmOffset: Int?,
        hasScale: Bool,
        residual: UnsafePointer<Float>?
    ) {
        let range = share.ranges[pass.thread].clamped(to: 0..<channels)
        guard !range.isEmpty else { return }
        for sample in 0..<pass.batch {
            let film = filmOffset.map { pass.film + sample * pass.filmStride + $0 }
            var normalization = dn_normalization(
                values: values,
                value_stride: Int64(paddedChannels(channels)),
                sample: Int32(sample),
                samples: Int32(pass.batch),
                times: Int32(length),
                channel_first: Int32(range.lowerBound),
                channel_count: Int32(range.count),
                group_width: Int32(groupWidth),
                gain: gain.pointer,
                bias: bias.pointer,
                film_scale: hasScale ? film : nil,
                film_shift: hasScale ? film.map { $0 + channels } : film,
                residual: residual,
                residual_stride: Int64(paddedChannels(channels)),
                scratch: scratch.pointer + pass.thread * 2 * paddedChannels(channels)
            )
            dn_normalize(isa, &normalization)
        }
    }
}

/// A residual block on the packed kernels.
final class PackedBlock {
    /// What the block's packed input holds.
    let inputFormat: dn_format
    private let outChannels: Int
    private let filmOffset: Int
    private let hasScale: Bool
    private let share: ChannelShare
    private let conv1: PackedConvolution
    private let norm1: PackedNorm
    private let conv2: PackedConvolution
    private let norm2: PackedNorm
    /// Nil stands for the identity.
    private let residual: PackedConvolution?

    /// - Parameters:
    ///   - inputs: channels of the tensors that lie one above the other in the block's input.
    ///   - inputFormat: what the block's packed input holds.
    init<Failure: Error>(
        _ shape: ResidualBlockShape,
        inputs: [Int],
        length: Int,
        filmOffset: Int,
        inputFormat: dn_format,
        architecture: UNet1DArchitecture,
        engine: Engine,
        parameter: (String) throws(Failure) -> [Float]
    ) throws(Failure) {
        let name = shape.name
        let share = ChannelShare(
            channels: shape.outChannels,
            groupWidth: shape.outChannels / architecture.nGroups,
            threads: engine.threads
        )
        self.inputFormat = inputFormat
        self.outChannels = shape.outChannels
        self.filmOffset = filmOffset
        self.hasScale = architecture.useFiLMScaleModulation
        self.share = share
        func convolution(
            _ name: String,
            inputs: [Int],
            taps: Int,
            format: dn_format
        ) throws(Failure) -> PackedConvolution {
            try .centred(
                name,
                inputs: inputs,
                taps: taps,
                length: length,
                share: share,
                format: format,
                engine: engine,
                parameter: parameter
            )
        }
        func norm(_ name: String) throws(Failure) -> PackedNorm {
            PackedNorm(
                gain: try parameter("\(name).weight"),
                bias: try parameter("\(name).bias"),
                groups: architecture.nGroups,
                share: share,
                isa: engine.isa
            )
        }
        self.conv1 = try convolution(
            "\(name).conv1.block.0",
            inputs: inputs,
            taps: architecture.kernelSize,
            format: inputFormat
        )
        self.norm1 = try norm("\(name).conv1.block.1")
        self.conv2 = try convolution(
            "\(name).conv2.block.0",
            inputs: [shape.outChannels],
            taps: architecture.kernelSize,
            format: engine.format(weights: shape.outChannels * shape.outChannels)
        )
        self.norm2 = try norm("\(name).conv2.block.1")
        if shape.inChannels != shape.outChannels {
            self.residual = try convolution(
                "\(name).residual_conv",
                inputs: inputs,
                taps: 1,
                format: inputFormat
            )
        } else if inputs.count > 1 {
            // The sum needs both tensors as one; a convolution with the identity is that.
            self.residual = PackedConvolution(
                weight: { out, channel, _ in out == channel ? 1 : 0 },
                bias: [Float](repeating: 0, count: shape.outChannels),
                inputs: inputs,
                taps: Tap.centred(taps: 1, length: length),
                outLength: length,
                share: share,
                format: inputFormat,
                engine: engine
            )
        } else {
            self.residual = nil
        }
    }

    var convolutions: [PackedConvolution] { [conv1, conv2] + (residual.map { [$0] } ?? []) }

    /// One thread's part of the block; the threads have met when it returns.
    ///
    /// - Parameters:
    ///   - input: the block's packed input, dense rows of its length.
    ///   - hidden: packed rows between the two convolutions.
    ///   - residual: the input's floats, for the identity residual.
    ///   - output: [length * batch, paddedChannels(outChannels)], the block's output.
    ///   - destinations: where to pack the output. One may be `input`.
    func forward(
        _ pass: Pass,
        length: Int,
        input: UnsafePointer<UInt32>,
        hidden: UnsafeMutablePointer<UInt32>,
        residual identity: UnsafePointer<Float>,
        output: UnsafeMutablePointer<Float>,
        destinations: (PackedRows, PackedRows?)
    ) {
        let rowStride = pass.memory.rowStride(length, pass.batch)
        let outputStride = paddedChannels(outChannels)
        let positions = length * pass.batch
        let hiddenValues = pass.memory.hidden.pointer
        let residualValues = pass.memory.residual.pointer

        conv1(
            thread: pass.thread,
            batch: pass.batch,
            input: input,
            rowStride: rowStride,
            output: hiddenValues,
            outputStride: outputStride
        )
        residual?(
            thread: pass.thread,
            batch: pass.batch,
            input: input,
            rowStride: rowStride,
            output: residualValues,
            outputStride: outputStride
        )
        norm1(
            pass,
            values: hiddenValues,
            length: length,
            filmOffset: filmOffset,
            hasScale: hasScale,
            residual: nil
        )
        pass.pack(
            hiddenValues,
            channels: outChannels,
            share: share,
            positions: positions,
            to: PackedRows(rows: hidden, rowStride: rowStride, columns: nil, format: conv2.format)
        )
        pass.team.barrier()

        conv2(
            thread: pass.thread,
            batch: pass.batch,
            input: hidden,
            rowStride: rowStride,
            output: output,
            outputStride: outputStride
        )
        norm2(
            pass,
            values: output,
            length: length,
            filmOffset: nil,
            hasScale: false,
            residual: residual == nil ? identity : UnsafePointer(residualValues)
        )
        pass.pack(output, channels: outChannels, share: share, positions: positions, to: destinations.0)
        if let second = destinations.1 {
            pass.pack(output, channels: outChannels, share: share, positions: positions, to: second)
        }
        pass.team.barrier()
    }
}
