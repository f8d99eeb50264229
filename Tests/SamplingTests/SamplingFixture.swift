import Foundation
import Testing

/// What Tests/Oracles/sampling.py wrote.
struct SamplingFixture: Decodable {
    struct Schedule: Decodable, Sendable, CustomTestStringConvertible {
        let betaSchedule: String
        let numTrainTimesteps: Int
        let timesteps: [Int]
        let alphasCumprod: [Float]

        var testDescription: String { "\(betaSchedule), \(numTrainTimesteps) timesteps" }
    }

    struct Sequential: Decodable, Sendable, CustomTestStringConvertible {
        let solver: String
        let betaSchedule: String
        let numTrainTimesteps: Int
        let predictionType: String
        let clipSampleRange: Float?
        let numInferenceSteps: Int
        let timesteps: [Int]?
        /// The sample that step numInferenceSteps / 2 starts from.
        let halfway: [Float]
        let sample: [Float]

        var testDescription: String {
            "\(solver) \(numInferenceSteps)/\(numTrainTimesteps), \(betaSchedule), \(predictionType), "
                + "clip \(clipSampleRange.map(String.init(describing:)) ?? "none")"
        }
    }

    struct Frozen: Decodable, Sendable, CustomTestStringConvertible {
        let solver: String
        let predictionType: String
        let clipSampleRange: Float?
        let numInferenceSteps: Int
        /// The values of the elements from `first` on.
        let known: [Float]
        let first: Int
        /// The sample that step numInferenceSteps / 2 starts from.
        let halfway: [Float]
        let sample: [Float]

        var testDescription: String {
            "\(solver) \(numInferenceSteps), \(predictionType), \(known.count) from \(first) on"
        }
    }

    struct Parallel: Decodable, Sendable, CustomTestStringConvertible {
        let solver: String
        let predictionType: String
        let clipSampleRange: Float?
        let numInferenceSteps: Int
        let window: Int
        let tolerance: Float
        let parallelIterations: Int
        let modelEvaluations: Int
        let sample: [Float]

        var testDescription: String {
            "\(solver) \(numInferenceSteps), \(predictionType), window \(window), tolerance \(tolerance)"
        }
    }

    struct Gaussian: Decodable, Sendable {
        let seed: UInt64
        let values: [Float]
    }

    /// [101, sampleSize]
    let noise: [[Float]]
    let schedules: [Schedule]
    let sequential: [Sequential]
    let parallel: [Parallel]
    let frozen: [Frozen]
    let gaussian: [Gaussian]

    static let sampleSize = 6

    /// Loaded once; a fixture that cannot be read leaves it empty, which `isComplete` tells.
    static let shared: SamplingFixture = {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let url = Bundle.module.url(forResource: "Resources/sampling", withExtension: "json"),
            let data = try? Data(contentsOf: url),
            let fixture = try? decoder.decode(SamplingFixture.self, from: data)
        else {
            return SamplingFixture(
                noise: [],
                schedules: [],
                sequential: [],
                parallel: [],
                frozen: [],
                gaussian: []
            )
        }
        return fixture
    }()

    /// The rows of noise that a sampler with so many steps takes.
    func noise(numInferenceSteps: Int) -> [Float] {
        Array(noise.prefix(numInferenceSteps + 1).joined())
    }
}

@Test func fixtureIsComplete() {
    let fixture = SamplingFixture.shared
    #expect(fixture.noise.count == 101)
    #expect(fixture.noise.allSatisfy { $0.count == SamplingFixture.sampleSize })
    #expect(fixture.schedules.count == 15)
    #expect(fixture.sequential.count == 214)
    #expect(fixture.parallel.count == 32)
    #expect(fixture.frozen.count == 18)
    #expect(fixture.gaussian.count == 3)
}
