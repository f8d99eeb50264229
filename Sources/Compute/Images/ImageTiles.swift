import CKernels

/// A convolution of 3 by 3 taps in tiles of 2 by 2 outputs, by the minimal filtering F(2 x 2, 3 x 3) of Winograd (Lavin and
/// Gray 2015, arXiv 1509.09308). It takes 4 / 9 of the products, and about twice the weights.
struct ImageTiles {
    /// What a tile multiplies for each pair of channels.
    static let products = Int(dn_tile_products)

    private let input: ImagePlanes<Float>
    /// The most tiles of a strip of rows.
    private let mostTiles: Int

    /// - Parameters:
    ///   - input: as large as the output.
    ///   - stripRows: the most rows of the output that are computed at once.
    init(input: ImagePlanes<Float>, stripRows: Int) {
        self.input = input
        mostTiles = Self.count(stripRows) * Self.count(input.layout.width)
    }

    /// Whether tiles are faster than taps. They are not if they cover a small map badly. Nor are they if a pass waits for weights:
    /// tiles read more of them.
    static func areFaster(_ shape: ImageConvolutionShape, height: Int, width: Int) -> Bool {
        guard shape.taps == 3, shape.stride == 1 else { return false }
        let positions = height * width
        let ratio = Double(count(height) * count(width) * products) / Double(positions * 9)
        let weightBytes = shape.outChannels * shape.inChannels * products * MemoryLayout<Float>.stride
        return positions >= leastPositions && ratio < largestRatio && weightBytes <= mostWeightBytes
    }

    private static let leastPositions = 32
    /// Of products by tiles to products by taps.
    private static let largestRatio = 0.75
    /// The last group of a ResNet18 has 16 MiB in each convolution.
    private static let mostWeightBytes = 8 << 20

    /// Tiles that cover so many rows or columns.
    private static func count(_ length: Int) -> Int { (length + 1) / 2 }

    /// Where the pieces of a product start: the blocks of the transformed inputs.
    var pieces: [Int32] { (0..<input.layout.blocks).map { Int32($0 * blockStride) } }

    private var blockStride: Int { mostTiles * Int(dn_lanes) }
    private var inputStride: Int { input.layout.blocks * blockStride }

    /// Floats of scratch that a block of output channels needs.
    func scratchCount(vectors: Int) -> Int { Self.products * (input.layout.blocks + vectors) * blockStride }

    /// G g G^T of a filter's 3 by 3 taps: the weights of the products.
    static func transform(_ taps: [Float]) -> [Float] {
        func rows(_ g: (Double, Double, Double)) -> [Double] {
            [g.0, (g.0 + g.1 + g.2) / 2, (g.0 - g.1 + g.2) / 2, g.2]
        }
        let g = taps.map(Double.init)
        let columns = (0..<3).map { rows((g[$0], g[3 + $0], g[6 + $0])) }
        return (0..<4).flatMap { row in
            rows((columns[0][row], columns[1][row], columns[2][row])).map(Float.init)
        }
    }

    /// Computes a block's sums for some rows of a frame.
    ///
    /// - Parameters:
    ///   - scratch: `scratchCount` floats.
    ///   - sums: [vectors][rows][width][lanes], vectors `sumStride` apart.
    ///   - multiply: computes a product for so many tiles, from the transformed inputs to sums whose vectors are so many floats
    ///     apart.
    func run(
        frame: Int,
        rows: Range<Int>,
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
        let layout = input.layout
        let (tileRows, tileColumns) = (Self.count(rows.count), Self.count(layout.width))
        for block in 0..<layout.blocks {
            var transform = dn_tile_input(
                values: input.row(frame: frame, block: block, row: 0),
                value_stride: Int64(layout.rowStride),
                height: Int32(layout.height),
                width: Int32(layout.width),
                first_row: Int32(rows.lowerBound),
                tile_rows: Int32(tileRows),
                tile_columns: Int32(tileColumns),
                tiles: scratch + block * blockStride,
                product_stride: Int64(inputStride)
            )
            dn_transform_tiles(isa.table, &transform)
        }
        let products = scratch + Self.products * inputStride
        let productStride = vectors * blockStride
        for product in 0..<Self.products {
            multiply(
                product,
                tileRows * tileColumns,
                scratch + product * inputStride,
                products + product * productStride,
                blockStride
            )
        }
        for vector in 0..<vectors {
            var output = dn_tile_output(
                products: products + vector * blockStride,
                product_stride: Int64(productStride),
                sums: sums + vector * sumStride,
                rows: Int32(rows.count),
                width: Int32(layout.width)
            )
            dn_sum_tiles(isa.table, &output)
        }
    }
}
