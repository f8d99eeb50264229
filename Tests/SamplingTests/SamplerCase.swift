import Sampling
import Testing

/// A way to discretise the reverse process, on a hundred training timesteps.
struct SamplerCase: Sendable, CustomTestStringConvertible {
    let solver: Solver
    let numInferenceSteps: Int
    let predictionType: PredictionType
    let clipSampleRange: Float?

    init(
        solver: Solver,
        numInferenceSteps: Int = 15,
        predictionType: PredictionType = .epsilon,
        clipSampleRange: Float? = 1
    ) {
        self.solver = solver
        self.numInferenceSteps = numInferenceSteps
        self.predictionType = predictionType
        self.clipSampleRange = clipSampleRange
    }

    var testDescription: String {
        "\(solver.rawValue) \(numInferenceSteps), \(predictionType.rawValue), clip \(clipSampleRange ?? .infinity)"
    }

    static let all =
        [SamplerCase(solver: .ddpm, numInferenceSteps: 100)]
        + Solver.allCases.flatMap { solver in
            PredictionType.allCases.flatMap { predictionType in
                [Float?.none, 1].map { clip in
                    SamplerCase(solver: solver, predictionType: predictionType, clipSampleRange: clip)
                }
            }
        }

    func schedule() throws -> NoiseSchedule {
        try NoiseSchedule(numTrainTimesteps: 100, betaSchedule: .squaredcosCapV2)
    }

    func sampler(
        _ method: SamplerSettings.Method,
        sampleSize: Int = SamplingFixture.sampleSize,
        linearization: OutputLinearization? = nil
    ) throws -> Sampler {
        try Sampler(
            schedule: schedule(),
            predictionType: predictionType,
            clipSampleRange: clipSampleRange,
            settings: SamplerSettings(
                solver: solver,
                numInferenceSteps: numInferenceSteps,
                method: method
            ),
            sampleSize: sampleSize,
            linearization: linearization
        )
    }

    func model() throws -> BentGaussianModel {
        BentGaussianModel(schedule: try schedule(), predictionType: predictionType)
    }

    func twoModes() throws -> TwoModesModel {
        TwoModesModel(schedule: try schedule(), predictionType: predictionType)
    }
}
