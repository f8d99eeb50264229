import Foundation
import Statistics
import Testing

/// Against SciPy, and the script that reports scores of training; `Tests/Oracles/intervals.py` writes the golden file.
@Suite struct IntervalTests {
    struct Golden: Decodable, Sendable {
        struct Proportion: Decodable, Sendable {
            let successes: Int
            let count: Int
            let scipy: [Double]
            let script: [Double]
        }
        struct Mean: Decodable, Sendable {
            let values: [Double]
            let lowHigh: [Double]
        }
        struct Discordant: Decodable, Sendable {
            let onlyFirst: Int
            let onlySecond: Int
            let pValue: Double
        }
        let proportions: [Proportion]
        let means: [Mean]
        let discordant: [Discordant]
    }

    let golden: Golden

    init() throws {
        let url = try #require(Bundle.module.url(forResource: "Resources/intervals", withExtension: "json"))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        golden = try decoder.decode(Golden.self, from: Data(contentsOf: url))
    }

    @Test func proportionsHaveWilsonsInterval() {
        #expect(golden.proportions.count == 8)
        for expected in golden.proportions {
            let found = Interval.wilson(successes: expected.successes, of: expected.count)
            #expect(found.estimate == Double(expected.successes) / Double(expected.count))
            // SciPy's quantile of the normal distribution has more digits.
            #expect(abs(found.low - expected.scipy[0]) < 1e-7 && abs(found.high - expected.scipy[1]) < 1e-7)
            #expect(
                abs(found.low - expected.script[0]) < 1e-14 && abs(found.high - expected.script[1]) < 1e-14
            )
        }
    }

    @Test func meansHaveTheIntervalOfTheTrainingScript() throws {
        #expect(golden.means.count == 5)
        for expected in golden.means {
            let found = try #require(Interval.mean(expected.values))
            #expect(
                abs(found.estimate - expected.values.reduce(0, +) / Double(expected.values.count)) < 1e-15
            )
            #expect(abs(found.low - expected.lowHigh[0]) < 1e-12, "\(found) \(expected.lowHigh)")
            #expect(abs(found.high - expected.lowHigh[1]) < 1e-12, "\(found) \(expected.lowHigh)")
        }
    }

    @Test func oneValueHasNoInterval() {
        #expect(Interval.mean([]) == nil)
        #expect(Interval.mean([0.5]) == nil)
    }

    @Test func equalValuesAreCertain() {
        let tenths = [Double](repeating: 0.1, count: 11)
        #expect(Interval.mean(tenths) == Interval(estimate: 0.1, low: 0.1, high: 0.1))
    }

    /// Where the bootstrap ends and the normal distribution takes over, nothing jumps.
    @Test func manyValuesHaveTheNormalInterval() throws {
        let count = Interval.mostResampledValues
        let values = (0...count).map { Double($0 * $0 % 1009) / 1009 }
        let normal = try #require(Interval.mean(values))
        let resampled = try #require(Interval.mean(Array(values.dropLast())))
        #expect(abs(normal.low - resampled.low) < 2e-4 && abs(normal.high - resampled.high) < 2e-4)
        #expect(normal.low < normal.estimate && normal.estimate < normal.high)
    }

    @Test func discordantPairsHaveTheSignTest() {
        #expect(golden.discordant.count == 8)
        for expected in golden.discordant {
            let pairs =
                Array(repeating: (true, false), count: expected.onlyFirst)
                + Array(repeating: (false, true), count: expected.onlySecond) + [
                    (true, true), (false, false),
                ]
            let outcomes = PairedOutcomes(pairs)
            #expect(outcomes.onlyFirst == expected.onlyFirst && outcomes.onlySecond == expected.onlySecond)
            #expect(outcomes.both == 1 && outcomes.neither == 1)
            #expect(abs(outcomes.pValue - expected.pValue) < 1e-10, "\(outcomes.pValue) \(expected)")
        }
    }
}

@Suite struct PercentilesTests {
    @Test func percentilesAreMeasurements() {
        let percentiles = Percentiles([4, 1, 3, 2])
        #expect([0, 25, 26, 50, 75, 99, 100].map { percentiles[$0] } == [1, 1, 2, 2, 3, 4, 4])
        #expect(Percentiles([])[50] == 0)
    }
}
