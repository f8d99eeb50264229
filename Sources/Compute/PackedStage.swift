import CKernels

/// One stage of a packed forward pass (in the glossary a *packed stage*): a convolution, and everything up to the next point at
/// which a thread needs channels from another thread.
///
/// The parts of a stage are independent. A part convolves its output channels, normalises them, adds FiLM and the residual,
/// and packs them for the layers that read them.
final class PackedStage {
    /// Normalisation behind the convolution.
    struct Normalization {
        let norm: PackedNorm
        /// Where this layer's FiLM numbers start in a sample's row of them; nil: it has none.
        let filmOffset: Int?
        let hasScale: Bool
        /// Residual that is added at the end.
        let residual: UnsafeMutablePointer<Float>?
    }

    private let convolution: PackedConvolution
    private let input: UnsafeMutablePointer<UInt32>
    private let inputLength: Int
    private let output: UnsafeMutablePointer<Float>
    private let outLength: Int
    /// A second convolution of the same input and output channels: the block's residual.
    private let shortcut: (convolution: PackedConvolution, output: UnsafeMutablePointer<Float>)?
    private let normalization: Normalization?
    private let destinations: [PackedRows]

    /// - Parameters:
    ///   - input: packed rows, dense at their length.
    ///   - output: [outLength * batch, paddedChannels].
    ///   - destinations: where the output goes for the layers that read it.
    init(
        _ convolution: PackedConvolution,
        input: UnsafeMutablePointer<UInt32>,
        inputLength: Int,
        output: UnsafeMutablePointer<Float>,
        outLength: Int,
        shortcut: (convolution: PackedConvolution, output: UnsafeMutablePointer<Float>)? = nil,
        normalization: Normalization? = nil,
        destinations: [PackedRows]
    ) {
        self.convolution = convolution
        self.input = input
        self.inputLength = inputLength
        self.output = output
        self.outLength = outLength
        self.shortcut = shortcut
        self.normalization = normalization
        self.destinations = destinations
    }

    /// Bytes of weights the stage reads.
    var weightBytes: Int { convolution.weightBytes + (shortcut?.convolution.weightBytes ?? 0) }

    /// Does one part.
    ///
    /// - Parameters:
    ///   - film: [batch, filmStride], every sample's FiLM numbers.
    ///   - integers: room for the part's input as integers.
    func run(
        part: Int,
        batch: Int,
        film: UnsafePointer<Float>,
        filmStride: Int,
        orders: PositionOrders,
        integers: IntegerInput?
    ) {
        let rowStride = packedRowStride(length: inputLength, batch: batch)
        // The shortcut reads the same in the same format.
        let integers = convolution.isQuantized ? integers : nil
        integers?.fill(
            from: input,
            rows: convolution.rows,
            positions: inputLength * batch,
            rowStride: rowStride,
            isa: convolution.isa
        )
        convolution(
            part: part,
            batch: batch,
            input: input,
            integers: integers,
            rowStride: rowStride,
            output: output
        )
        if let shortcut {
            shortcut.convolution(
                part: part,
                batch: batch,
                input: input,
                integers: integers,
                rowStride: rowStride,
                output: shortcut.output
            )
        }
        if let normalization {
            normalization.norm(
                output,
                part: part,
                batch: batch,
                length: outLength,
                film: normalization.filmOffset.map { film + $0 },
                filmStride: filmStride,
                hasScale: normalization.hasScale,
                residual: normalization.residual
            )
        }
        for destination in destinations {
            pack(
                output,
                channels: convolution.share.ranges[part].clamped(to: 0..<convolution.outChannels),
                stride: paddedChannels(convolution.outChannels),
                positions: outLength * batch,
                to: destination,
                batch: batch,
                orders: orders,
                isa: convolution.isa
            )
        }
    }
}

/// Packs `channels` of `values` [positions, stride] where another layer reads them.
func pack(
    _ values: UnsafePointer<Float>,
    channels: Range<Int>,
    stride: Int,
    positions: Int,
    to destination: PackedRows,
    batch: Int,
    orders: PositionOrders,
    isa: InstructionSet
) {
    guard !channels.isEmpty else { return }
    let rowStride = packedRowStride(length: destination.length, batch: batch)
    let firstRow =
        destination.firstRow
        + (destination.format == dn_bf16 ? channels.lowerBound / 2 : channels.lowerBound)
    var packing = dn_packing(
        values: values,
        value_stride: Int64(stride),
        positions: Int32(positions),
        channel_first: Int32(channels.lowerBound),
        channel_count: Int32(channels.count),
        input: destination.cells + firstRow * rowStride,
        row_stride: Int64(rowStride),
        columns: orders.columns(destination.order, batch: batch)
    )
    dn_pack(isa.table, destination.format, &packing)
}

/// Packed rows that a layer reads: what its neighbours before it write.
struct PackedRows {
    let cells: UnsafeMutablePointer<UInt32>
    /// Times of the layer's input.
    let length: Int
    /// What the cells hold.
    let format: dn_format
    /// Where the writer's channels start among the rows.
    var firstRow = 0
    /// Where the writer's positions go.
    var order = PositionOrder.same
}

/// `channels` up to the end of a vector: how far apart the rows of floats lie.
func paddedChannels(_ channels: Int) -> Int {
    let lanes = Int(dn_lanes)
    return (channels + lanes - 1) / lanes * lanes
}

/// Cells between packed rows: an odd number of cache lines, because rows a power of two apart would share the same few
/// sets of the cache.
func packedRowStride(length: Int, batch: Int) -> Int {
    let lanes = Int(dn_lanes)
    return (((length * batch + lanes - 1) / lanes) | 1) * lanes
}
