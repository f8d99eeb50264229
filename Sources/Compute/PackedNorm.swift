import CKernels

/// Group normalisation with Mish, and FiLM and a residual where a layer has them, part by part.
final class PackedNorm {
    private let groupWidth: Int
    private let channels: Int
    private let share: ChannelShare
    private let isa: InstructionSet
    private let gain: FloatBuffer
    private let bias: FloatBuffer
    /// [parts][2 * padded channels]
    private let scratch: FloatBuffer

    init(gain: [Float], bias: [Float], groups: Int, share: ChannelShare, isa: InstructionSet) {
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

    /// Normalises a part of `values` [length * batch, paddedChannels] in place.
    ///
    /// - Parameters:
    ///   - film: where this layer's scales (if it has them) and shifts start in the first sample's FiLM numbers; nil
    ///     where the layer has no FiLM.
    ///   - residual: as `values`, is added.
    func callAsFunction(
        _ values: UnsafeMutablePointer<Float>,
        part: Int,
        batch: Int,
        length: Int,
        film: UnsafePointer<Float>?,
        filmStride: Int,
        hasScale: Bool,
        residual: UnsafePointer<Float>?
    ) {
        let range = share.ranges[part].clamped(to: 0..<channels)
        guard !range.isEmpty else { return }
        for sample in 0..<batch {
            let film = film.map { $0 + sample * filmStride }
            var normalization = dn_normalization(
                values: values,
                value_stride: Int64(paddedChannels(channels)),
                sample: Int32(sample),
                samples: Int32(batch),
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
                scratch: scratch.pointer + part * 2 * paddedChannels(channels)
            )
            dn_normalize(isa.table, &normalization)
        }
    }
}
