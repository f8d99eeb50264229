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

    /// How the convolution is computed.
    enum Convolution {
        /// Tap by tap, from rows of positions.
        case taps(PackedConvolution)
        /// From rows of `length` columns a sample.
        case filtered(FilteredConvolution, input: UnsafeMutablePointer<UInt32>, length: Int)
    }

    private let convolution: Convolution
    private let outChannels: Int
    private let share: ChannelShare
    private let isa: InstructionSet
    private let input: UnsafeMutablePointer<UInt32>
    private let inputLength: Int
    private let output: UnsafeMutablePointer<Float>
    private let outLength: Int
    /// A second convolution of the same input and output channels: the block's residual.
    private let shortcut: (convolution: PackedConvolution, output: UnsafeMutablePointer<Float>)?
    private let normalization: Normalization?
    private let destinations: [PackedRows]

    /// - Parameters:
    ///   - input: packed rows, dense at their length, of what is computed tap by tap.
    ///   - output: [outLength * batch, paddedChannels].
    ///   - destinations: where the output goes for the layers that read it.
    init(
        _ convolution: Convolution,
        input: UnsafeMutablePointer<UInt32>,
        inputLength: Int,
        output: UnsafeMutablePointer<Float>,
        outLength: Int,
        shortcut: (convolution: PackedConvolution, output: UnsafeMutablePointer<Float>)? = nil,
        normalization: Normalization? = nil,
        destinations: [PackedRows]
    ) {
        let weights = convolution.weights
        self.convolution = convolution
        self.outChannels = weights.outChannels
        self.share = weights.share
        self.isa = weights.isa
        self.input = input
        self.inputLength = inputLength
        self.output = output
        self.outLength = outLength
        self.shortcut = shortcut
        self.normalization = normalization
        self.destinations = destinations
    }

    /// Bytes of weights the stage reads.
    var weightBytes: Int { convolution.weights.weightBytes + (shortcut?.convolution.weightBytes ?? 0) }

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
        let integers = convolution.weights.isQuantized ? integers : nil
        switch convolution {
        case .taps(let convolution):
            integers?.fill(
                from: input,
                rows: convolution.rows,
                positions: inputLength * batch,
                rowStride: rowStride,
                isa: isa
            )
            convolution(
                part: part,
                batch: batch,
                input: input,
                integers: integers,
                rowStride: rowStride,
                output: output
            )
        case .filtered(let convolution, let columns, let length):
            convolution(
                part: part,
                batch: batch,
                input: columns,
                rowStride: packedRowStride(length: length, batch: batch),
                output: output
            )
        }
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
                channels: share.ranges[part].clamped(to: 0..<outChannels),
                stride: paddedChannels(outChannels),
                positions: outLength * batch,
                to: destination,
                batch: batch,
                orders: orders,
                isa: isa
            )
        }
    }
}

extension PackedStage.Convolution {
    /// The weights that it reads.
    fileprivate var weights: PackedConvolution {
        switch self {
        case .taps(let convolution): convolution
        case .filtered(let convolution, _, _): convolution.products
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
    if let filter = destination.filter {
        packColumns(
            values,
            channels: channels,
            stride: stride,
            to: destination,
            filter: filter,
            batch: batch,
            orders: orders,
            isa: isa
        )
        return
    }
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

/// Evaluates `channels` of `values` [positions, stride] where a filtered layer reads them.
private func packColumns(
    _ values: UnsafePointer<Float>,
    channels: Range<Int>,
    stride: Int,
    to destination: PackedRows,
    filter: TemporalFilter,
    batch: Int,
    orders: PositionOrders,
    isa: InstructionSet
) {
    let tiles = filter.tiles(covering: destination.length)
    let rowStride = packedRowStride(length: filter.products * tiles, batch: batch)
    var packing = dn_filter_input(
        values: values,
        value_stride: Int64(stride),
        positions: orders.places(destination.order, batch: batch),
        taps: Int32(filter.taps),
        times: Int32(destination.length),
        tiles: Int32(tiles),
        samples: Int32(batch),
        channel_first: Int32(channels.lowerBound),
        channel_count: Int32(channels.count),
        input: destination.cells + (destination.firstRow + channels.lowerBound) * rowStride,
        row_stride: Int64(rowStride)
    )
    dn_filter_inputs(isa.table, &packing)
}

/// Packed rows that a layer reads: what its neighbours before it write.
struct PackedRows {
    var cells: UnsafeMutablePointer<UInt32>
    /// Times of the layer's input.
    let length: Int
    /// What the cells hold.
    let format: dn_format
    /// Computes the layer from columns, which are what it reads; nil: it reads positions.
    var filter: TemporalFilter?
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
