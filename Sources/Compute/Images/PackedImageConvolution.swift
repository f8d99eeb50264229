import CKernels

/// What a convolution reads: planes of 16 channels, or a frame.
enum ImageInput {
    case planes(ImagePlanes<UInt32>, dn_format)
    /// [height + 6, width + 6, 3] floats for each frame, with a border of 3 zeros.
    case rgb(UnsafePointer<Float>, height: Int, width: Int)
}

/// A convolution's weights in the order in which the image kernels read them, part by part and block by block.
final class PackedImageConvolution {
    /// A block of output channels whose weights are contiguous.
    struct Block {
        /// First vector of output channels.
        let firstVector: Int
        /// 1, 2 or 4.
        let vectors: Int
        /// Where its weights start.
        fileprivate let offset: Int
    }

    /// The blocks of each part.
    let blocks: [[Block]]
    /// Most vectors that a block has.
    let largestBlock: Int
    private let shape: ImageConvolutionShape
    private let input: ImageInput
    private let isa: InstructionSet
    /// Where each piece starts in the input, from the input of the output's first position.
    private let pieces: NumberBuffer<Int32>
    /// Computes it in tiles; nil: tap by tap.
    private let tiles: ImageTiles?
    /// Cells of a piece.
    private let pieceCells: Int
    private let weights: WeightMemory
    /// Scale of the 8-bit weights of each output channel, [outChannels]; empty if the input is not of integers.
    private let scales: FloatBuffer

    /// - Parameters:
    ///   - weight: [outChannels, inChannels, taps, taps].
    ///   - tiles: computes it in tiles; nil: tap by tap.
    ///   - share: the output channels of each part, in whole vectors.
    init(
        _ shape: ImageConvolutionShape,
        weight: [Float],
        input: ImageInput,
        tiles: ImageTiles? = nil,
        share: ChannelShare,
        engine: Engine
    ) {
        self.shape = shape
        self.input = input
        self.isa = engine.isa
        self.tiles = tiles
        self.pieces = NumberBuffer(tiles?.pieces ?? input.pieces(shape))
        self.pieceCells = input.pieceCells
        let lanes = Int(dn_lanes)
        let vectorCells = (tiles?.filter.products ?? 1) * pieces.count * pieceCells * lanes
        var vectorCount = 0
        self.blocks = share.ranges.map { range in
            Self.split(range.count / lanes, largest: engine.isa.blockVectors).map { vectors in
                defer { vectorCount += vectors }
                return Block(
                    firstVector: vectorCount,
                    vectors: vectors,
                    offset: vectorCount * vectorCells
                )
            }
        }
        self.largestBlock = blocks.joined().map(\.vectors).max() ?? 1
        self.weights = WeightMemory(cellCount: vectorCount * vectorCells, isLocked: engine.locksWeights)
        self.scales = FloatBuffer(input.isQuantized ? Self.scales(weight, channels: vectorCount * lanes) : [])
        if let filter = tiles?.filter {
            let products = filter.weights(weight)
            for block in blocks.joined() { pack(block, products: products, filter) }
        } else {
            for block in blocks.joined() { pack(block, weight: weight) }
        }
    }

    /// Powers of two that add up to `vectors`, the largest first.
    private static func split(_ vectors: Int, largest: Int) -> [Int] {
        var left = vectors
        var result: [Int] = []
        for size in [4, 2, 1] where size <= largest {
            result += Array(repeating: size, count: left / size)
            left %= size
        }
        return result
    }

    /// The scale that makes each output channel's largest weight 127.
    private static func scales(_ weight: [Float], channels: Int) -> [Float] {
        let row = weight.count / channels
        return (0..<channels).map { channel in
            let largest = weight[channel * row..<(channel + 1) * row].reduce(0) { max($0, abs($1)) }
            // All weights zero: any scale will do.
            return largest > 0 ? largest / 127 : 1
        }
    }

    /// Bytes of packed weights.
    var weightBytes: Int {
        let products = tiles?.filter.products ?? 1
        return blocks.joined().reduce(0) { $0 + $1.vectors } * products * pieces.count * pieceCells
            * Int(dn_lanes) * 4
    }

    /// Floats of scratch that a part needs.
    var scratchCount: Int { tiles?.scratchCount(vectors: largestBlock) ?? 0 }

    /// Whether it is computed in tiles.
    var isTiled: Bool { tiles != nil }

    /// - Parameter products: [outChannels, inChannels, products].
    private func pack(_ block: Block, products: [Float], _ filter: MinimalFilter) {
        let lanes = Int(dn_lanes)
        var cell = weights.pointer + block.offset
        for product in 0..<filter.products {
            for channel in 0..<pieces.count * lanes {
                for lane in 0..<block.vectors * lanes {
                    let out = block.firstVector * lanes + lane
                    let isWeight = out < shape.outChannels && channel < shape.inChannels
                    let index = (out * shape.inChannels + channel) * filter.products + product
                    cell[lane] = isWeight ? products[index].bitPattern : 0
                }
                cell += block.vectors * lanes
            }
        }
    }

    private func pack(_ block: Block, weight: [Float]) {
        let lanes = Int(dn_lanes)
        let area = shape.taps * shape.taps
        var cell = weights.pointer + block.offset
        for piece in 0..<pieces.count {
            for place in 0..<pieceCells {
                for lane in 0..<block.vectors * lanes {
                    let out = block.firstVector * lanes + lane
                    cell[lane] = input.weightCell(piece: piece, cell: place, shape: shape, isa: isa) {
                        channel,
                        tap in
                        guard out < shape.outChannels, channel < shape.inChannels else { return 0 }
                        let value = weight[(out * shape.inChannels + channel) * area + tap]
                        return input.isQuantized ? (value / scales.pointer[out]).rounded() : value
                    }
                }
                cell += block.vectors * lanes
            }
        }
    }

    /// Does what all blocks of a part share, before any of them is computed for a strip: transforms the inputs of tiles.
    ///
    /// - Parameter scratch: `scratchCount` floats.
    func prepare(_ strip: ImageStrip, scratch: UnsafeMutablePointer<Float>) {
        tiles?.transform(strip, isa: isa, scratch: scratch)
    }

    /// Computes a block's channels for a strip that has been prepared.
    ///
    /// - Parameters:
    ///   - inputScales: of integers only: [frames], what an input of 1 stands for in each.
    ///   - width: positions in a row of the output.
    ///   - scratch: what `prepare` was given.
    ///   - sums: [vectors][frames][rows][width][lanes], vectors `sumStride` apart.
    func callAsFunction(
        _ block: Block,
        _ strip: ImageStrip,
        width: Int,
        inputScales: UnsafePointer<Float>?,
        scratch: UnsafeMutablePointer<Float>,
        sums: UnsafeMutablePointer<Float>,
        sumStride: Int
    ) {
        if let tiles {
            tiles.sum(
                strip,
                vectors: block.vectors,
                isa: isa,
                scratch: scratch,
                sums: sums,
                sumStride: sumStride
            ) { multiply(block, product: $0, tiles: $1, input: $2, sums: $3, sumStride: $4) }
            return
        }
        let source = input.source(
            frame: strip.frames.lowerBound,
            row: strip.rows.lowerBound * shape.stride
        )
        var convolution = dn_image_convolution(
            weights: weights.pointer + block.offset,
            input: source.cells,
            pieces: pieces.pointer,
            piece_count: Int32(pieces.count),
            stride: Int32(shape.stride),
            is_rgb: source.isRGB,
            row_stride: Int64(shape.stride * source.rowStride),
            frame_stride: Int64(source.frameStride),
            sums: sums,
            sum_stride: Int64(sumStride),
            sum_frame_stride: Int64(strip.rows.count * width * Int(dn_lanes)),
            scales: input.isQuantized ? scales.pointer + block.firstVector * Int(dn_lanes) : nil,
            input_scales: inputScales.map { $0 + strip.frames.lowerBound },
            vectors: Int32(block.vectors),
            width: Int32(width),
            rows: Int32(strip.rows.count),
            frames: Int32(strip.frames.count)
        )
        dn_convolve_image(isa.table, source.format, &convolution)
    }

    /// Computes a product of a block's channels for some tiles.
    private func multiply(
        _ block: Block,
        product: Int,
        tiles: Int,
        input: UnsafePointer<Float>,
        sums: UnsafeMutablePointer<Float>,
        sumStride: Int
    ) {
        let productCells = pieces.count * pieceCells * block.vectors * Int(dn_lanes)
        var convolution = dn_image_convolution(
            weights: weights.pointer + block.offset + product * productCells,
            // Kernels take cells of every format by one type.
            input: UnsafeRawPointer(input).assumingMemoryBound(to: UInt32.self),
            pieces: pieces.pointer,
            piece_count: Int32(pieces.count),
            stride: 1,
            is_rgb: false,
            row_stride: 0,
            frame_stride: 0,
            sums: sums,
            sum_stride: Int64(sumStride),
            sum_frame_stride: 0,
            scales: nil,
            input_scales: nil,
            vectors: Int32(block.vectors),
            width: Int32(tiles),
            rows: 1,
            frames: 1
        )
        dn_convolve_image(isa.table, dn_f32, &convolution)
    }
}

extension ImageInput {
    /// Whether its cells are integers.
    var isQuantized: Bool {
        switch self {
        case .planes(_, let format): format == dn_integers
        case .rgb: false
        }
    }

    /// Cells of a piece.
    fileprivate var pieceCells: Int {
        switch self {
        case .planes(let planes, _): planes.layout.blockCells
        case .rgb: Int(dn_rgb_taps * dn_rgb)
        }
    }

    /// Where the pieces of a convolution start, from the input at the output's first position. The pieces of planes are
    /// ordered by block and then by tap; those of a frame are its rows of taps.
    fileprivate func pieces(_ shape: ImageConvolutionShape) -> [Int32] {
        switch self {
        case .rgb(_, _, let width):
            precondition(shape.taps == dn_rgb_taps && shape.stride == 2 && shape.inChannels == dn_rgb)
            return (0..<shape.taps).map { Int32($0 * Self.rgbRowStride(width: width)) }
        case .planes(let planes, _):
            let layout = planes.layout
            let middle = shape.taps / 2
            precondition(middle <= 1, "a border is one position wide")
            let area = shape.taps * shape.taps
            return (0..<layout.blocks * area).map { (piece: Int) -> Int32 in
                let (block, y, x) = (piece / area, piece % area / shape.taps, piece % shape.taps)
                let row = (y - middle) * layout.rowStride
                return Int32(block * layout.blockStride + row + (x - middle) * layout.blockCells)
            }
        }
    }

    /// A cell of a piece's weights.
    ///
    /// - Parameter weight: the weight of (input channel, tap), quantized if the input is.
    fileprivate func weightCell(
        piece: Int,
        cell: Int,
        shape: ImageConvolutionShape,
        isa: InstructionSet,
        weight: (_ channel: Int, _ tap: Int) -> Float
    ) -> UInt32 {
        guard case .planes(_, let format) = self else {
            // A frame's row of taps is [tap][channel].
            return weight(cell % Int(dn_rgb), piece * shape.taps + cell / Int(dn_rgb)).bitPattern
        }
        let area = shape.taps * shape.taps
        let channels = isa.imageCellChannels(format)
        let first = piece / area * Int(dn_lanes) + cell * channels
        func value(_ index: Int) -> Float { weight(first + index, piece % area) }
        switch format {
        case dn_f32: return value(0).bitPattern
        case dn_bf16: return UInt32(bf16Bits(value(0))) | UInt32(bf16Bits(value(1))) << 16
        default:
            let bits = 32 / channels
            return (0..<channels).reduce(0) { cell, index in
                let integer = UInt32(bitPattern: Int32(value(index))) & (1 << bits - 1)
                return cell | integer << (bits * index)
            }
        }
    }

    fileprivate struct Source {
        let cells: UnsafePointer<UInt32>
        let format: dn_format
        let isRGB: Bool
        let rowStride: Int
        let frameStride: Int
    }

    /// A row of a frame, and how far apart rows and frames are in cells.
    fileprivate func source(frame: Int, row: Int) -> Source {
        switch self {
        case .planes(let planes, let format):
            return Source(
                cells: planes.row(frame: frame, block: 0, row: row),
                format: format,
                isRGB: false,
                rowStride: planes.layout.rowStride,
                frameStride: planes.layout.frameStride
            )
        case .rgb(let values, let height, let width):
            let rowStride = Self.rgbRowStride(width: width)
            let frameStride = Self.rgbFrameStride(height: height, width: width)
            let start = UnsafeRawPointer(values + frame * frameStride + row * rowStride)
            return Source(
                // Kernels take cells of every format by one type.
                cells: start.assumingMemoryBound(to: UInt32.self),
                format: dn_f32,
                isRGB: true,
                rowStride: rowStride,
                frameStride: frameStride
            )
        }
    }

    /// Positions, or rows, of a frame's border on each side.
    static let rgbBorder = Int(dn_rgb_taps) / 2

    /// Floats from a row of a frame to the next.
    static func rgbRowStride(width: Int) -> Int { (width + 2 * rgbBorder) * Int(dn_rgb) }

    /// Floats from a frame to the next.
    static func rgbFrameStride(height: Int, width: Int) -> Int {
        (height + 2 * rgbBorder) * rgbRowStride(width: width)
    }
}
