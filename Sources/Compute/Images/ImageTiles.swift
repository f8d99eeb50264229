import CKernels

/// A convolution of 3 by 3 taps in tiles. Inputs are transformed, block by block; then each product is a convolution of one tap
/// over a strip's tiles; then the products become sums.
struct ImageTiles {
    let filter: MinimalFilter
    private let input: ImagePlanes<Float>
    /// The most tiles of a strip.
    private let mostTiles: Int

    /// - Parameters:
    ///   - input: as large as the output.
    ///   - strips: of the output.
    init(_ filter: MinimalFilter, input: ImagePlanes<Float>, strips: ImageStrips) {
        self.filter = filter
        self.input = input
        mostTiles =
            strips.frames * filter.tiles(covering: strips.rows) * filter.tiles(covering: strips.width)
    }

    /// Where the pieces of a product start: the blocks of the transformed inputs.
    var pieces: [Int32] { (0..<input.layout.blocks).map { Int32($0 * blockStride) } }

    private var blockStride: Int { mostTiles * Int(dn_lanes) }
    /// Floats from a product to the next, of so many blocks. A cache line more than there are: else a tile's products, which
    /// often lie a multiple of 4 KiB apart, would drive each other out of the first-level cache.
    private func productStride(blocks: Int) -> Int { blocks * blockStride + Int(dn_lanes) }

    /// Floats of scratch that a block of output channels needs.
    func scratchCount(vectors: Int) -> Int {
        filter.products * (productStride(blocks: input.layout.blocks) + productStride(blocks: vectors))
    }

    /// Transforms a strip's inputs, for all output channels.
    ///
    /// - Parameter scratch: `scratchCount` floats.
    func transform(_ strip: ImageStrip, isa: InstructionSet, scratch: UnsafeMutablePointer<Float>) {
        let layout = input.layout
        let (rows, columns) = (
            filter.tiles(covering: strip.rows.count), filter.tiles(covering: layout.width)
        )
        for block in 0..<layout.blocks {
            for (index, frame) in strip.frames.enumerated() {
                var transform = dn_tile_input(
                    values: input.row(frame: frame, block: block, row: 0),
                    value_stride: Int64(layout.rowStride),
                    height: Int32(layout.height),
                    width: Int32(layout.width),
                    outputs: Int32(filter.outputs),
                    first_row: Int32(strip.rows.lowerBound),
                    tile_rows: Int32(rows),
                    tile_columns: Int32(columns),
                    tiles: scratch + block * blockStride + index * rows * columns * Int(dn_lanes),
                    product_stride: Int64(productStride(blocks: layout.blocks))
                )
                dn_transform_tiles(isa.table, &transform)
            }
        }
    }

    /// Computes a block's sums of a strip whose inputs have been transformed.
    ///
    /// - Parameters:
    ///   - scratch: what `transform` was given.
    ///   - sums: [vectors][frames][rows][width][lanes], vectors `sumStride` apart.
    ///   - multiply: computes a product for so many tiles, from the transformed inputs to sums whose vectors are so many floats
    ///     apart.
    func sum(
        _ strip: ImageStrip,
        vectors: Int,
        isa: InstructionSet,
        scratch: UnsafeMutablePointer<Float>,
        sums: UnsafeMutablePointer<Float>,
        sumStride: Int,
        multiply: (
            _ product: Int,
            _ tiles: Int,
            _ input: UnsafePointer<Float>,
            _ sums: UnsafeMutablePointer<Float>,
            _ sumStride: Int
        ) -> Void
    ) {
        let width = input.layout.width
        let tiles = filter.tiles(covering: strip.rows.count) * filter.tiles(covering: width)
        let inputStride = productStride(blocks: input.layout.blocks)
        let outputStride = productStride(blocks: vectors)
        let products = scratch + filter.products * inputStride
        for product in 0..<filter.products {
            multiply(
                product,
                strip.frames.count * tiles,
                scratch + product * inputStride,
                products + product * outputStride,
                blockStride
            )
        }
        for vector in 0..<vectors {
            for index in 0..<strip.frames.count {
                var output = dn_tile_output(
                    products: products + vector * blockStride + index * tiles * Int(dn_lanes),
                    product_stride: Int64(outputStride),
                    sums: sums + vector * sumStride + index * strip.rows.count * width * Int(dn_lanes),
                    outputs: Int32(filter.outputs),
                    rows: Int32(strip.rows.count),
                    width: Int32(width)
                )
                dn_sum_tiles(isa.table, &output)
            }
        }
    }
}
