import Foundation

/// Finishes a sample in few, long steps of DPM-Solver++ 2M (Lu et al., *DPM-Solver++*, arXiv 2211.01095, algorithm 2) over
/// some of the solver's own timesteps, from wherever the solver had to stop.
///
/// The noise level is an angle: alpha = cos(angle), sigma = sin(angle). The root of the angle falls evenly, down to that of
/// the last step, which starts from the larger of angle / k^2 and a tenth. With k steps left, the next one goes to the
/// first timestep with at most
///
///     angle' = (sqrt(angle) - (sqrt(angle) - sqrt(last)) / (k - 1))^2
///
/// At large angles x_0 is decided, and changes slowly; at small ones it is made exact. Below a tenth the network takes the
/// noise that is left for the action, so the last step starts no later.
struct CoarseSolve {
    private static let leastSignal: Float = 0.2
    /// Smallest angle at which a coarse step starts, unless it is the first.
    private static let leastAngle: Float = 0.1

    private let steps: [SolverStep]
    /// Noise level of the sample that each step starts from, and of the result; [N + 1].
    private let levels: [Level]
    private var batch: Batch
    /// Clean samples that each sample's newest coarse step used, or a sample that needs none; [maximumSamples, sampleSize].
    private var cleanSample: [Float]
    /// The step that each sample's next coarse step starts from, N if there is none, and the one before it; [maximumSamples].
    private var index: [Int]
    private var before: [Int?]

    private struct Level {
        let alpha: Float
        let sigma: Float
        let angle: Float
        /// log(alpha / sigma); infinite without noise.
        let lambda: Float
    }

    /// - Parameter maximumSamples: the most samples that are drawn together.
    init(steps: [SolverStep], schedule: NoiseSchedule, sampleSize: Int, maximumSamples: Int = 1) {
        self.steps = steps
        levels = (steps.map { Int?.some($0.timestep) } + [nil]).map { timestep in
            let level = schedule.level(at: timestep)
            return Level(
                alpha: Float(level.alpha),
                sigma: Float(level.sigma),
                angle: Float(atan2(level.sigma, level.alpha)),
                lambda: Float(level.lambda)
            )
        }
        batch = Batch(steps: steps, sampleSize: sampleSize, capacity: maximumSamples)
        cleanSample = [Float](repeating: 0, count: maximumSamples * sampleSize)
        index = [Int](repeating: 0, count: maximumSamples)
        before = [Int?](repeating: nil, count: maximumSamples)
    }

    /// Index of the first step with enough signal (alpha >= 0.2). Before it the clean sample is an amplified rounding
    /// error.
    var firstMeaningfulStep: Int { levels.firstIndex { $0.alpha >= Self.leastSignal } ?? steps.count }

    /// Finishes the context's samples, each from the step at which the solver stopped to the result, in as many steps as there is time for.
    /// A pass takes a step of every sample that is not finished.
    ///
    /// Each step but the last offers its clean samples to the context. If the next step turns out not to fit, those are the
    /// result.
    ///
    /// - Parameter sample: [samples, sampleSize].
    /// - Returns: number of passes; 0 if there was no time for any. The result is then what the interim sample has.
    mutating func finish(
        in context: inout SamplingContext<some NoisePredictor>,
        sample: inout MutableSpan<Float>
    ) -> Int {
        let samples = context.samples
        var planned = plannedSteps(in: context, left: steps.count - context.progress.leastSettledSteps)
        start(in: context, steps: planned, sample: &sample)
        var taken = 0
        while let left = mostStepsLeft(samples) {
            planned = min(planned, plannedSteps(in: context, left: left))
            guard evaluate(taken: taken, in: &context, sample: sample.span) else {
                if taken > 0 { takeCleanSamples(samples, into: &sample) }
                break
            }
            step(planned: planned, sample: &sample)
            taken += 1
            for row in 0..<batch.count { context.progress.markCoarse(batch.conditions[row], steps: taken) }
            if mostStepsLeft(samples) != nil {
                context.interim.offer(
                    cleanSample.span.extracting(first: sample.count),
                    of: steps.count - left,
                    frozen: context.frozen,
                    as: context.progress.reports,
                    samples: samples
                )
            }
            planned = max(planned - 1, 1)
        }
        return taken
    }

    /// The number of coarse steps that there is time for, at most as many as the solver has left.
    private func plannedSteps(
        in context: borrowing SamplingContext<some NoisePredictor>,
        left: Int
    ) -> Int {
        context.deadline?.coarseSteps(limit: left) ?? left
    }

    /// The solver's steps that are left to the sample that has come least far; nil if every sample is finished.
    private func mostStepsLeft(_ samples: Int) -> Int? {
        var least = steps.count
        for row in 0..<samples { least = min(least, index[row]) }
        return least < steps.count ? steps.count - least : nil
    }

    /// Begins each sample at the step at which the solver stopped. If its steps will be long, it begins at one with some signal.
    private mutating func start(
        in context: borrowing SamplingContext<some NoisePredictor>,
        steps planned: Int,
        sample: inout MutableSpan<Float>
    ) {
        for row in 0..<context.samples {
            let first = context.progress.settledSteps[row]
            before[row] = nil
            index[row] =
                planned < steps.count - first ? skipMeaninglessSteps(from: first, row, &sample) : first
            for cell in cells(row) { cleanSample[cell] = sample[cell] }
        }
    }

    /// Carries a sample with hardly any signal to the first step that has some, or to the last one, as if x_0 were 0.
    ///
    /// With hardly any signal the network's clean sample is an amplified rounding error. A long step would carry it far.
    /// 0 is a better guess and costs no pass.
    ///
    /// - Returns: the step that starts from the sample.
    private func skipMeaninglessSteps(from first: Int, _ row: Int, _ sample: inout MutableSpan<Float>) -> Int
    {
        var index = first
        while index + 1 < steps.count, levels[index].alpha < Self.leastSignal {
            let scale = levels[index + 1].sigma / levels[index].sigma
            for cell in cells(row) { sample[cell] *= scale }
            index += 1
        }
        return index
    }

    /// Evaluates the samples that are not finished, unless there is a result and no time.
    ///
    /// - Returns: Whether the outputs are there.
    private mutating func evaluate(
        taken: Int,
        in context: inout SamplingContext<some NoisePredictor>,
        sample: Span<Float>
    ) -> Bool {
        let hasResult = taken > 0 || context.interim.hasSample
        if hasResult, let deadline = context.deadline, deadline.isTooCloseForAPass { return false }
        batch.removeAll()
        for row in 0..<context.samples where index[row] < steps.count {
            batch.append(sample.extracting(cells(row)), step: index[row], condition: row)
        }
        return context.evaluate(&batch, hasFallback: taken > 0)
    }

    /// Takes a coarse step of each sample of the batch, the first of so many.
    private mutating func step(planned: Int, sample: inout MutableSpan<Float>) {
        for entry in 0..<batch.count {
            let row = batch.conditions[entry]
            let first = index[row]
            let next = target(from: first, steps: min(planned, steps.count - first))
            step(row, entry: entry, to: next, sample: &sample)
            before[row] = first
            index[row] = next
        }
    }

    /// Makes the newest clean samples the result of those that are not finished.
    private func takeCleanSamples(_ samples: Int, into sample: inout MutableSpan<Float>) {
        for row in 0..<samples where index[row] < steps.count {
            for cell in cells(row) { sample[cell] = cleanSample[cell] }
        }
    }

    private func cells(_ row: Int) -> Range<Int> { row * batch.sampleSize..<(row + 1) * batch.sampleSize }

    /// Index of the step to which the first of `count` coarse steps goes.
    private func target(from index: Int, steps count: Int) -> Int {
        let angle = levels[index].angle
        guard count > 1, angle > Self.leastAngle else { return steps.count }
        let root = angle.squareRoot()
        let lastRoot = max(root / Float(count), Self.leastAngle.squareRoot())
        let nextRoot = root - (root - lastRoot) / Float(count - 1)
        let goal = nextRoot * nextRoot
        // Leaves at least one timestep for each step that follows.
        let farthest = steps.count - count + 1
        var next = index + 1
        while next < farthest && levels[next].angle > goal { next += 1 }
        return next
    }

    /// Applies one coarse step to a sample: first order if there is no step before it or it leads to the result, else second
    /// order.
    private mutating func step(_ row: Int, entry: Int, to next: Int, sample: inout MutableSpan<Float>) {
        let step = steps[index[row]]
        let (level, target) = (levels[index[row]], levels[next])
        let sampleWeight = target.sigma / level.sigma
        let x0Weight = target.alpha - level.alpha * sampleWeight
        var differenceWeight: Float = 0
        // The difference needs two distinct noise levels; a solver may visit a timestep twice.
        if let before = before[row], next < steps.count, level.lambda > levels[before].lambda {
            differenceWeight = (target.lambda - level.lambda) / (2 * (level.lambda - levels[before].lambda))
        }
        let firstOutput = entry * batch.sampleSize
        for (element, cell) in cells(row).enumerated() {
            let x0 = step.predictedX0(sample: sample[cell], modelOutput: batch.outputs[firstOutput + element])
            let extrapolated = x0 + differenceWeight * (x0 - cleanSample[cell])
            cleanSample[cell] = x0
            sample[cell] = sampleWeight * sample[cell] + x0Weight * extrapolated
        }
        // What is offered of a finished sample is its result.
        if next == steps.count { for cell in cells(row) { cleanSample[cell] = sample[cell] } }
    }
}
