/// Winograd's minimal filtering F(m x m, 3 x 3) (Lavin and Gray 2015, arXiv 1509.09308): how a tile of m by m outputs is computed
/// from (m + 2) by (m + 2) inputs with one product for each input, instead of 9 for each output.
///
/// The tile is A^T ((G g G^T) * (B^T d B)) A, with g the taps, d the inputs and * the product of each pair of elements. The
/// kernels have A and B; G is here.
enum MinimalFilter: Int, CaseIterable {
    /// F(2 x 2, 3 x 3), with the paper's matrices: 4 / 9 of the products.
    case two = 2
    /// F(4 x 4, 3 x 3): 1 / 4 of the products.
    ///
    /// It interpolates between 0, infinity, ±p and ±1 / p with p = sqrt(1 / 2). In single precision its error's root mean square
    /// is twice that of convolving tap by tap. With the paper's points, 0, infinity, ±1 and ±2, it is 5 times as large.
    case four = 4

    /// m: rows, and columns, of a tile's outputs.
    var outputs: Int { rawValue }

    /// m + 2: rows, and columns, of a tile's inputs.
    var inputs: Int { outputs + 2 }

    /// What a tile multiplies for each pair of channels.
    var products: Int { inputs * inputs }

    /// Tiles that cover so many rows or columns.
    func tiles(covering length: Int) -> Int { (length + outputs - 1) / outputs }

    /// The filter that computes a layer fastest; nil: taps do.
    ///
    /// - Parameters:
    ///   - height: rows of the output.
    ///   - width: positions in a row of the output.
    static func fastest(_ shape: ImageConvolutionShape, height: Int, width: Int) -> MinimalFilter? {
        guard shape.taps == 3, shape.stride == 1 else { return nil }
        // For each pair of channels: weights, and how often each is multiplied.
        func cost(weights: Int, uses: Int) -> Int { weights * (uses + productsOfReading) }
        var fastest: MinimalFilter?
        var least = cost(weights: 9, uses: height * width)
        for filter in allCases {
            let tiles = filter.tiles(covering: height) * filter.tiles(covering: width)
            let cost = cost(weights: filter.products, uses: tiles)
            if cost < least { (fastest, least) = (filter, cost) }
        }
        return fastest
    }

    /// Products that take as long as reading their weight. A pass reads it from the third-level cache, or from memory if the
    /// denoiser's weights have driven it out: that is 10 to 15 and about 50 products with AVX-512.
    private static let productsOfReading = 30

    /// G, [m + 2][3].
    private var matrix: [[Double]] {
        // The powers of a point, over the product of its distances from the other points.
        func row(_ point: Double, _ distances: Double) -> [Double] {
            [1 / distances, point / distances, point * point / distances]
        }
        switch self {
        case .two: return [row(0, 1), row(1, 2), row(-1, 2), [0, 0, 1]]
        case .four:
            let (near, far) = (0.5.squareRoot(), 2.0.squareRoot())
            return [row(0, 1), row(near, -1.5), row(-near, -1.5), row(far, 6), row(-far, 6), [0, 0, 1]]
        }
    }

    /// The weights of the products: G g G^T for each filter's taps g.
    ///
    /// - Parameter taps: [filters][3][3].
    /// - Returns: [filters][m + 2][m + 2].
    func weights(_ taps: [Float]) -> [Float] {
        let matrix = matrix
        // For each product what each tap counts.
        let factors = (0..<products).map { (product: Int) -> [Double] in
            let (row, column): ([Double], [Double]) = (matrix[product / inputs], matrix[product % inputs])
            return (0..<9).map { (tap: Int) -> Double in row[tap / 3] * column[tap % 3] }
        }
        var weights: [Float] = []
        weights.reserveCapacity(taps.count / 9 * products)
        for first in stride(from: 0, to: taps.count, by: 9) {
            for product in factors {
                var sum = 0.0
                for tap in 0..<9 { sum += product[tap] * Double(taps[first + tap]) }
                weights.append(Float(sum))
            }
        }
        return weights
    }
}
