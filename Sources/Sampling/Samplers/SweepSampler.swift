/// One sample whose trajectory is improved sweep by sweep, in a window of the solver's steps that slides to the result. A sweep
/// takes the network's outputs at the window's steps, and nothing else.
protocol WindowSweeps {
    /// The most entries of a window.
    var width: Int { get }
    /// How many of the solver's steps are final: all of them when the sample is done.
    var settledSteps: Int { get }
    /// The size of what was neglected, as in `SamplingReport`.
    var residual: Float { get }
    /// The step whose clean sample is the prediction of the result after a sweep that gave one.
    var predictingStep: Int { get }

    /// Starts a sample.
    ///
    /// - Parameters:
    ///   - noise: [N + 1, sampleSize], here and below.
    ///   - guess: of the result, [sampleSize], or nothing.
    mutating func start(from noise: Span<Float>, guess: Span<Float>, frozen: borrowing FrozenElements)

    /// Adds the window's samples to a batch.
    func appendWindow(to batch: inout Batch, condition: Int)

    /// Improves the sample by the outputs in rows of a batch, which are those of its window, and moves the window on.
    ///
    /// - Returns: Whether it predicted the result anew.
    mutating func sweep(
        _ batch: borrowing Batch,
        rows: Range<Int>,
        noise: Span<Float>,
        frozen: borrowing FrozenElements
    ) -> Bool

    /// Whether the sample may be wrong by more than its residual says, and should start over if there is time.
    var shouldStartOver: Bool { get }

    /// Starts over, in a way after which `shouldStartOver` stays false.
    mutating func startOver(from noise: Span<Float>, frozen: borrowing FrozenElements)

    /// Writes the prediction of the result.
    ///
    /// - Parameter sample: [sampleSize], here and below.
    func writePrediction(into sample: inout MutableSpan<Float>)

    /// Writes the sample that the first step that is not final starts from; the result if all are.
    func writeSample(into sample: inout MutableSpan<Float>)
}

extension WindowSweeps {
    var shouldStartOver: Bool { false }

    mutating func startOver(from noise: Span<Float>, frozen: borrowing FrozenElements) {
        start(from: noise, guess: Span(), frozen: frozen)
    }
}

/// Draws samples by sweeps: a pass of the network evaluates the windows of all samples that are not done, each under its own
/// condition, and each sample then takes its sweep. So no sample depends on those that are drawn with it.
struct SweepSampler<Sweeps: WindowSweeps>: SamplingAlgorithm {
    var window: Int { sweeps[0].width }

    private let stepCount: Int
    private let sampleSize: Int
    /// Each sample's; [maximumSamples].
    private var sweeps: [Sweeps]
    /// The windows, one after the other.
    private var batch: Batch
    /// The predictions of the results, [maximumSamples, sampleSize], and the steps that gave them, [maximumSamples].
    private var predictions: [Float]
    private var predictingSteps: [Int]

    /// - Parameter sweeps: one for each sample that is drawn together at most.
    init(steps: [SolverStep], sampleSize: Int, sweeps: [Sweeps]) {
        stepCount = steps.count
        self.sampleSize = sampleSize
        self.sweeps = sweeps
        batch = Batch(steps: steps, sampleSize: sampleSize, capacity: sweeps.count * sweeps[0].width)
        predictions = Array(repeating: 0, count: sweeps.count * sampleSize)
        predictingSteps = Array(repeating: 0, count: sweeps.count)
    }

    @_lifetime(sample: copy sample)
    mutating func sample(
        in context: inout SamplingContext<some NoisePredictor>,
        noise: Span<Float>,
        guess: Span<Float>,
        into sample: inout MutableSpan<Float>
    ) {
        for index in 0..<context.samples {
            sweeps[index].start(
                from: noise.extracting(rowOfNoise(index)),
                guess: guess.isEmpty ? guess : guess.extracting(row(index)),
                frozen: context.frozen[index]
            )
        }
        while context.progress.leastSettledSteps < stepCount {
            fillBatch(in: context)
            guard context.permits(batch: batch.count, after: context.progress.leastSettledSteps),
                context.evaluate(&batch)
            else { break }
            if sweep(in: context, noise: noise) { offerPredictions(to: context) }
        }
        for index in 0..<context.samples {
            var row = sample._mutatingExtracting(row(index))
            sweeps[index].writeSample(into: &row)
        }
    }

    /// Makes the batch the windows of all samples that are not done.
    private mutating func fillBatch(in context: borrowing SamplingContext<some NoisePredictor>) {
        batch.removeAll()
        for index in 0..<context.samples where !context.progress.isFinished(index) {
            sweeps[index].appendWindow(to: &batch, condition: index)
        }
    }

    /// Has each sample of the batch take its sweep.
    ///
    /// - Returns: Whether any predicted its result anew.
    private mutating func sweep(
        in context: borrowing SamplingContext<some NoisePredictor>,
        noise: Span<Float>
    ) -> Bool {
        var hasPrediction = false
        var first = 0
        while first < batch.count {
            let index = batch.conditions[first]
            var end = first + 1
            while end < batch.count && batch.conditions[end] == index { end += 1 }
            let noise = noise.extracting(rowOfNoise(index))
            let isPredicted = sweeps[index].sweep(
                batch,
                rows: first..<end,
                noise: noise,
                frozen: context.frozen[index]
            )
            if sweeps[index].shouldStartOver && context.permitsStartingOver(batch: batch.count) {
                sweeps[index].startOver(from: noise, frozen: context.frozen[index])
            } else if isPredicted {
                hasPrediction = true
                keepPrediction(of: index)
            }
            context.progress.reports[index].residual = sweeps[index].residual
            context.progress.settle(index, steps: sweeps[index].settledSteps)
            first = end
        }
        return hasPrediction
    }

    private mutating func keepPrediction(of index: Int) {
        predictingSteps[index] = sweeps[index].predictingStep
        let isFinished = sweeps[index].settledSteps == stepCount
        Self.writePrediction(of: sweeps[index], isFinished: isFinished, row(index), of: &predictions)
    }

    /// Arguments of their own, because Swift lets no method hold a span of one property and use another.
    private static func writePrediction(
        of sweeps: borrowing Sweeps,
        isFinished: Bool,
        _ row: Range<Int>,
        of predictions: inout [Float]
    ) {
        var span = predictions.mutableSpan
        var prediction = span._mutatingExtracting(row)
        if isFinished {
            sweeps.writeSample(into: &prediction)
        } else {
            sweeps.writePrediction(into: &prediction)
        }
    }

    private func offerPredictions(to context: borrowing SamplingContext<some NoisePredictor>) {
        var step = stepCount
        for index in 0..<context.samples { step = min(step, predictingSteps[index]) }
        context.offer(predictions.span.extracting(first: context.samples * sampleSize), of: step)
    }

    /// A sample's elements.
    private func row(_ index: Int) -> Range<Int> { index * sampleSize..<(index + 1) * sampleSize }

    /// The elements of a sample's noise.
    private func rowOfNoise(_ index: Int) -> Range<Int> {
        let count = (stepCount + 1) * sampleSize
        return index * count..<(index + 1) * count
    }
}
