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
struct ParaDiGMSSweeps: WindowSweeps {
    /// The window in use: the one asked for, at most the number of steps.
    let width: Int
    private(set) var residual: Float = 0

    private let steps: [SolverStep]
    private let sampleSize: Int
    /// The largest squared change, summed over a sample's elements, of a settled sample; [N].
    private let largestSettledChange: [Double]

    /// The guess, [N + 1, sampleSize]. Rows up to the window's left edge are final.
    private var trajectory: [Float]
    /// Row i + 1 is the x_0 that step i predicted last; row 0 stands for the step before the first, which has none.
    /// [N + 1, sampleSize].
    private var predictedX0: [Float]
    /// The window. Steps before it are final.
    private var window = 0..<0
    /// The step that predicted last what is final since.
    private(set) var predictingStep = 0
    /// Each new sample's squared change in this sweep, summed over its elements; [window].
    private var changes: [Double]

    init(steps: [SolverStep], sampleSize: Int, window: Int, tolerance: Float) {
        self.steps = steps
        self.sampleSize = sampleSize
        width = min(window, steps.count)

        let scale = Double(tolerance) * Double(tolerance) * Double(sampleSize)
        largestSettledChange = steps.map { scale * $0.posteriorVariance }

        trajectory = Array(repeating: 0, count: (steps.count + 1) * sampleSize)
        predictedX0 = Array(repeating: 0, count: (steps.count + 1) * sampleSize)
        changes = Array(repeating: 0, count: width)
    }

    var settledSteps: Int { window.lowerBound }

    /// Makes every sample of the first window a copy of the initial noise.
    mutating func start(from noise: Span<Float>, guess: Span<Float>, frozen: borrowing FrozenElements) {
        residual = 0
        for element in 0..<sampleSize {
            trajectory[element] = noise[element]
        }
        window = 0..<width
        extendGuess(from: 0, to: width)
    }

    func appendWindow(to batch: inout Batch, condition: Int) {
        for step in window { batch.append(trajectory, row: step, step: step, condition: condition) }
    }

    mutating func sweep(
        _ batch: borrowing Batch,
        rows: Range<Int>,
        noise: Span<Float>,
        frozen: borrowing FrozenElements
    ) -> Bool {
        sumDrifts(batch, firstRow: rows.lowerBound, noise: noise)
        // Later samples of the window may still be far from their noise levels.
        predictingStep = window.lowerBound
        let begin = firstUnsettledSample()
        let end = min(begin + width, steps.count)
        extendGuess(from: window.upperBound, to: end)
        window = begin..<end
        return true
    }

    func writePrediction(into sample: inout MutableSpan<Float>) {
        let first = (predictingStep + 1) * sampleSize
        for element in 0..<sampleSize { sample[element] = predictedX0[first + element] }
    }

    func writeSample(into sample: inout MutableSpan<Float>) {
        let first = settledSteps * sampleSize
        for element in 0..<sampleSize { sample[element] = trajectory[first + element] }
    }

    /// Makes the samples after `end` up to and including `newEnd`, which enter the window, copies of the last guess.
    private mutating func extendGuess(from end: Int, to newEnd: Int) {
        for row in end..<newEnd {
            for element in 0..<sampleSize {
                trajectory[(row + 1) * sampleSize + element] = trajectory[row * sampleSize + element]
            }
        }
    }

    /// Replaces the samples after each step of the window by their new guesses and records how much each changed.
    ///
    /// The sum of drifts is carried as a recurrence, x_new[j+1] = step(x[j]) + noise[j] + (x_new[j] - x[j]), because
    /// then a sample whose predecessor did not change is that predecessor's step to the last bit: with tolerance 0 the
    /// result equals the sequential sampler's exactly.
    private mutating func sumDrifts(_ batch: borrowing Batch, firstRow: Int, noise: Span<Float>) {
        let begin = window.lowerBound
        for index in changes.indices {
            changes[index] = 0
        }
        for element in 0..<sampleSize {
            var sample = trajectory[begin * sampleSize + element]
            var sampleChange: Float = 0
            var previousX0 = predictedX0[begin * sampleSize + element]

            for index in window {
                let step = steps[index]
                let after = (index + 1) * sampleSize + element
                let modelOutput = batch.outputs[(firstRow + index - begin) * sampleSize + element]
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

    /// The first of the samples after the window's steps that has not settled in this sweep, or the last. Raises `residual`
    /// to the largest change of those before it.
    private mutating func firstUnsettledSample() -> Int {
        for index in window.dropFirst() {
            let change = changes[index - window.lowerBound - 1]
            // Written so that a NaN has not settled.
            guard change <= largestSettledChange[index] else { return index }
            let variance = steps[index].posteriorVariance
            residual = max(residual, Float((change / (Double(sampleSize) * variance)).squareRoot()))
        }
        return window.upperBound
    }
}
