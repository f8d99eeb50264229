import Foundation
import PolicyFixtures
import Testing
import Tuning

@testable import Policy

@Suite("The same numbers as LeRobot")
struct LeRobotComparisonTests {
    static let bundles = ["processors", "environment-unmapped", "buffers"]

    @Test(arguments: bundles)
    func `Condition, network output and actions are LeRobot's`(name: String) throws {
        let bundle = try PolicyBundle(directory: fixture(name))
        let golden = try Golden(of: name)
        let settings = bundle.configuration.defaultSettings
        let policy = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
        for expected in golden.cases {
            let history = try golden.history(expected, of: bundle)
            #expect(try deviation(policy.condition(for: history), expected.condition) < 1e-6)
            let request = SamplingRequest(history: history, noise: .given(golden.noise))
            let output = try policy.firstModelOutput(for: request)
            #expect(try deviation(output, expected.firstModelOutput) < 1e-5)
            let chunk = try policy.sample(request)
            #expect(try deviation(chunk.prediction, expected.prediction) < 1e-4)
            #expect(try deviation(chunk.actions, expected.actions) < 1e-4)
            #expect(chunk.nActionSteps == bundle.configuration.nActionSteps)
            #expect(chunk.report.modelEvaluations == settings.numInferenceSteps)
        }
    }

    @Test func `A sharded checkpoint is the same policy`() throws {
        let copy = try BundleCopy(of: "processors")
        try copy.shard()
        let bundle = try PolicyBundle(directory: copy.directory)
        let golden = try Golden(of: "processors")
        let settings = bundle.configuration.defaultSettings
        let policy = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
        let history = try golden.history(golden.cases[0], of: bundle)
        let chunk = try policy.sample(SamplingRequest(history: history, noise: .given(golden.noise)))
        #expect(try deviation(chunk.actions, golden.cases[0].actions) < 1e-4)
    }

    struct Normalization: Decodable {
        struct Case: Decodable {
            let layout: String
            let mode: String
            let epsilon: Double
            let normalized: [[Float]]
            let unnormalized: [[Float]]
        }

        let min: [Double]
        let max: [Double]
        let mean: [Double]
        let std: [Double]
        let values: [[Float]]
        let normalized_values: [[Float]]
        let cases: [Case]
    }

    @Test func `Every mode normalises as LeRobot does, ranges of zero included`() throws {
        let golden = try JSONDecoder().decode(
            Normalization.self,
            from: Data(contentsOf: fixture("normalization.json"))
        )
        #expect(golden.cases.count == 8)
        for expected in golden.cases {
            let values: NormalizationStatistics.Values =
                switch expected.mode {
                case "MIN_MAX": .minMax(min: golden.min, max: golden.max)
                case "MEAN_STD": .meanStd(mean: golden.mean, std: golden.std)
                default: .identity(count: 6)
                }
            let statistics = NormalizationStatistics(
                values: values,
                epsilon: expected.epsilon,
                zeroRange: expected.layout == "processors" ? .isEpsilon : .hasEpsilonAdded
            )
            let forward = AffineMap(normalizing: statistics)
            let backward = AffineMap(unnormalizing: statistics)
            for dimension in 0..<6 {
                for row in golden.values.indices {
                    let normalized = forward.apply(to: golden.values[row][dimension], dimension: dimension)
                    let expectedNormalized = expected.normalized[row][dimension]
                    #expect(
                        abs(normalized - expectedNormalized) <= 1e-6 * Swift.max(1, abs(expectedNormalized)),
                        "\(expected.layout) \(expected.mode) \(expected.epsilon) dimension \(dimension)"
                    )
                    let value = backward.apply(
                        to: golden.normalized_values[row][dimension],
                        dimension: dimension
                    )
                    let expectedValue = expected.unnormalized[row][dimension]
                    // In units of the dimension's own size: its range, its spread, or its distance from 0.
                    let scale = [
                        golden.max[dimension] - golden.min[dimension], golden.max[dimension],
                        golden.std[dimension], Double(abs(expectedValue)),
                    ].reduce(0, Swift.max)
                    #expect(
                        Double(abs(value - expectedValue)) <= 1e-6 * scale,
                        "\(expected.layout) \(expected.mode) \(expected.epsilon) dimension \(dimension)"
                    )
                }
            }
        }
    }
}
