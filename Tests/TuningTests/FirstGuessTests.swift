import Testing

@testable import Policy
@testable import Sampling
@testable import Tuning

@Suite("The first guess")
struct FirstGuessTests {
    private static let conditionCount = 5
    private static let sampleSize = 3

    private let samples: [(condition: [Float], x0: [Float])]

    init() {
        samples = (0..<12).map { sample in
            (
                Self.numbers(Self.conditionCount, seed: sample),
                Self.numbers(Self.sampleSize, seed: 100 + sample)
            )
        }
    }

    private static func numbers(_ count: Int, seed: Int) -> [Float] {
        var numbers = [Float](repeating: 0, count: count)
        var generator = GaussianNoise(seed: UInt64(seed))
        var span = numbers.mutableSpan
        generator.fill(&span)
        return numbers
    }

    private static func mean(_ rows: [[Float]]) -> [Double] {
        rows[0].indices.map { index in rows.reduce(0) { $0 + Double($1[index]) } / Double(rows.count) }
    }

    /// The weights W between what the guess says of a unit more of each feature, from the primal form of ridge regression:
    /// (C^T C + r I) W = C^T X, with means taken off and r a given part of the mean sample's c . c.
    @Test func `It is the ridge regression`() {
        let guess = FirstGuess(samples)
        let meanCondition = Self.mean(samples.map(\.condition))
        let meanX0 = Self.mean(samples.map(\.x0))
        let conditions = samples.map { zip($0.condition, meanCondition).map { Double($0) - $1 } }
        let x0 = samples.map { zip($0.x0, meanX0).map { Double($0) - $1 } }

        let atZero = guess.prediction(for: [Float](repeating: 0, count: Self.conditionCount))
        let weights = (0..<Self.conditionCount).map { feature in
            var unit = [Float](repeating: 0, count: Self.conditionCount)
            unit[feature] = 1
            return zip(guess.prediction(for: unit), atZero).map { Double($0 - $1) }
        }
        let ridge = 0.13 * conditions.joined().reduce(0) { $0 + $1 * $1 } / Double(samples.count)
        for feature in 0..<Self.conditionCount {
            for element in 0..<Self.sampleSize {
                var left = ridge * weights[feature][element]
                var right = 0.0
                for sample in samples.indices {
                    let fitted = (0..<Self.conditionCount).reduce(0) {
                        $0 + conditions[sample][$1] * weights[$1][element]
                    }
                    left += conditions[sample][feature] * fitted
                    right += conditions[sample][feature] * x0[sample][element]
                }
                #expect(abs(left - right) < 1e-4, "feature \(feature), element \(element)")
            }
        }
        #expect(weights.joined().contains { abs($0) > 0.1 })
    }

    @Test func `The mean condition has the mean sample`() {
        let guess = FirstGuess(samples)
        let found = guess.prediction(for: Self.mean(samples.map(\.condition)).map { Float($0) })
        for (found, expected) in zip(found, Self.mean(samples.map(\.x0))) {
            #expect(abs(Double(found) - expected) < 1e-5)
        }
    }

    @Test func `It comes closer than the mean where the observation decides`() {
        let decided = samples.map { sample in
            (sample.condition, [sample.condition[0], 0.5 * sample.condition[1], -sample.condition[2]])
        }
        let guess = FirstGuess(decided)
        let unseen = Self.numbers(Self.conditionCount, seed: 1_000)
        let expected = [unseen[0], 0.5 * unseen[1], -unseen[2]]
        func distance(_ found: [Float]) -> Float {
            zip(found, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
        }
        #expect(distance(guess.prediction(for: unseen)) < 0.5 * distance(guess.meanX0))
    }

    @Test func `Conditions that are all the same say nothing`() {
        let same = samples.map { (samples[0].condition, $0.x0) }
        let guess = FirstGuess(same)
        let found = guess.prediction(for: Self.numbers(Self.conditionCount, seed: 7))
        for (found, expected) in zip(found, guess.meanX0) { #expect(abs(found - expected) < 1e-3) }
    }

    @Test func `Only parts that fit, and are finite, are of use`() {
        let guess = FirstGuess(samples)
        #expect(guess.fits(conditionCount: 5, sampleSize: 3))
        #expect(!guess.fits(conditionCount: 6, sampleSize: 3))
        #expect(!guess.fits(conditionCount: 5, sampleSize: 4))
        var broken = samples
        broken[3].x0[1] = .nan
        #expect(!FirstGuess(broken).fits(conditionCount: 5, sampleSize: 3))
        broken = samples
        broken[3].condition[1] = .infinity
        #expect(!FirstGuess(broken).fits(conditionCount: 5, sampleSize: 3))
    }
}
