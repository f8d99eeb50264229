import CKernels

/// Minimal filtering F(4, 5) or F(4, 3) of a convolution in time: how four outputs are computed from one product for each input
/// that they read, 8 instead of 20 or 6 instead of 12.
///
/// The outputs are A^T ((G g) * (B^T d)), with g the taps, d the inputs and * the product of each pair of elements (Winograd 1980;
/// Lavin and Gray 2015, arXiv 1509.09308). The kernels have A and B; G is here.
struct TemporalFilter: Hashable {
    /// Taps of the convolution, 5 or 3.
    let taps: Int
    /// The finite points between which it interpolates but 0; each also counts with its other sign.
    private let points: [Double]

    /// - Returns: nil if there is no filter for so many taps.
    init?(taps: Int) {
        switch taps {
        case 5: points = [0.5, 1, 2]
        case 3: points = [Double(0.5).squareRoot(), Double(2).squareRoot()]
        default: return nil
        }
        self.taps = taps
    }

    /// Outputs of a tile.
    static let outputs = Int(dn_filter_outputs)

    /// What a tile multiplies for each pair of channels.
    var products: Int { taps + Self.outputs - 1 }

    /// Tiles that cover so many times.
    func tiles(covering length: Int) -> Int { (length + Self.outputs - 1) / Self.outputs }

    /// A row for each product, in the kernels' order: what each tap counts. It lacks the factors by which the kernels multiply when
    /// they interpolate.
    private var matrix: [[Double]] {
        func powers(_ point: Double) -> [Double] {
            sequence(first: 1) { $0 * point }.prefix(taps).map(\.self)
        }
        let infinity = (0..<taps).map { $0 == taps - 1 ? 1.0 : 0 }
        return [powers(0), infinity] + points.flatMap { [powers($0), powers(-$0)] }
    }

    /// The weights of the products.
    ///
    /// - Parameter weights: [filters][taps].
    /// - Returns: [filters][products].
    func weights(_ weights: [Float]) -> [Float] {
        let matrix = matrix.flatMap { $0 }
        let count = weights.count / taps
        return [Float](unsafeUninitializedCapacity: count * products) { values, filled in
            for index in 0..<count {
                for product in 0..<products {
                    var sum = 0.0
                    for tap in 0..<taps {
                        sum += matrix[product * taps + tap] * Double(weights[index * taps + tap])
                    }
                    values[index * products + product] = Float(sum)
                }
            }
            filled = count * products
        }
    }

    /// The products as taps of a convolution over columns: each is one tap of its own columns.
    ///
    /// - Parameter length: times of the convolution.
    func taps(length: Int) -> [Tap] {
        let tiles = tiles(covering: length)
        return (0..<products).map {
            Tap(weightIndex: $0, first: $0 * tiles, count: tiles, input: $0 * tiles, starts: true)
        }
    }
}

// MARK: - Which layers are filtered

extension TemporalFilter {
    /// Products that take as long as reading a weight from memory: measured with AVX-512, two cores at 34 GB/s and 340 GFLOP/s. Other
    /// processors have from 12 to 30.
    private static let productsOfReading = 20.0
    /// How much longer a product takes than one of taps, and the transformation of a channel in products: measured likewise.
    private static let overhead = 1.15
    private static let productsOfTransforming = 8.0

    /// What filtering a layer saves, in products, and what it takes.
    struct Gain {
        /// Products that are saved, or what takes as long; negative if it is slower.
        let products: Double
        /// Bytes that its weights take beyond those of the taps.
        let bytes: Int
    }

    /// What filtering a layer gains for a batch; nil: there is no filter for it.
    static func gain(_ shape: ConvolutionShape, batch: Int) -> Gain? {
        guard case .same(let taps) = shape.sampling, let filter = TemporalFilter(taps: taps) else {
            return nil
        }
        let reaching = Tap.centred(taps: taps, length: shape.length)
        guard reaching.count == taps else { return nil }
        func cost(weights: Int, products: Double) -> Double {
            max(Double(weights) * productsOfReading, products)
        }
        let direct = cost(weights: taps, products: Double(batch * reaching.reduce(0) { $0 + $1.count }))
        let columns = Double(batch * filter.products * filter.tiles(covering: shape.length))
        let transformations =
            productsOfTransforming * (1 / Double(shape.inChannels) + 1 / Double(shape.outChannels))
        let filtered = cost(weights: filter.products, products: columns * (overhead + transformations))
        let pairs = shape.inChannels * paddedChannels(shape.outChannels)
        return Gain(
            products: Double(pairs) * (direct - filtered),
            bytes: pairs * (filter.products - taps) * MemoryLayout<Float>.stride
        )
    }

    /// The layers to filter of some: those that gain most for their memory, as far as it suffices.
    ///
    /// - Returns: their indices, and the bytes that they take.
    static func chosen(
        among shapes: [ConvolutionShape?],
        _ filtering: Filtering
    ) -> (layers: Set<Int>, bytes: Int) {
        guard filtering.batch > 0 else { return ([], 0) }
        let gains = shapes.enumerated().compactMap { index, shape in
            shape.flatMap { gain($0, batch: filtering.batch) }.map { (index: index, gain: $0) }
        }
        func worth(_ gain: Gain) -> Double { gain.products / Double(gain.bytes) }
        var layers: Set<Int> = []
        var bytes = 0
        // Among equals the first one, so that the choice is the same everywhere.
        let byWorth = gains.filter { $0.gain.products > 0 }.sorted {
            (worth($1.gain), $0.index) < (worth($0.gain), $1.index)
        }
        for (index, gain) in byWorth where bytes + gain.bytes <= filtering.memory {
            layers.insert(index)
            bytes += gain.bytes
        }
        return (layers, bytes)
    }
}
