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
    /// Clean samples that the newest coarse step used; [samples, sampleCount].
    private var cleanSample: [Float]

    private struct Level {
        let alpha: Float
        let sigma: Float
        let angle: Float
        /// log(alpha / sigma); infinite without noise.
        let lambda: Float
    }

    /// - Parameter maximumSamples: the most samples that are drawn together.
    init(steps: [SolverStep], schedule: NoiseSchedule, sampleCount: Int, maximumSamples: Int = 1) {
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
        batch = Batch(steps: steps, sampleCount: sampleCount, capacity: maximumSamples)
        cleanSample = [Float](repeating: 0, count: maximumSamples * sampleCount)
    }

    /// Index of the first step with enough signal (alpha >= 0.2). Before it the clean sample is an amplified rounding
    /// error.
    var firstMeaningfulStep: Int { levels.firstIndex { $0.alpha >= Self.leastSignal } ?? steps.count }

    /// Finishes the context's samples, from where the solver stopped to the result, in as many steps as there is time for.
    ///
    /// Each step but the last offers its clean samples to the context. If the next step turns out not to fit, those are the
    /// result.
    ///
    /// - Parameters:
    ///   - first: the number of the solver's steps that were taken.
    ///   - sample: [samples, sampleCount].
    /// - Returns: number of steps taken; 0 if there was no time for any. The result is then what the interim sample has.
    mutating func finish(
        from first: Int,
        in context: inout SamplingContext<some NoisePredictor>,
        sample: inout MutableSpan<Float>
    ) -> Int {
        var planned = context.deadline?.coarseSteps(limit: steps.count - first) ?? steps.count - first
        var index = planned < steps.count - first ? skipMeaninglessSteps(from: first, sample: &sample) : first
        var before: Int?
        var taken = 0
        while index < steps.count {
            planned = min(planned, context.deadline?.coarseSteps(limit: steps.count - index) ?? planned)
            guard evaluate(step: index, taken: taken, in: &context, sample: sample.span) else {
                if taken > 0 { for cell in sample.indices { sample[cell] = cleanSample[cell] } }
                break
            }
            let next = target(from: index, steps: planned)
            step(from: index, to: next, before: before, sample: &sample)
            taken += 1
            if next < steps.count {
                context.offer(
                    cleanSample.span.extracting(first: sample.count),
                    of: index,
                    coarseSteps: taken
                )
            }
            before = index
            index = next
            planned = max(planned - 1, 1)
        }
        return taken
    }

    /// Carries samples with hardly any signal to the first step that has some, or to the last one, as if x_0 were 0.
    ///
    /// With hardly any signal the network's clean sample is an amplified rounding error. A long step would carry it far.
    /// 0 is a better guess and costs no pass.
    ///
    /// - Returns: the step that starts from the samples.
    private func skipMeaninglessSteps(from first: Int, sample: inout MutableSpan<Float>) -> Int {
        var index = first
        while index + 1 < steps.count, levels[index].alpha < Self.leastSignal {
            let scale = levels[index + 1].sigma / levels[index].sigma
            for cell in sample.indices { sample[cell] *= scale }
            index += 1
        }
        return index
    }

    /// Evaluates the samples at a step, unless there is a result and no time.
    ///
    /// - Returns: Whether the outputs are there.
    private mutating func evaluate(
        step: Int,
        taken: Int,
        in context: inout SamplingContext<some NoisePredictor>,
        sample: Span<Float>
    ) -> Bool {
        let hasResult = taken > 0 || context.interim.hasSample
        if hasResult, let deadline = context.deadline, deadline.isTooCloseForAPass { return false }
        batch.replace(by: sample, step: step)
        return context.evaluate(&batch, hasFallback: taken > 0)
    }

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

    /// Applies one coarse step: first order if there is no step before it or it leads to the result, else second order.
    private mutating func step(from index: Int, to next: Int, before: Int?, sample: inout MutableSpan<Float>)
    {
        let (level, target) = (levels[index], levels[next])
        let sampleWeight = target.sigma / level.sigma
        let x0Weight = target.alpha - level.alpha * sampleWeight
        var differenceWeight: Float = 0
        // The difference needs two distinct noise levels; a solver may visit a timestep twice.
        if let before, next < steps.count, level.lambda > levels[before].lambda {
            differenceWeight = (target.lambda - level.lambda) / (2 * (level.lambda - levels[before].lambda))
        }
        for element in sample.indices {
            let x0 = steps[index].predictedX0(sample: sample[element], modelOutput: batch.outputs[element])
            let extrapolated = x0 + differenceWeight * (x0 - cleanSample[element])
            cleanSample[element] = x0
            sample[element] = sampleWeight * sample[element] + x0Weight * extrapolated
        }
    }
}
