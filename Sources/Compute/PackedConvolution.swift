import CKernels

/// Output channels of each part of a stage. A part has whole vectors, and whole groups of the normalisation that follows,
/// so a thread can normalise it without waiting for another part.
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
        /// Where its weights start.
        let offset: Int
        /// Where its sums of weights start.
        let sumOffset: Int
    }

    let outChannels: Int
    let share: ChannelShare
    /// Rows of the packed input: a channel each, or a pair of channels.
    let rows: Int
    /// What the packed input holds, and the weights if they are not quantized.
    let format: dn_format
    let isa: InstructionSet
    private let taps: [Tap]
    private let outLength: Int
    private let blocks: [[Block]]
    private let weights: WeightMemory
    private let bias: FloatBuffer
    /// Whether the weights are 8-bit integers.
    let isQuantized: Bool
    /// Rows of weights: as many as of the input, or half of them where integers come in fours.
    private let weightRows: Int
    /// Input channels in a row of weights.
    private let rowChannels: Int
    /// Scale of the 8-bit weights of each output channel, [outChannels] rounded up to a whole vector; empty without
    /// quantization.
    private let scales: FloatBuffer
    /// For integers in fours: the sums of the quantized weights over the rows that share a scale of the input,
    /// [blocks][taps][scaleRows][vectors * lanes].
    private let weightSums: FloatBuffer
    /// Whether the input's integers come in fours, above an offset.
    private var hasOffsets: Bool { isQuantized && rowChannels == 4 }
    /// How many scales the input has at each position.
    private let scaleRows: Int
    /// [parts][taps], filled in for the batch at hand.
    private let scaledTaps: UnsafeMutablePointer<dn_tap>

    /// - Parameters:
    ///   - weight: the weight of (output channel, input channel, tap).
    ///   - bias: [outChannels].
    ///   - inputs: the channels of each of the tensors that lie one above the other in the input.
    ///   - taps: the taps that reach at least one output.
    ///   - outLength: times of the output.
    ///   - format: what the input comes as, and the weights are stored as if they are not quantized.
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
        let inputRowChannels = format == dn_bf16 ? 2 : 1
        self.outChannels = bias.count
        self.share = share
        self.format = format
        self.isa = engine.isa
        self.isQuantized = engine.isQuantized && format == dn_bf16
        self.taps = taps
        self.outLength = outLength
        self.rows = inputs.reduce(0) { $0 + ($1 + inputRowChannels - 1) / inputRowChannels }
        self.rowChannels = isQuantized ? engine.isa.integerChannels : inputRowChannels
        self.weightRows = (rows * inputRowChannels + rowChannels - 1) / rowChannels
        self.scaleRows = IntegerInput.scaleRows(channels: weightRows * rowChannels)

        let lanes = Int(dn_lanes)
        let largest = engine.isa.blockVectors
        let sumRows = isQuantized && rowChannels == 4 ? taps.count * scaleRows : 0
        // In bytes: a lane's may not fill its last cell, a vector's do.
        let laneBytes = taps.count * weightRows * (isQuantized ? rowChannels : 4)
        var laneCount = 0
        self.blocks = share.ranges.map { range in
            var channel = range.lowerBound
            let count = (range.count / lanes + largest - 1) / largest
            return (0..<count).map { index in
                let left = (range.upperBound - channel) / lanes
                let vectors = (left + count - index - 1) / (count - index)
                defer {
                    channel += vectors * lanes
                    laneCount += vectors * lanes
                }
                return Block(
                    channel: channel,
                    vectors: vectors,
                    offset: laneCount * laneBytes / 4,
                    sumOffset: laneCount * sumRows
                )
            }
        }
        self.weights = WeightMemory(cellCount: laneCount * laneBytes / 4, isLocked: engine.locksWeights)
        self.weightSums = FloatBuffer(count: laneCount * sumRows)
        self.bias = FloatBuffer(count: paddedChannels(bias.count))
        for (channel, value) in bias.enumerated() { self.bias.pointer[channel] = value }
        self.scales = FloatBuffer(count: isQuantized ? paddedChannels(bias.count) : 0)
        self.scaledTaps = .allocate(capacity: share.ranges.count * taps.count)

        let channels = Self.places(of: inputs, inRowsOf: inputRowChannels, count: weightRows * rowChannels)
        if isQuantized { findScales(weight: weight, channels: channels) }
        for block in blocks.joined() {
            pack(block) { lane, tap, place in
                let out = block.channel + lane
                guard let channel = channels[place], out < bias.count else { return 0 }
                return weight(out, channel, taps[tap].weightIndex)
            }
        }
    }

    /// The input channel in each of `count` places of the rows, nil if a tensor's last row has no more.
    private static func places(of inputs: [Int], inRowsOf rowChannels: Int, count: Int) -> [Int?] {
        var channels: [Int?] = []
        for input in inputs {
            let first = channels.count { $0 != nil }
            channels += (first..<first + input).map { $0 }
            channels += Array(repeating: nil, count: input % rowChannels)
        }
        return channels + Array(repeating: nil, count: count - channels.count)
    }

    /// Gives each output channel the finest scale at which its largest weight is at most 127, and what the kernels sum in 16 bits
    /// fits.
    ///
    /// - Parameter channels: the input channel in each place of the rows.
    private func findScales(weight: (_ out: Int, _ channel: Int, _ tap: Int) -> Float, channels: [Int?]) {
        for out in 0..<outChannels {
            var finest: Float = 0
            for tap in taps {
                let row = channels.map { $0.map { weight(out, $0, tap.weightIndex) } ?? 0 }
                finest = max(finest, row.reduce(0) { max($0, abs($1)) } / 127)
                if isa.hasGroups { finest = max(finest, Self.largestGroupSum(row) / Self.mostGroupSum) }
            }
            // All weights zero: any scale will do.
            scales.pointer[out] = finest > 0 ? finest : 1
        }
    }

    /// Largest sum of a group's weights that rounding each of them, by up to 1/2, still leaves in `dn_group_weights`.
    private static let mostGroupSum = Float(dn_group_weights - dn_group_rows)

    /// The largest sum of a group's weights of one sign: of the first or the last two of four places in each of its rows.
    ///
    /// - Parameter weights: of one output channel and tap, one for each place of the rows.
    private static func largestGroupSum(_ weights: [Float]) -> Float {
        let places = 4 * Int(dn_group_rows)
        var largest: Float = 0
        for first in stride(from: 0, to: weights.count, by: places) {
            var above = SIMD2<Float>.zero
            var below = SIMD2<Float>.zero
            for place in first..<min(first + places, weights.count) {
                let half = place % 4 / 2
                above[half] += max(weights[place], 0)
                below[half] -= min(weights[place], 0)
            }
            largest = max(largest, above.max(), below.max())
        }
        return largest
    }

    /// Writes a block's weights.
    ///
    /// - Parameter value: the weight of (lane, tap, place among the input channels).
    private func pack(_ block: Block, value: (_ lane: Int, _ tap: Int, _ place: Int) -> Float) {
        let lanes = block.vectors * Int(dn_lanes)
        var cell = weights.pointer + block.offset
        for tap in taps.indices {
            for row in 0..<weightRows {
                let place = row * rowChannels
                if isQuantized {
                    let scaled = tap * scaleRows + place / Int(dn_scaled_channels)
                    let sums = hasOffsets ? weightSums.pointer + block.sumOffset + scaled * lanes : nil
                    quantizeRow(lanes: lanes, block: block.channel, into: cell, sums: sums) {
                        value($0, tap, place + $1)
                    }
                    cell += lanes * rowChannels / 4
                    continue
                }
                for lane in 0..<lanes {
                    cell[lane] =
                        rowChannels == 1
                        ? value(lane, tap, place).bitPattern
                        : UInt32(bf16Bits(value(lane, tap, place)))
                            | UInt32(bf16Bits(value(lane, tap, place + 1))) << 16
                }
                cell += lanes
            }
        }
    }

    /// Writes a row of a block as integers, [vectors * lanes][rowChannels], and adds them to `sums`.
    private func quantizeRow(
        lanes: Int,
        block: Int,
        into cells: UnsafeMutablePointer<UInt32>,
        sums: UnsafeMutablePointer<Float>?,
        value: (_ lane: Int, _ index: Int) -> Float
    ) {
        let bytes = UnsafeMutableRawPointer(cells)
        for lane in 0..<lanes {
            let scale = block + lane < outChannels ? scales.pointer[block + lane] : 1
            for index in 0..<rowChannels {
                let quantized = Int8((value(lane, index) / scale).rounded())
                bytes.storeBytes(of: quantized, toByteOffset: rowChannels * lane + index, as: Int8.self)
                sums?[lane] += Float(quantized) * scale
            }
        }
    }

    deinit { scaledTaps.deallocate() }

    /// Bytes of packed weights.
    var weightBytes: Int {
        blocks.joined().reduce(0) { $0 + $1.vectors } * Int(dn_lanes) * (isQuantized ? rowChannels : 4)
            * weightRows
            * taps.count
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
                input_first: Int32(tap.input * batch),
                starts: tap.starts
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
                input_offsets: integers.map { UnsafePointer($0.offsets) },
                weight_sums: UnsafePointer(weightSums.pointer + block.sumOffset),
                taps: partTaps,
                tap_count: Int32(taps.count),
                rows: Int32(weightRows),
                vectors: Int32(block.vectors),
                row_stride: Int64(rowStride),
                output_stride: Int64(paddedChannels(outChannels))
            )
            dn_convolve(isa.table, integers == nil ? format : dn_integers, &convolution)
        }
    }
}

/// The 16 high bits of the nearest bf16 to `value`, ties to even.
func bf16Bits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
}
