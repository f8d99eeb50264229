import CKernels

/// The activations of a packed forward pass, sized for the largest batch, and the orders in which positions are packed.
final class PackedActivations {
    /// Packed rows that layers read and write in turns.
    let packedA: CellBuffer
    let packedB: CellBuffer
    /// Floats that layers read and write in turns.
    let streamA: FloatBuffer
    let streamB: FloatBuffer
    /// Between a block's two convolutions.
    let hidden: FloatBuffer
    /// What a block adds to its output.
    let residual: FloatBuffer

    private let joinedFormats: [dn_format]
    /// For each level but the finest, the packed input of the decoder: what comes up, and below it what was skipped.
    private let joinedRows: CellBuffer
    private let joinedOffsets: [Int]
    private let skipRows: [Int]
    /// For each level, the column of each position when even times come first, and the time-ordered column of each
    /// position when they were computed even first.
    private let orders: UnsafeMutablePointer<Int32>
    private let orderOffsets: [Int]
    private let orderCount: Int
    private let lengths: [Int]
    private var preparedBatch = 0

    /// - Parameter decoderFormats: what the decoder's inputs hold, coarsest first.
    init(architecture: UNet1DArchitecture, decoderFormats: [dn_format], maximumBatch: Int) {
        let levels = architecture.encoder
        let widths = levels.map(\.second.outChannels)
        // Buffers are sized for single precision, a row for each channel. Resampling puts the channels of one level next
        // to the length of another, hence the widest of the neighbours.
        var widest = max(architecture.actionDim, widths[0])
        var floats = architecture.horizon * paddedChannels(widest)
        var cells = widest * rowCells(architecture.horizon * maximumBatch)
        for (level, shape) in levels.enumerated() {
            widest = widths[max(level - 1, 0)...min(level + 1, levels.count - 1)].max() ?? widest
            floats = max(floats, shape.length * paddedChannels(widest))
            cells = max(cells, widest * rowCells(shape.length * maximumBatch))
        }
        self.packedA = CellBuffer(count: cells)
        self.packedB = CellBuffer(count: cells)
        self.streamA = FloatBuffer(count: floats * maximumBatch)
        self.streamB = FloatBuffer(count: floats * maximumBatch)
        self.hidden = FloatBuffer(count: floats * maximumBatch)
        self.residual = FloatBuffer(count: floats * maximumBatch)

        self.joinedFormats = [dn_f32] + decoderFormats.reversed()
        var offsets: [Int] = []
        var total = 0
        for (level, shape) in levels.enumerated() {
            offsets.append(total)
            if level > 0 { total += 2 * widths[level] * rowCells(shape.length * maximumBatch) }
        }
        self.joinedRows = CellBuffer(count: total)
        self.joinedOffsets = offsets
        self.skipRows = zip(widths, joinedFormats).map { width, format in
            format == dn_bf16 ? (width + 1) / 2 : width
        }

        self.lengths = levels.map(\.length)
        var orderOffsets: [Int] = []
        var orderTotal = 0
        for length in lengths {
            orderOffsets.append(orderTotal)
            orderTotal += 2 * length * maximumBatch
        }
        self.orderOffsets = orderOffsets
        self.orderCount = orderTotal
        self.orders = .allocate(capacity: max(orderTotal, 1))
        self.orders.initialize(repeating: 0, count: max(orderTotal, 1))
    }

    deinit { orders.deallocate() }

    /// Cells between packed rows of a length.
    func rowStride(_ length: Int, _ batch: Int) -> Int { rowCells(length * batch) }

    /// The decoder's packed input at a level.
    func joined(_ level: Int) -> UnsafeMutablePointer<UInt32> {
        joinedRows.pointer + joinedOffsets[level]
    }

    /// Where the level below puts what comes up into a level's decoder.
    func lower(_ level: Int, length: Int, batch: Int, columns: UnsafePointer<Int32>?) -> PackedRows {
        PackedRows(
            rows: joined(level),
            rowStride: rowStride(length, batch),
            columns: columns,
            format: joinedFormats[level]
        )
    }

    /// Where the encoder puts what skips to a level's decoder.
    func skip(_ level: Int, length: Int, batch: Int) -> PackedRows {
        let stride = rowStride(length, batch)
        return PackedRows(
            rows: joined(level) + skipRows[level] * stride,
            rowStride: stride,
            columns: nil,
            format: joinedFormats[level]
        )
    }

    /// Columns that put a level's even times before its odd ones.
    func evenFirst(_ level: Int) -> UnsafePointer<Int32> { UnsafePointer(orders + orderOffsets[level]) }

    /// Columns that put a level's times in order when the even ones were computed first.
    func interleaved(_ level: Int) -> UnsafePointer<Int32> {
        UnsafePointer(orders + orderOffsets[level] + lengths[level] * preparedBatch)
    }

    /// Lays out the orders for a batch.
    func prepare(batch: Int) {
        guard batch != preparedBatch else { return }
        preparedBatch = batch
        for (level, length) in lengths.enumerated() where length > 1 {
            let evenFirst = orders + orderOffsets[level]
            let interleaved = evenFirst + length * batch
            for time in 0..<length {
                let position = (time % 2 == 0 ? time / 2 : length / 2 + time / 2) * batch
                for sample in 0..<batch {
                    evenFirst[time * batch + sample] = Int32(position + sample)
                    interleaved[position + sample] = Int32(time * batch + sample)
                }
            }
        }
    }

    /// Packs the network's input [batch, horizon, actionDim], and lays it out as floats for an identity residual.
    func load(
        _ samples: UnsafePointer<Float>,
        architecture: UNet1DArchitecture,
        batch: Int,
        pass: Pass,
        into rows: UnsafeMutablePointer<UInt32>,
        stream: UnsafeMutablePointer<Float>
    ) {
        let channels = architecture.actionDim
        let stride = paddedChannels(channels)
        for sample in 0..<batch {
            for time in 0..<architecture.horizon {
                let source = samples + (sample * architecture.horizon + time) * channels
                (stream + (time * batch + sample) * stride).update(from: source, count: channels)
            }
        }
        let positions = architecture.horizon * batch
        var packing = dn_packing(
            values: stream,
            value_stride: Int64(stride),
            positions: Int32(positions),
            channel_first: 0,
            channel_count: Int32(channels),
            input: rows,
            row_stride: Int64(rowCells(positions)),
            columns: nil
        )
        dn_pack(pass.isa, dn_f32, &packing)
    }
}

/// `positions` up to an odd number of cache lines: rows a power of two apart would share the same few cache sets.
private func rowCells(_ positions: Int) -> Int {
    let lanes = Int(dn_lanes)
    return (((positions + lanes - 1) / lanes) | 1) * lanes
}
