/// Parallel sampling by Picard iteration over a sliding window of timesteps: Shih, Belkhale, Ermon, Sadigh and Anari,
/// *Parallel Sampling of Diffusion Models*, arXiv 2305.16317, algorithm 1.
///
/// A guess of the trajectory x_0, x_1, ..., x_N (x_0 the initial noise, x_N the result) is improved sweep by sweep. One
/// sweep evaluates the network on the whole window in one batch, then sums the steps' drifts from the left edge b:
///
///     x_new[j+1] = x[b] + sum over i = b ... j of (step(x[i]) - x[i] + noise[i])
///
/// and the window slides to the first sample that has not settled. Sample j has settled if its mean squared change is at
/// most tolerance^2 times the DDPM posterior variance of the step that leaves it, for the ODE solvers too. The first
/// sample that has not is final all the same, because the samples before it are and the sum to it uses only those. So a
/// sweep always gains a step, N sweeps are enough, and whether the window's last sample has settled does not matter.
struct ParaDiGMSSampler: SamplingAlgorithm {
    /// The window in use: the one asked for, at most the number of steps.
    let window: Int
    let tolerance: Float
    var maximumBatch: Int { window }

    private let steps: [SolverStep]
    private let sampleCount: Int
    /// The largest squared change, summed over a sample's elements, of a settled sample; [N].
    private let largestSettledChange: [Double]

    /// The guess, [N + 1, sampleCount]. Rows up to the window's left edge are final.
    private var trajectory: [Float]
    /// Row i + 1 is the x_0 that step i predicted last; row 0 stands for the step before the first, which has none.
    /// [N + 1, sampleCount].
    private var predictedX0: [Float]
    /// The window's samples and the network's outputs for them.
    private var batch: Batch
    /// Each new sample's squared change in this sweep, summed over its elements; [window].
    private var changes: [Double]

    init(steps: [SolverStep], sampleCount: Int, window: Int, tolerance: Float) {
        self.steps = steps
        self.sampleCount = sampleCount
        self.window = min(window, steps.count)
        self.tolerance = tolerance

        let scale = Double(tolerance) * Double(tolerance) * Double(sampleCount)
        largestSettledChange = steps.map { scale * $0.posteriorVariance }

        trajectory = Array(repeating: 0, count: (steps.count + 1) * sampleCount)
        predictedX0 = Array(repeating: 0, count: (steps.count + 1) * sampleCount)
        batch = Batch(steps: steps, sampleCount: sampleCount, capacity: self.window)
        changes = Array(repeating: 0, count: self.window)
    }

    mutating func sample(
        in context: inout SamplingContext<some NoisePredictor>,
        noise: Span<Float>,
        into sample: inout MutableSpan<Float>
    ) -> Int {
        var residual = 0.0
        start(from: noise)
        var begin = 0
        var end = window
        while begin < steps.count {
            guard context.permits(batch: end - begin, after: begin) else { break }
            fillBatch(from: begin, to: end)
            guard context.evaluate(&batch) else { break }
            sweep(from: begin, to: end, noise: noise)
            // Later samples of the window may still be far from their noise levels.
            let next = (begin + 1) * sampleCount..<(begin + 2) * sampleCount
            context.offer(predictedX0.span.extracting(next), of: begin)

            let newBegin = firstUnsettledSample(from: begin, to: end, residual: &residual)
            context.residual = Float(residual)
            let newEnd = min(newBegin + window, steps.count)
            extendGuess(from: end, to: newEnd)
            begin = newBegin
            end = newEnd
        }
        for element in 0..<sampleCount {
            sample[element] = trajectory[begin * sampleCount + element]
        }
        return begin
    }

    /// Makes the batch the window's samples.
    private mutating func fillBatch(from begin: Int, to end: Int) {
        batch.removeAll()
        for step in begin..<end { batch.append(trajectory, row: step, step: step) }
    }

    /// Makes every sample of the first window a copy of the initial noise.
    private mutating func start(from noise: Span<Float>) {
        for element in 0..<sampleCount {
            trajectory[element] = noise[element]
        }
        extendGuess(from: 0, to: window)
    }

    /// Makes the samples after `end` up to and including `newEnd`, which enter the window, copies of the last guess.
    private mutating func extendGuess(from end: Int, to newEnd: Int) {
        for row in end..<newEnd {
            for element in 0..<sampleCount {
                trajectory[(row + 1) * sampleCount + element] = trajectory[row * sampleCount + element]
            }
        }
    }

    /// Replaces samples `begin` + 1 ... `end` by their new guesses and records how much each changed.
    ///
    /// The sum of drifts is carried as a recurrence, x_new[j+1] = step(x[j]) + noise[j] + (x_new[j] - x[j]), because
    /// then a sample whose predecessor did not change is that predecessor's step to the last bit: with tolerance 0 the
    /// result equals the sequential sampler's exactly.
    private mutating func sweep(from begin: Int, to end: Int, noise: Span<Float>) {
        for index in changes.indices {
            changes[index] = 0
        }
        for element in 0..<sampleCount {
            var sample = trajectory[begin * sampleCount + element]
            var sampleChange: Float = 0
            var previousX0 = predictedX0[begin * sampleCount + element]

            for index in begin..<end {
                let step = steps[index]
                let after = (index + 1) * sampleCount + element
                let modelOutput = batch.outputs[(index - begin) * sampleCount + element]
                let x0 = step.predictedX0(sample: sample, modelOutput: modelOutput)
                let stepped = step.advance(
                    sample: sample,
                    modelOutput: modelOutput,
                    x0: x0,
                    previousX0: previousX0,
                    noise: noise[after]
                )

                sample = trajectory[after]
                let newSample = stepped + sampleChange
                sampleChange = newSample - sample
                trajectory[after] = newSample
                predictedX0[after] = x0
                previousX0 = x0
                changes[index - begin] += Double(sampleChange) * Double(sampleChange)
            }
        }
    }

    /// The first of the samples `begin` + 1 ... `end` that has not settled in this sweep, or the last. Raises `residual`
    /// to the largest change of those before it.
    private func firstUnsettledSample(from begin: Int, to end: Int, residual: inout Double) -> Int {
        for index in begin + 1..<end {
            let change = changes[index - begin - 1]
            // Written so that a NaN has not settled.
            guard change <= largestSettledChange[index] else { return index }
            let variance = steps[index].posteriorVariance
            residual = max(residual, (change / (Double(sampleCount) * variance)).squareRoot())
        }
        return end
    }
}
