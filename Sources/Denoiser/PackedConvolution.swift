import CKernels

/// One tap of a convolution in time: which outputs it reaches and which inputs it reads for them.
///
/// Outputs at `first..<first + count` of the layer's own order take the inputs from `input` on.
struct Tap {
    let weightIndex: Int
    let first: Int
    let count: Int
    let input: Int
}

/// Which output channels each thread computes: whole vectors, and whole groups of the normalisation that follows, so
/// that a thread normalises what it has computed without waiting for another.
struct ChannelShare {
    /// For each thread, its channels; the last may reach past the real ones to the end of a vector.
    let ranges: [Range<Int>]

    init(channels: Int, groupWidth: Int, threads: Int) {
        let lanes = Int(dn_lanes)
        let unit = leastCommonMultiple(lanes, groupWidth)
        let padded = (channels + lanes - 1) / lanes * lanes
        let units = (channels + unit - 1) / unit
        self.ranges = (0..<threads).map { thread in
            let first = min(units * thread / threads * unit, padded)
            let end = min(units * (thread + 1) / threads * unit, padded)
            return first..<end
        }
    }
}

private func leastCommonMultiple(_ a: Int, _ b: Int) -> Int {
    var (x, y) = (a, b)
    while y != 0 { (x, y) = (y, x % y) }
    return a / x * b
}

/// A convolution's weights in the order in which the kernels read them, thread by thread and block by block.
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
    private let isa: dn_isa
    private let taps: [Tap]
    private let outLength: Int
    private let blocks: [[Block]]
    private let weights: WeightMemory
    private let bias: FloatBuffer
    /// [threads][taps], filled in for the batch at hand.
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
                offset += taps.count * rows * vectors * lanes
                channel += vectors * lanes
            }
            blocks.append(list)
        }
        self.blocks = blocks
        self.weights = WeightMemory(cellCount: offset, isLocked: engine.locksWeights)
        self.bias = FloatBuffer(count: (bias.count + lanes - 1) / lanes * lanes)
        for (channel, value) in bias.enumerated() { self.bias.pointer[channel] = value }
        self.scaledTaps = .allocate(capacity: share.ranges.count * taps.count)

        for block in blocks.joined() {
            var cell = weights.pointer + block.offset
            for tap in taps {
                var channel = 0
                for count in inputs {
                    for first in stride(from: 0, to: count, by: perRow) {
                        for lane in 0..<block.vectors * lanes {
                            let out = block.channel + lane
                            func value(_ index: Int) -> Float {
                                out < bias.count && first + index < count
                                    ? weight(out, channel + first + index, tap.weightIndex) : 0
                            }
                            cell.pointee =
                                perRow == 1
                                ? value(0).bitPattern
                                : UInt32(bf16Bits(value(0))) | UInt32(bf16Bits(value(1))) << 16
                            cell += 1
                        }
                    }
                    channel += count
                }
            }
        }
    }

    deinit { scaledTaps.deallocate() }

    /// Bytes of packed weights.
    var weightBytes: Int { blocks.joined().reduce(0) { $0 + $1.vectors } * 64 * rows * taps.count }

    /// Computes a thread's channels.
    ///
    /// - Parameters:
    ///   - input: [rows][rowStride] cells.
    ///   - output: [outLength * batch][outputStride].
    func callAsFunction(
        thread: Int,
        batch: Int,
        input: UnsafePointer<UInt32>,
        rowStride: Int,
        output: UnsafeMutablePointer<Float>,
        outputStride: Int
    ) {
        let threadTaps = scaledTaps + thread * taps.count
        for (index, tap) in taps.enumerated() {
            threadTaps[index] = dn_tap(
                output_first: Int32(tap.first * batch),
                count: Int32(tap.count * batch),
                input_first: Int32(tap.input * batch)
            )
        }
        for block in blocks[thread] {
            var convolution = dn_convolution(
                weights: weights.pointer + block.offset,
                input: input,
                output: output + block.channel,
                bias: bias.pointer + block.channel,
                taps: threadTaps,
                tap_count: Int32(taps.count),
                rows: Int32(rows),
                vectors: Int32(block.vectors),
                positions: Int32(outLength * batch),
                row_stride: Int64(rowStride),
                output_stride: Int64(outputStride)
            )
            dn_convolve(isa, format, &convolution)
        }
    }
}

/// The 16 high bits of the nearest bf16 to `value`, ties to even.
func bf16Bits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
}

/// What computes: the instruction set, the precision, the threads.
struct Engine {
    let isa: dn_isa
    let precision: Precision
    let threads: Int
    let locksWeights: Bool

    /// What a layer's weights and inputs hold, given its weights at one tap.
    ///
    /// bf16 saves time where reading weights takes it. A small layer's weights stay in the cache, and it keeps single
    /// precision, as do the layers at the network's ends, whose rounding would go straight into the result.
    func format(weights: Int) -> dn_format {
        precision == .bf16 && weights >= 4096 ? dn_bf16 : dn_f32
    }
}

extension Tap {
    /// The taps of a convolution with padding `taps / 2`: output `t` reads input `t + tap - taps / 2`. Those that meet
    /// nothing but padding at this length are left out.
    static func centred(taps: Int, length: Int) -> [Tap] {
        (0..<taps).compactMap { tap in
            let shift = tap - taps / 2
            let first = max(0, -shift)
            let end = min(length, length - shift)
            return first < end
                ? Tap(weightIndex: tap, first: first, count: end - first, input: first + shift) : nil
        }
    }

    /// The taps of the downsampling convolution, 3 taps with stride 2 and padding 1, over an input whose even times come
    /// first and then its odd ones: output `t` reads inputs `2t - 1`, `2t` and `2t + 1`.
    static func downsampling(length: Int) -> [Tap] {
        let half = length / 2
        return [
            Tap(weightIndex: 0, first: 1, count: half - 1, input: half),
            Tap(weightIndex: 1, first: 0, count: half, input: 0),
            Tap(weightIndex: 2, first: 0, count: half, input: half),
        ].filter { $0.count > 0 }
    }

    /// The taps of the upsampling transposed convolution, 4 taps with stride 2 and padding 1, writing the even output
    /// times first and then the odd ones: output `2t` reads inputs `t` and `t - 1` through taps 1 and 3, output `2t + 1`
    /// reads `t` and `t + 1` through taps 2 and 0.
    static func upsampling(length: Int) -> [Tap] {
        [
            Tap(weightIndex: 1, first: 0, count: length, input: 0),
            Tap(weightIndex: 3, first: 1, count: length - 1, input: 0),
            Tap(weightIndex: 2, first: length, count: length, input: 0),
            Tap(weightIndex: 0, first: length, count: length - 1, input: 1),
        ].filter { $0.count > 0 }
    }
}
