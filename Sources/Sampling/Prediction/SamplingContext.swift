import Clocks

/// What a sampler draws in: the network, the deadline, the interim result, the elements that are known beforehand, and the
/// counts of what was done. All methods have these from here, so that each exists once.
///
/// Several samples can be drawn together, sample i under the network's condition i. The noise stays an argument beside the
/// context, because Swift lets no structure keep a `Span`.
///
/// Allocates nothing.
struct SamplingContext<Predictor: NoisePredictor>: ~Copyable {
    /// The number of samples that are drawn together, at least 1.
    let samples: Int
    /// Elements with known clean values. Only a sample that is drawn alone has any.
    let frozen: FrozenElements
    /// The best result so far, for another thread to take.
    let interim: InterimSample
    /// Passes that were finished.
    private(set) var iterations = 0
    /// Entries of those passes, for each of the samples.
    private(set) var evaluations = 0
    /// The size of what a method neglected, as in `SamplingReport`. The method sets it.
    var residual: Float = 0

    private let steps: [SolverStep]
    /// The report of a sample that nothing has been done for.
    private let blankReport: SamplingReport
    private(set) var deadline: Deadline?
    // The last property, so that the others lie at the same place for every predictor.
    private let predictor: Predictor

    /// - Parameters:
    ///   - steps: the solver's.
    ///   - samples: the number of samples, at least 1.
    ///   - frozen: none, if there are several samples.
    ///   - deadline: when the samples are due; nil: never.
    ///   - report: window, tolerance and quality of a sample that is finished in time.
    init(
        predictor: Predictor,
        steps: [SolverStep],
        samples: Int = 1,
        frozen: FrozenElements,
        interim: InterimSample,
        deadline: Deadline? = nil,
        report: SamplingReport
    ) {
        precondition(samples == 1 || frozen.range.isEmpty, "elements are frozen of one sample of \(samples)")
        self.predictor = predictor
        self.steps = steps
        self.samples = samples
        self.frozen = frozen
        self.interim = interim
        self.deadline = deadline
        blankReport = report
    }

    /// Whether a pass over `batch` entries may begin: with a deadline, a coarse finish must still fit after it.
    ///
    /// - Parameter settledSteps: how many of the solver's steps are final, less than all.
    func permits(batch: Int, after settledSteps: Int) -> Bool {
        !deadline.forbids(batch: batch, step: settledSteps, of: steps.count)
    }

    /// Evaluates a batch. The outputs of frozen elements are those that imply their known values. The deadline learns how
    /// long the pass took.
    ///
    /// The pass is given up at the deadline, but only if there is a result to fall back on: the interim one, or the caller's.
    ///
    /// - Parameter hasFallback: whether the caller has a result.
    /// - Returns: Whether the outputs are there.
    mutating func evaluate(_ batch: inout Batch, hasFallback: Bool = false) -> Bool {
        let begun: MonotonicTime? = deadline == nil ? nil : .now()
        let mayGiveUp = hasFallback || interim.hasSample
        let isDone = batch.evaluate(with: predictor, until: mayGiveUp ? deadline?.due : nil)
        if let begun {
            let nanoseconds = Double(MonotonicTime.now().nanoseconds(since: begun))
            deadline?.record(batch: batch.count, nanoseconds: nanoseconds, isDone: isDone)
        }
        guard isDone else { return false }
        frozen.replaceOutputs(of: &batch, steps: steps)
        iterations += 1
        evaluations += batch.count / samples
        return true
    }

    /// Offers the clean samples, [samples, sampleCount], that the last pass predicted.
    ///
    /// - Parameters:
    ///   - step: the step that predicted them.
    ///   - coarseSteps: the coarse steps that lead to them, at least 1: to take a prediction for the result is one itself.
    func offer(_ x0: Span<Float>, of step: Int, coarseSteps: Int = 1) {
        interim.offer(x0, of: step, frozen: frozen, as: report(coarseSteps: coarseSteps))
    }

    /// How the samples were drawn so far.
    ///
    /// - Parameter coarseSteps: how many coarse steps finish them; 0: none.
    func report(coarseSteps: Int) -> SamplingReport {
        SamplingReport(
            parallelIterations: iterations,
            modelEvaluations: evaluations,
            window: blankReport.window,
            tolerance: blankReport.tolerance,
            residual: residual,
            quality: coarseSteps > 0 ? .coarse(steps: coarseSteps) : blankReport.quality
        )
    }
}
