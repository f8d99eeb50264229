import CKernels

/// Which output channels make up each part of a stage: whole vectors, and whole groups of the normalisation that follows,
/// so that what computes a part can normalise it without waiting for another.
struct ChannelShare {
    /// The channels of each part; the last may reach past the real ones to the end of a vector.
    let ranges: [Range<Int>]

    init(channels: Int, groupWidth: Int, parts: Int) {
        let lanes = Int(dn_lanes)
        let unit = leastCommonMultiple(lanes, groupWidth)
        let padded = (channels + lanes - 1) / lanes * lanes
        let units = (channels + unit - 1) / unit
        self.ranges = (0..<parts).map { part in
            let first = min(units * part / parts * unit, padded)
            let end = min(units * (part + 1) / parts * unit, padded)
            return first..<end
        }
    }
}

private func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
    var (x, y) = (a, b)
    while y != 0 { (x, y) = (y, x % y) }
    return a / x * b
}

/// A convolution's weights in the order in which the kernels read them, part by part and block by block.
final class PackedConvolution {
    /// A block of output channels whose weights are contiguous.
    private struct Block {
        let channel: Int
        let vectors: Int
        let offset: Int
    }

    let outChannels: Int
    let share: ChannelShare
    /// Rows of the input: a channel each, or a pair of channels.
    let rows: Int
    /// What the weights and the input hold.
    let format: dn_format
    let isa: dn_isa
    private let taps: [Tap]
    private let outLength: Int
    private let blocks: [[Block]]
    private let weights: WeightMemory
    private let bias: FloatBuffer
    /// Whether the weights are 8-bit integers.
    let isQuantized: Bool
    /// What an integer weight of 1 stands for, [outChannels] up to the end of a vector; empty without quantization.
    private let scales: FloatBuffer
    /// [parts][taps], filled in for the batch at hand.
    private let scaledTaps: UnsafeMutablePointer<dn_tap>

    /// - Parameters:
    ///   - weight: the weight of (output channel, input channel, tap).
    ///   - bias: [outChannels].
    ///   - inputs: the channels of each of the tensors that lie one above the other in the input.
    ///   - taps: the taps that reach at least one output.
    ///   - outLength: times of the output.
    ///   - format: what the weights are stored as, and the input comes as.
    init(
        weight: (_ out: Int, _ channel: Int, _ tap: Int) -> Float,
        bias: [Float],
        inputs: [Int],
        taps: [Tap],
        outLength: Int,
        share: ChannelShare,
        format: dn_format,
        engine: Engine
    ) {
        let lanes = Int(dn_lanes)
        let perRow = format == dn_bf16 ? 2 : 1
        self.outChannels = bias.count
        self.share = share
        self.format = format
        self.isa = engine.isa
        self.isQuantized = engine.isQuantized && format == dn_bf16
        self.taps = taps
        self.outLength = outLength
        self.rows = inputs.reduce(0) { $0 + ($1 + perRow - 1) / perRow }

        let largest = Int(dn_block_vectors(engine.isa))
        var offset = 0
        var blocks: [[Block]] = []
        for range in share.ranges {
            var list: [Block] = []
            var channel = range.lowerBound
            let count = (range.count / lanes + largest - 1) / largest
            for index in 0..<count {
                let left = (range.upperBound - channel) / lanes
                let vectors = (left + count - index - 1) / (count - index)
                list.append(Block(channel: channel, vectors: vectors, offset: offset))
                offset += taps.count * rows * vectors * (isQuantized ? lanes / 2 : lanes)
                channel += vectors * lanes
            }
            blocks.append(list)
        }
        self.blocks = blocks
        self.weights = WeightMemory(cellCount: offset, isLocked: engine.locksWeights)
        self.bias = FloatBuffer(count: paddedChannels(bias.count))
        for (channel, value) in bias.enumerated() { self.bias.pointer[channel] = value }
        self.scales = FloatBuffer(count: isQuantized ? paddedChannels(bias.count) : 0)
        self.scaledTaps = .allocate(capacity: share.ranges.count * taps.count)

        if isQuantized {
            let channels = inputs.reduce(0, +)
            for out in bias.indices {
                var largest: Float = 0
                for tap in taps {
                    for channel in 0..<channels {
                        largest = max(largest, abs(weight(out, channel, tap.weightIndex)))
                    }
                }
                // All weights zero: any scale will do.
                scales.pointer[out] = largest > 0 ? largest / 127 : 1
            }
        }
        for block in blocks.joined() {
            var cell = weights.pointer + block.offset
            for tap in taps {
                var channel = 0
                for count in inputs {
                    for first in stride(from: 0, to: count, by: perRow) {
                        func value(_ lane: Int, _ index: Int) -> Float {
                            let out = block.channel + lane
                            return out < bias.count && first + index < count
                                ? weight(out, channel + first + index, tap.weightIndex) : 0
                        }
                        let lanes = block.vectors * lanes
                        if isQuantized {
                            quantizeRow(lanes: lanes, block: block.channel, into: cell, value: value)
                            cell += lanes / 2
                        } else {
                            for lane in 0..<lanes {
                                cell[lane] =
                                    perRow == 1
                                    ? value(lane, 0).bitPattern
                                    : UInt32(bf16Bits(value(lane, 0))) | UInt32(bf16Bits(value(lane, 1)))
                                        << 16
                            }
                            cell += lanes
                        }
                    }
                    channel += count
                }
            }
        }
    }

    /// Writes a row of a block as integers, [vectors * lanes][2].
    private func quantizeRow(
        lanes: Int,
        block: Int,
        into cells: UnsafeMutablePointer<UInt32>,
        value: (_ lane: Int, _ index: Int) -> Float
    ) {
        let bytes = UnsafeMutableRawPointer(cells)
        for lane in 0..<lanes {
            let scale = block + lane < outChannels ? scales.pointer[block + lane] : 1
            for index in 0..<2 {
                let quantized = Int8((value(lane, index) / scale).rounded())
                bytes.storeBytes(of: quantized, toByteOffset: 2 * lane + index, as: Int8.self)
            }
        }
    }

    deinit { scaledTaps.deallocate() }

    /// Bytes of packed weights.
    var weightBytes: Int {
        blocks.joined().reduce(0) { $0 + $1.vectors } * (isQuantized ? 32 : 64) * rows * taps.count
    }

    /// Computes a part's channels.
    ///
    /// - Parameters:
    ///   - input: [rows][rowStride] cells.
    ///   - integers: the same as integers, where the weights are quantized.
    ///   - output: [outLength * batch][paddedChannels(outChannels)].
    func callAsFunction(
        part: Int,
        batch: Int,
        input: UnsafePointer<UInt32>,
        integers: IntegerInput?,
        rowStride: Int,
        output: UnsafeMutablePointer<Float>
    ) {
        let partTaps = scaledTaps + part * taps.count
        for (index, tap) in taps.enumerated() {
            partTaps[index] = dn_tap(
                output_first: Int32(tap.first * batch),
                count: Int32(tap.count * batch),
                input_first: Int32(tap.input * batch)
            )
        }
        for block in blocks[part] {
            var convolution = dn_convolution(
                weights: weights.pointer + block.offset,
                input: integers.map { UnsafePointer($0.cells) } ?? input,
                output: output + block.channel,
                bias: bias.pointer + block.channel,
                scales: isQuantized ? UnsafePointer(scales.pointer + block.channel) : nil,
                input_scales: integers.map { UnsafePointer($0.scales) },
                taps: partTaps,
                tap_count: Int32(taps.count),
                rows: Int32(rows),
                vectors: Int32(block.vectors),
                positions: Int32(outLength * batch),
                row_stride: Int64(rowStride),
                output_stride: Int64(paddedChannels(outChannels))
            )
            dn_convolve(isa, integers == nil ? format : dn_int16, &convolution)
        }
    }
}

/// The 16 high bits of the nearest bf16 to `value`, ties to even.
func bf16Bits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
}
