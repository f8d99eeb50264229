/// Finishes a sample in few, long DDIM steps (Song, Meng and Ermon, arXiv 2010.02502, equation 12) over some of the
/// solver's own timesteps, from wherever the solver had to stop.
struct CoarseSolve {
    private static let leastSignal: Float = 0.2

    private let steps: [SolverStep]
    private let timesteps: [Int]
    /// epsilon = fromSample x + fromOutput m by step, [N].
    private let epsilon: [(fromSample: Float, fromOutput: Float)]
    /// alpha and sigma of the sample that each step starts from, and of the result; [N + 1].
    private let levels: [(alpha: Float, sigma: Float)]
    private var modelOutput: [Float]
    /// The clean sample of the last step.
    private var cleanSample: [Float]

    init(steps: [SolverStep], schedule: NoiseSchedule, predictionType: PredictionType, sampleCount: Int) {
        self.steps = steps
        self.timesteps = steps.map(\.timestep)
        let levels = steps.map { schedule.level(at: $0.timestep) }
        self.epsilon = levels.map { level in
            let equation = predictionType.epsilon(at: level)
            return (Float(equation.fromSample), Float(equation.fromOutput))
        }
        self.levels =
            levels.map { (Float($0.alpha), Float($0.sigma)) } + [(1, 0)]
        self.modelOutput = [Float](repeating: 0, count: sampleCount)
        self.cleanSample = modelOutput
    }

    /// Takes `sample` from step `first` to the result, in as many steps as there is time for.
    ///
    /// Each step but the last leaves its clean sample in `interim`: the result of as many steps as have been taken.
    ///
    /// - Returns: the steps it took.
    mutating func finish(
        from first: Int,
        with predictor: borrowing some NoisePredictor,
        frozen: borrowing FrozenElements,
        interim: InterimSample,
        deadline: inout Deadline?,
        sample: inout MutableSpan<Float>
    ) -> Int {
        var index = first
        var taken = 0
        var planned = deadline?.coarseSteps(limit: steps.count - first) ?? steps.count - first
        // Where there is hardly any signal yet, the network's clean sample is an amplified rounding error, which a long step
        // would carry far: 0 is a better one, and costs no pass.
        if planned < steps.count - first {
            while index + 1 < steps.count, levels[index].alpha < Self.leastSignal {
                let scale = levels[index + 1].sigma / levels[index].sigma
                for element in 0..<modelOutput.count { sample[element] *= scale }
                index += 1
            }
        }
        while index < steps.count {
            planned = min(planned, deadline?.coarseSteps(limit: steps.count - index) ?? planned)
            // Rounded up, so that the result is reached with the last one.
            let next = index + (steps.count - index + planned - 1) / planned
            predictor.predict(
                sample: sample.span,
                timesteps: timesteps,
                index: index,
                of: steps,
                frozen: frozen,
                deadline: &deadline,
                into: &modelOutput
            )
            let target = levels[next]
            for element in 0..<modelOutput.count {
                let output = modelOutput[element]
                let noise = epsilon[index].fromSample * sample[element] + epsilon[index].fromOutput * output
                let x0 = steps[index].predictedX0(sample: sample[element], modelOutput: output)
                cleanSample[element] = x0
                sample[element] = target.alpha * x0 + target.sigma * noise
            }
            index = next
            taken += 1
            if index < steps.count { leave(frozen: frozen, coarseSteps: taken, in: interim) }
            planned = max(planned - 1, 1)
        }
        return taken
    }

    private mutating func leave(
        frozen: borrowing FrozenElements,
        coarseSteps: Int,
        in interim: InterimSample
    ) {
        var span = cleanSample.mutableSpan
        frozen.restore(in: &span)
        interim.offer(cleanSample.span, coarseSteps: coarseSteps)
    }
}
