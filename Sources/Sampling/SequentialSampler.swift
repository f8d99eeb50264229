/// The solver's steps one after the other: N model evaluations in N iterations.
struct SequentialSampler: SamplingAlgorithm {
    let maximumBatch = 1

    private let steps: [SolverStep]
    private let timesteps: [Int]
    private let sampleCount: Int
    private var modelOutput: [Float]
    private var previousX0: [Float]

    init(steps: [SolverStep], sampleCount: Int) {
        self.steps = steps
        self.timesteps = steps.map(\.timestep)
        self.sampleCount = sampleCount
        modelOutput = Array(repeating: 0, count: sampleCount)
        previousX0 = Array(repeating: 0, count: sampleCount)
    }

    mutating func sample(
        with predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        into sample: inout MutableSpan<Float>
    ) -> SamplingReport {
        for element in 0..<sampleCount {
            sample[element] = noise[element]
            previousX0[element] = 0
        }
        for index in steps.indices {
            let step = steps[index]
            predictor.predict(sample: sample.span, timesteps: timesteps, index: index, into: &modelOutput)
            for element in 0..<sampleCount {
                let x0 = step.predictedX0(sample: sample[element], modelOutput: modelOutput[element])
                sample[element] = step.advance(
                    sample: sample[element],
                    modelOutput: modelOutput[element],
                    x0: x0,
                    previousX0: previousX0[element],
                    noise: noise[(index + 1) * sampleCount + element]
                )
                previousX0[element] = x0
            }
        }
        return SamplingReport(
            parallelIterations: steps.count,
            modelEvaluations: steps.count,
            window: 1,
            tolerance: 0,
            residual: 0
        )
    }
}
