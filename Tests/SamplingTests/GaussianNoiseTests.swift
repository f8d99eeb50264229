import Foundation
import Testing

@testable import Sampling

@Suite struct GaussianNoiseTests {
    @Test(arguments: SamplingFixture.shared.gaussian)
    func isThePolarMethodOverPCG64(_ expected: SamplingFixture.Gaussian) {
        let found = gaussianNoise(count: expected.values.count, seed: expected.seed)
        // NumPy's side takes the library's logarithm, which may move the last bit.
        for (value, reference) in zip(found, expected.values) {
            #expect(abs(value - reference) <= reference.ulp)
        }
    }

    @Test func isStandardNormal() {
        let count = 200_000
        let values = gaussianNoise(count: count, seed: 1).map(Double.init)
        func moment(_ power: Int) -> Double {
            values.map { pow($0, Double(power)) }.reduce(0, +) / Double(count)
        }
        let error = 4 / Double(count).squareRoot()
        #expect(abs(moment(1)) < error)
        #expect(abs(moment(2) - 1) < error * 2.squareRoot())
        #expect(abs(moment(3)) < error * 15.squareRoot())
        #expect(abs(moment(4) - 3) < error * 96.squareRoot())
        let beyondThree = Double(values.count { abs($0) > 3 }) / Double(count)
        #expect(abs(beyondThree - 0.0027) < error * 0.0027.squareRoot())
        // Both numbers of a pair come from one radius and must not be correlated.
        let products = stride(from: 0, to: count, by: 2).map { values[$0] * values[$0 + 1] }
        #expect(abs(products.reduce(0, +) / Double(count / 2)) < error * 2.squareRoot())
    }

    @Test func fillsInPartsAsAtOnce() {
        let whole = gaussianNoise(count: 10, seed: 2)
        var generator = GaussianNoise(seed: 2)
        var first = [Float](repeating: 0, count: 4)
        var second = [Float](repeating: 0, count: 6)
        var span = first.mutableSpan
        generator.fill(&span)
        span = second.mutableSpan
        generator.fill(&span)
        #expect(first + second == whole)
        #expect(gaussianNoise(count: 9, seed: 2) == Array(whole.prefix(9)))
        #expect(gaussianNoise(count: 0, seed: 2).isEmpty)
        #expect(gaussianNoise(count: 10, seed: 3) != whole)
    }

    @Test func logarithmIsExact() {
        var values: [Double] = [1, 0.5, 2.0 / 3, 1.0.nextDown, 0x1p-104, 1.5e-300, 3, 1e300]
        var generator = SystemRandomNumberGenerator()
        values += (0..<2000).map { _ in Double.random(in: 0x1p-53..<1, using: &generator) }
        for value in values {
            #expect(abs(portableLogarithm(value) - log(value)) <= 1e-15 * abs(log(value)), "\(value)")
        }
    }
}
