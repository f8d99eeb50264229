import Clocks

/// What a sampler draws in: the network, the deadline, the interim result, the elements that are known beforehand, and the
/// counts of what was done. All methods have these from here, so that each exists once.
///
/// Several samples can be drawn together, sample i under the network's condition i. The noise stays an argument beside the
/// context, because Swift lets no structure keep a `Span`.
///
/// Allocates nothing.
struct SamplingContext<Predictor: NoisePredictor>: ~Copyable {
    /// Elements with known clean values, for each sample; at least as many as there are samples.
    let frozen: [FrozenElements]
    /// The best result so far, for another thread to take.
    let interim: InterimSample
    /// How far the samples have come.
    let progress: SamplingProgress
    private(set) var deadline: Deadline?

    private let steps: [SolverStep]
    private let largestBatch: Int
    // The last property, so that the others lie at the same place for every predictor.
    private let predictor: Predictor

    /// - Parameters:
    ///   - steps: the solver's.
    ///   - frozen: at least as many as there are samples.
    ///   - progress: has been started for the samples.
    ///   - largestBatch: the most entries that the predictor takes at once.
    ///   - deadline: when the samples are due; nil: never.
    init(
        predictor: Predictor,
        steps: [SolverStep],
        frozen: [FrozenElements],
        interim: InterimSample,
        progress: SamplingProgress,
        largestBatch: Int,
        deadline: Deadline? = nil
    ) {
        precondition(
            frozen.count >= progress.samples,
            "elements of \(frozen.count) samples are frozen, expected those of \(progress.samples)"
        )
        self.predictor = predictor
        self.steps = steps
        self.frozen = frozen
        self.interim = interim
        self.progress = progress
        self.largestBatch = largestBatch
        self.deadline = deadline
    }

    /// The number of samples that are drawn together, at least 1.
    var samples: Int { progress.samples }

    /// Whether a pass over `batch` entries may begin: with a deadline, a coarse finish must still fit after it.
    ///
    /// - Parameter settledSteps: how many of the solver's steps are final in the sample that has come least far, less than all.
    func permits(batch: Int, after settledSteps: Int) -> Bool {
        !deadline.forbids(batch: batch, step: settledSteps, of: steps.count)
    }

    /// Whether a sample that starts over now, of which each pass evaluates `batch` entries, would still be finished in time.
    func permitsStartingOver(batch: Int) -> Bool {
        deadline?.allows(passes: steps.count, batch: batch) ?? true
    }

    /// Evaluates a batch: in one pass, or in as few as the predictor's largest batch allows, all of the same size. An entry's
    /// condition is the number of its sample, and the entries of a sample follow one another. The outputs of frozen elements
    /// are those that imply their known values. The deadline learns how long each pass took.
    ///
    /// A pass is given up at the deadline, but only if there is a result to fall back on: the interim one, or the caller's.
    ///
    /// - Parameter hasFallback: whether the caller has a result.
    /// - Returns: Whether the outputs are there.
    mutating func evaluate(_ batch: inout Batch, hasFallback: Bool = false) -> Bool {
        let mayGiveUp = hasFallback || interim.hasSample
        let passes = (batch.count - 1) / largestBatch + 1
        let begun = MonotonicTime.now()
        for pass in 0..<passes {
            let rows = batch.count * pass / passes..<batch.count * (pass + 1) / passes
            guard evaluate(rows, of: &batch, mayGiveUp: mayGiveUp) else { return false }
        }
        let duration = MonotonicTime.now() - begun
        for row in 0..<batch.count {
            frozen[batch.conditions[row]].replaceOutput(of: &batch, row: row, steps: steps)
        }
        progress.count(batch, duration: duration)
        return true
    }

    /// One pass over some rows of a batch.
    private mutating func evaluate(_ rows: Range<Int>, of batch: inout Batch, mayGiveUp: Bool) -> Bool {
        let begun: MonotonicTime? = deadline == nil ? nil : .now()
        let isDone = batch.evaluate(rows, with: predictor, until: mayGiveUp ? deadline?.due : nil)
        if let begun {
            let nanoseconds = Double(MonotonicTime.now().nanoseconds(since: begun))
            deadline?.record(batch: rows.count, nanoseconds: nanoseconds, isDone: isDone)
        }
        return isDone
    }

    /// Offers the clean samples, [samples, sampleSize], that are predicted at present.
    ///
    /// - Parameters:
    ///   - step: the step that predicted them; of several samples the earliest.
    ///   - coarseSteps: the coarse steps that lead to those that are not finished, at least 1: to take a prediction for the result
    ///     is one itself.
    func offer(_ x0: Span<Float>, of step: Int, coarseSteps: Int = 1) {
        for sample in 0..<samples { progress.markCoarse(sample, steps: coarseSteps) }
        interim.offer(x0, of: step, frozen: frozen, as: progress.reports, samples: samples)
    }
}
