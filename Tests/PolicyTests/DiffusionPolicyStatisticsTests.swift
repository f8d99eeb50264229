import Testing

@testable import Policy

/// The rule in docs/POLICIES.md for statistics of the Diffusion Policy code base.
@Suite struct DiffusionPolicyStatisticsTests {
    /// Their scale and offset of a dimension in the mode `limits`, in which one that hardly moved is only shifted.
    private func fit(min: Double, max: Double, rangeEps: Double) -> (scale: Double, offset: Double) {
        max - min < rangeEps ? (1, -min) : (2 / (max - min), -1 - 2 / (max - min) * min)
    }

    @Test func minAndMaxFromScaleAndOffsetNormaliseAsTheirsDo() {
        let params = [
            fit(min: 12, max: 511, rangeEps: 1e-4), fit(min: -0.3, max: 0.4, rangeEps: 1e-4),
            fit(min: 7.3, max: 7.3, rangeEps: 1e-4), fit(min: 0.2, max: 0.20005, rangeEps: 1e-4),
            // robomimic: positions in the range of the data down to 1e-7, rotations and grippers as they are.
            fit(min: 0.2, max: 0.20005, rangeEps: 1e-7), (scale: 1, offset: 0),
        ]
        let statistics = NormalizationStatistics(
            values: .minMax(
                min: params.map { (-1 - $0.offset) / $0.scale },
                max: params.map { (1 - $0.offset) / $0.scale }
            ),
            epsilon: 1e-8,
            zeroRange: .isEpsilon
        )
        let normalizing = AffineMap(normalizing: statistics)
        let unnormalizing = AffineMap(unnormalizing: statistics)
        for (dimension, param) in params.enumerated() {
            for y in [-1.0, -0.4, 0, 0.7, 1] {
                let x = (y - param.offset) / param.scale
                let size = max(1, abs(x))
                let exact = Double(Float(x)) * param.scale + param.offset
                #expect(abs(Double(normalizing.apply(to: Float(x), dimension: dimension)) - exact) < 1e-5)
                #expect(
                    abs(Double(unnormalizing.apply(to: Float(y), dimension: dimension)) - x) < 1e-5 * size
                )
            }
        }
    }
}
