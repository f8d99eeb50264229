/// y = (x - origin) scale + offset for each dimension of a feature: a normalisation or its inverse.
///
/// The formulas are LeRobot's. The origin is kept apart from the offset because a dimension that never moved in
/// training has a scale of 2e8: x scale - origin scale would lose all digits where (x - origin) scale is exactly 0.
struct AffineMap: Sendable, Hashable {
    let origin: [Double]
    let scale: [Double]
    let offset: [Double]

    var count: Int { scale.count }

    /// Leaves numbers as they are.
    init(identity count: Int) {
        origin = [Double](repeating: 0, count: count)
        scale = [Double](repeating: 1, count: count)
        offset = origin
    }

    private init(origin: [Double], scale: [Double], offset: [Double]) {
        self.origin = origin
        self.scale = scale
        self.offset = offset
    }

    /// LeRobot's normalisation with these statistics.
    init(normalizing statistics: NormalizationStatistics) {
        switch statistics.values {
        case .identity(let count): self.init(identity: count)
        case .meanStd(let mean, let std):
            self.init(
                origin: mean,
                scale: std.map { 1 / ($0 + statistics.epsilon) },
                offset: [Double](repeating: 0, count: mean.count)
            )
        case .minMax(let min, let max):
            self.init(
                origin: min,
                scale: zip(min, max).map { 2 / statistics.normalizingRange(min: $0, max: $1) },
                offset: [Double](repeating: -1, count: min.count)
            )
        }
    }

    /// LeRobot's inverse, which for mean and standard deviation leaves epsilon out.
    init(unnormalizing statistics: NormalizationStatistics) {
        switch statistics.values {
        case .identity(let count): self.init(identity: count)
        case .meanStd(let mean, let std):
            self.init(origin: [Double](repeating: 0, count: mean.count), scale: std, offset: mean)
        case .minMax(let min, let max):
            self.init(
                origin: [Double](repeating: -1, count: min.count),
                scale: zip(min, max).map { statistics.unnormalizingRange(min: $0, max: $1) / 2 },
                offset: min
            )
        }
    }

    /// What is mapped to zeros.
    var middle: [Float] {
        scale.indices.map { Float(origin[$0] - offset[$0] / scale[$0]) }
    }

    /// Maps rows of `count` numbers in place.
    func apply(to values: inout MutableSpan<Float>) {
        precondition(values.count % count == 0, "\(values.count) numbers are not rows of \(count)")
        for start in stride(from: 0, to: values.count, by: count) {
            for dimension in 0..<count {
                values[start + dimension] = apply(to: values[start + dimension], dimension: dimension)
            }
        }
    }

    /// The number that is mapped to `value`, or 0 if all are.
    func inverse(_ value: Float, dimension: Int) -> Float {
        guard scale[dimension] != 0 else { return 0 }
        return Float((Double(value) - offset[dimension]) / scale[dimension] + origin[dimension])
    }

    /// Maps one number.
    func apply(to value: Float, dimension: Int) -> Float {
        Float((Double(value) - origin[dimension]) * scale[dimension] + offset[dimension])
    }
}
