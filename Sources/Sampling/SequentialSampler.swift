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
        frozen: borrowing FrozenElements,
        interim: InterimSample,
        deadline: inout Deadline?,
        into sample: inout MutableSpan<Float>
    ) -> SamplingProgress {
        for element in 0..<sampleCount {
            sample[element] = noise[element]
            previousX0[element] = 0
        }
        var taken = 0
        for (index, step) in steps.enumerated() {
            if deadline.forbids(batch: 1, step: index, of: steps.count) { break }
            let isDone = predictor.predict(
                sample: sample.span,
                timesteps: timesteps,
                index: index,
                of: steps,
                frozen: frozen,
                until: interim.hasSample ? deadline?.due : nil,
                deadline: &deadline,
                into: &modelOutput
            )
            guard isDone else { break }
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
            interim.offer(
                previousX0.span,
                of: index,
                frozen: frozen,
                after: SamplingProgress(steps: taken, iterations: taken, evaluations: taken, residual: 0),
                coarseSteps: 1
            )
            taken += 1
        }
        return SamplingProgress(steps: taken, iterations: taken, evaluations: taken, residual: 0)
    }
}
