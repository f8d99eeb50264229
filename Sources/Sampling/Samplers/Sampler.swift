import Clocks

/// Draws samples from a diffusion model.
///
/// A sample is a pure function of the predictor, the noise and the settings. All buffers are made by the initialiser;
/// sampling allocates nothing. One thread at a time may use a sampler.
public final class Sampler {
    /// The most numbers of noise that one sample may take, `noiseCount`: 128 MiB, twenty times what 1,000 steps of 100
    /// actions of 16 numbers need. A policy of a few kilobytes could otherwise ask for gigabytes.
    public static let maximumNoiseCount = 1 << 25

    private static let defaultWindow = 8

    /// The settings in use: those it was made from, or the method that it was given since.
    public private(set) var settings: SamplerSettings
    /// The number of elements of a sample.
    public let sampleSize: Int
    /// The training timesteps in the order they are visited; shape [numInferenceSteps].
    public let timesteps: [Int]
    /// The most samples that are drawn together.
    public let maximumSamples: Int
    /// The most entries that it evaluates at once for a sample: 1 if sequential, else the window in use.
    public var window: Int { algorithm.window }
    /// The most entries that it asks the predictor for at once: a window of each sample, or the predictor's largest batch.
    public var maximumBatch: Int { min(window * maximumSamples, largestBatch) }
    /// How many of the solver's steps are not taken, because samples start from a re-noised guess.
    public let skippedSteps: Int
    /// The number of elements of the noise that one sample takes: (timesteps.count + 1) * sampleSize.
    public var noiseCount: Int { (timesteps.count + 1) * sampleSize }

    /// Interim result of a sample that has a deadline, or of all samples that are drawn together, in their order.
    public let interim: InterimSample
    let steps: [SolverStep]
    /// What the predictor's passes take, for deadlines; kept up to date by samples that have one.
    public var forwardTimes: ForwardTimes?

    private var algorithm: any SamplingAlgorithm
    private var coarse: CoarseSolve
    private let progress: SamplingProgress
    private let nothingFrozen: [FrozenElements]
    private let largestBatch: Int
    private let isWarm: Bool
    private let clipSampleRange: Float?
    /// The noise level of the sample that the first step starts from.
    private let startingLevel: NoiseLevel

    /// Computes the solver's coefficients and makes the buffers.
    ///
    /// - Parameters:
    ///   - schedule: The noise schedule that the policy was trained with.
    ///   - predictionType: What the network predicts.
    ///   - clipSampleRange: The predicted clean sample is clipped to this distance from 0, positive; nil: not clipped.
    ///   - settings: The solver, the number of steps and the method.
    ///   - sampleSize: The number of elements of a sample, at least 1.
    ///   - maximumSamples: The most samples that are drawn together.
    ///   - largestBatch: The most entries that the predictor takes at once, at least 1; nil: any number.
    ///   - linearization: For the quasi-Newton sampler, a number for each of the solver's steps; nil: none is known, until
    ///     `calibrate`.
    ///   - isWarm: Whether samples start from a re-noised guess and take the last `settings.warmSteps` steps alone.
    ///   - interim: Of a sampler that is never used at the same time, with samples as large and as many; nil: one of its own.
    /// - Throws: `SamplerError` if a value is outside its range.
    public init(
        schedule: NoiseSchedule,
        predictionType: PredictionType,
        clipSampleRange: Float?,
        settings: SamplerSettings,
        sampleSize: Int,
        maximumSamples: Int = 1,
        largestBatch: Int? = nil,
        linearization: OutputLinearization? = nil,
        isWarm: Bool = false,
        interim: InterimSample? = nil
    ) throws(SamplerError) {
        try Self.check(
            settings,
            schedule: schedule,
            clipSampleRange: clipSampleRange,
            sampleSize: sampleSize,
            maximumSamples: maximumSamples
        )
        let solverSteps = settings.solver.steps(
            schedule: schedule,
            predictionType: predictionType,
            clipSampleRange: clipSampleRange,
            numInferenceSteps: settings.numInferenceSteps
        )
        skippedSteps = isWarm ? solverSteps.count - (settings.warmSteps ?? solverSteps.count) : 0
        steps = [solverSteps[skippedSteps].asFirst] + solverSteps[(skippedSteps + 1)...]
        startingLevel = schedule.level(at: steps[0].timestep)
        algorithm = Self.algorithm(
            settings.method,
            steps: steps,
            sampleSize: sampleSize,
            maximumSamples: maximumSamples,
            clipSampleRange: clipSampleRange,
            linearization: linearization?.suffix(from: skippedSteps) ?? .unknown(steps: steps.count)
        )
        coarse = CoarseSolve(
            steps: steps,
            schedule: schedule,
            sampleSize: sampleSize,
            maximumSamples: maximumSamples
        )
        self.interim =
            interim ?? InterimSample(sampleSize: sampleSize, maximumSamples: maximumSamples)
        progress = SamplingProgress(maximumSamples: maximumSamples, stepCount: steps.count)
        nothingFrozen = Array(repeating: FrozenElements(sampleSize: sampleSize), count: maximumSamples)
        self.largestBatch = largestBatch ?? .max
        self.isWarm = isWarm
        self.clipSampleRange = clipSampleRange
        self.settings = settings
        self.sampleSize = sampleSize
        self.maximumSamples = maximumSamples
        timesteps = steps.map(\.timestep)
    }

    private static func check(
        _ settings: SamplerSettings,
        schedule: NoiseSchedule,
        clipSampleRange: Float?,
        sampleSize: Int,
        maximumSamples: Int
    ) throws(SamplerError) {
        guard settings.numInferenceSteps >= 1, settings.numInferenceSteps <= schedule.numTrainTimesteps else {
            throw .numInferenceSteps(
                found: settings.numInferenceSteps,
                numTrainTimesteps: schedule.numTrainTimesteps
            )
        }
        if let clipSampleRange {
            guard clipSampleRange > 0, clipSampleRange.isFinite else {
                throw .clipSampleRange(found: clipSampleRange)
            }
        }
        guard sampleSize >= 1 else { throw .sampleSize(found: sampleSize) }
        precondition(maximumSamples >= 1, "\(maximumSamples) samples are drawn together")
        guard sampleSize <= maximumNoiseCount / (settings.numInferenceSteps + 1) / maximumSamples else {
            throw .noiseCount(
                numInferenceSteps: settings.numInferenceSteps,
                sampleSize: sampleSize,
                limit: maximumNoiseCount / maximumSamples
            )
        }
        if let warmSteps = settings.warmSteps {
            guard 1...settings.numInferenceSteps ~= warmSteps else {
                throw .warmSteps(found: warmSteps, numInferenceSteps: settings.numInferenceSteps)
            }
        }
        try check(settings.method)
    }

    private static func check(_ method: SamplerSettings.Method) throws(SamplerError) {
        switch method {
        case .sequential: break
        case .paradigms(let window, let tolerance):
            try check(window: window, tolerance: tolerance)
        case .quasiNewton(let window, let tolerance):
            try check(window: window ?? defaultWindow, tolerance: tolerance)
        }
    }

    private static func check(window: Int, tolerance: Float) throws(SamplerError) {
        guard window >= 1 else { throw .window(found: window) }
        guard tolerance >= 0, tolerance.isFinite else { throw .tolerance(found: tolerance) }
    }

    private static func algorithm(
        _ method: SamplerSettings.Method,
        steps: [SolverStep],
        sampleSize: Int,
        maximumSamples: Int,
        clipSampleRange: Float?,
        linearization: OutputLinearization
    ) -> any SamplingAlgorithm {
        /// Each with memory of its own: copies of one would share theirs until the first write takes more.
        func together<Sweeps: WindowSweeps>(_ makeSweeps: () -> Sweeps) -> SweepSampler<Sweeps> {
            SweepSampler(
                steps: steps,
                sampleSize: sampleSize,
                sweeps: (0..<maximumSamples).map { _ in makeSweeps() }
            )
        }
        switch method {
        case .sequential:
            return SequentialSampler(
                steps: steps,
                sampleSize: sampleSize,
                maximumSamples: maximumSamples
            )
        case .paradigms(let window, let tolerance):
            return together {
                ParaDiGMSSweeps(steps: steps, sampleSize: sampleSize, window: window, tolerance: tolerance)
            }
        case .quasiNewton(let window, let tolerance):
            return together {
                QuasiNewtonSweeps(
                    steps: steps,
                    sampleSize: sampleSize,
                    clipSampleRange: clipSampleRange,
                    window: window ?? defaultWindow,
                    tolerance: tolerance,
                    linearization: linearization
                )
            }
        }
    }

    /// Carries the solver's steps out by another method from the next sample on. Allocates.
    ///
    /// - Parameter linearization: as for the initialiser.
    /// - Throws: `SamplerError` for a window or tolerance out of range; the method is as before then.
    public func use(
        _ method: SamplerSettings.Method,
        linearization: OutputLinearization? = nil
    ) throws(SamplerError) {
        try Self.check(method)
        algorithm = Self.algorithm(
            method,
            steps: steps,
            sampleSize: sampleSize,
            maximumSamples: maximumSamples,
            clipSampleRange: clipSampleRange,
            linearization: linearization?.suffix(from: skippedSteps) ?? .unknown(steps: steps.count)
        )
        settings.method = method
    }

    /// Whether there are fewer than 24 steps: too few and too long to leave any out.
    public var hasFewSteps: Bool { !NodeLayout.hasBridges(steps: steps.count) }

    /// Measures how the network's output follows its sample, under the predictor's present condition. The quasi-Newton
    /// sampler uses the result from then on.
    ///
    /// Draws up to `samples` samples in sequence, and evaluates each step a few times more. Allocates.
    ///
    /// - Parameters:
    ///   - predictor: as for `sample`.
    ///   - samples: the most samples, at least 1; the noise of each comes from a seed of its own, so the result is always the same.
    ///   - horizon: for matrices over the rows of a sample, [horizon, sampleSize / horizon]; nil: for gains alone.
    ///   - beforeSample: called with the index of each sample before it is drawn, to give the predictor another condition.
    ///   - afterSample: called with the index of each sample and its result, [sampleSize].
    ///   - suffices: whether so many samples are enough, asked after each.
    @discardableResult
    public func calibrate(
        with predictor: borrowing some NoisePredictor,
        samples: Int = 8,
        horizon: Int? = nil,
        beforeSample: (Int) -> Void = { _ in },
        afterSample: (Int, [Float]) -> Void = { _, _ in },
        suffices: (_ samples: Int) -> Bool = { _ in false }
    ) -> OutputLinearization {
        precondition(
            horizon.map { $0 > 0 && sampleSize.isMultiple(of: $0) } ?? true,
            "\(sampleSize) elements are not rows of a horizon"
        )
        var fit = LinearizationFit(
            steps: steps,
            sampleSize: sampleSize,
            maximumBatch: min(window, largestBatch),
            horizon: horizon
        )
        for sample in 0..<samples {
            var noise = [Float](repeating: 0, count: noiseCount)
            var generator = GaussianNoise(seed: UInt64(sample))
            var span = noise.mutableSpan
            generator.fill(&span)
            beforeSample(sample)
            let reference = ReferenceTrajectory(
                steps: steps,
                predictor: predictor,
                noise: noise,
                sampleSize: sampleSize
            )
            afterSample(sample, Array(reference.trajectory.suffix(sampleSize)))
            fit.observe(reference, predictor: predictor)
            if suffices(sample + 1) { break }
        }
        let linearization = fit.linearization
        if case .quasiNewton = settings.method {
            algorithm = Self.algorithm(
                settings.method,
                steps: steps,
                sampleSize: sampleSize,
                maximumSamples: maximumSamples,
                clipSampleRange: clipSampleRange,
                linearization: linearization
            )
        }
        return linearization
    }

    /// Elements of a sample that are frozen, none so far: for `sample`, which draws the rest to fit them. Allocates.
    public func makeFrozenElements() -> FrozenElements {
        FrozenElements(sampleSize: sampleSize, limit: clipSampleRange ?? .infinity)
    }

    /// Writes the sample that the first step starts from, for samples that start from a guess: alpha x_0 + sigma epsilon at the
    /// first timestep. Allocates nothing.
    ///
    /// - Parameters:
    ///   - guess: x_0, [sampleSize], clipped to the clip range and finite.
    ///   - frozen: elements whose known values take the place of the guess.
    ///   - sample: [sampleSize]; is epsilon, standard normal, and receives the sample.
    @_lifetime(sample: copy sample)
    public func renoise(_ guess: Span<Float>, frozen: FrozenElements, into sample: inout MutableSpan<Float>) {
        let (alpha, sigma) = (Float(startingLevel.alpha), Float(startingLevel.sigma))
        let limit = clipSampleRange ?? .infinity
        for element in 0..<sampleSize {
            let x0 = frozen.knownValue(element) ?? max(-limit, min(limit, guess[element]))
            sample[element] = alpha * x0 + sigma * sample[element]
        }
    }

    /// Draws one sample, under the predictor's condition 0.
    ///
    /// A value that is not a number, from the predictor or in the noise, ends up in the sample: check the result.
    ///
    /// - Parameters:
    ///   - predictor: The network, which must accept batches of up to `maximumBatch` entries.
    ///   - noise: Shape [numInferenceSteps + 1, sampleSize]. Row 0 is the initial sample; row k is added in step k, scaled by
    ///     that step's standard deviation. Rows of steps that add none (all of DDIM's and DPM-Solver++'s, the last of DDPM's)
    ///     are not used.
    ///   - guess: A guess of the result, [sampleSize], clipped to the clip range and finite, or nothing. A good guess saves the
    ///     quasi-Newton sampler a pass or two, a wrong one costs nothing but that. Other methods ignore it.
    ///   - frozen: Elements of the sample that are known, as `makeFrozenElements` made them and the caller set them; the rest is
    ///     sampled to fit, with any method. This approximates the conditional distribution (docs/SAMPLING.md). Empty: all are
    ///     sampled.
    ///   - sample: Shape [sampleSize]; receives the sample.
    ///   - instant: When the sample is due; nil: no deadline. Ignored without `forwardTimes`, which tell what fits.
    /// - Returns: How it was computed.
    @_lifetime(sample: copy sample)
    public func sample(
        with predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        guess: Span<Float> = Span(),
        frozen: [FrozenElements] = [],
        deadline instant: MonotonicTime? = nil,
        into sample: inout MutableSpan<Float>
    ) -> SamplingReport {
        draw(
            1,
            with: predictor,
            noise: noise,
            guess: guess,
            frozen: frozen,
            deadline: instant,
            into: &sample
        )
        return progress.reports[0]
    }

    /// Draws several samples together, sample i under the predictor's condition i. Each is the one that is drawn alone from the
    /// same noise, if the predictor's outputs do not depend on the rest of a batch; but with a deadline all are due at once.
    ///
    /// - Parameters:
    ///   - predictor: as for one sample.
    ///   - instant: as for one sample.
    ///   - noise: Shape [samples, numInferenceSteps + 1, sampleSize].
    ///   - guess: Guesses of the results, [samples, sampleSize], or nothing; a row of zeros guesses nothing.
    ///   - frozen: For each sample at least, or nothing.
    ///   - sample: Shape [samples, sampleSize]; receives the samples: 1 to `maximumSamples`.
    ///   - reports: Shape [samples]; receives how each was computed.
    @_lifetime(sample: copy sample)
    @_lifetime(reports: copy reports)
    public func sample(
        with predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        guess: Span<Float> = Span(),
        frozen: [FrozenElements] = [],
        deadline instant: MonotonicTime? = nil,
        into sample: inout MutableSpan<Float>,
        reports: inout MutableSpan<SamplingReport>
    ) {
        draw(
            reports.count,
            with: predictor,
            noise: noise,
            guess: guess,
            frozen: frozen,
            deadline: instant,
            into: &sample
        )
        for index in reports.indices { reports[index] = progress.reports[index] }
    }

    /// The passes of the network that the sample drawn last comes from, in their order; of several that were drawn together, the
    /// passes of the one at an index. Allocates.
    public func passes(of sample: Int = 0) -> [NetworkPass] {
        precondition((0..<progress.samples).contains(sample), "sample \(sample) of \(progress.samples)")
        return progress.passes(of: sample).map { pass in
            NetworkPass(
                steps: pass.steps.lowerBound + skippedSteps..<pass.steps.upperBound + skippedSteps,
                evaluations: pass.evaluations,
                duration: pass.duration
            )
        }
    }

    /// Draws samples; `progress` then has their reports.
    @_lifetime(sample: copy sample)
    private func draw(
        _ samples: Int,
        with predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        guess: Span<Float>,
        frozen: [FrozenElements],
        deadline instant: MonotonicTime?,
        into sample: inout MutableSpan<Float>
    ) {
        checkArguments(samples, noise: noise, guess: guess, frozen: frozen, sample: sample)
        progress.start(samples: samples, as: blankReport)
        var context = SamplingContext(
            predictor: copy predictor,
            steps: steps,
            frozen: frozen.isEmpty ? nothingFrozen : frozen,
            interim: interim,
            progress: progress,
            largestBatch: largestBatch,
            deadline: deadline(at: instant, samples: samples)
        )
        if context.deadline != nil { interim.open(from: coarse.firstMeaningfulStep) }
        algorithm.sample(in: &context, noise: noise, guess: guess, into: &sample)
        if progress.leastSettledSteps < steps.count, coarse.finish(in: &context, sample: &sample) == 0 {
            interim.copyLatest(into: &sample, progress: progress)
        }
        interim.close()
        for index in 0..<samples { context.frozen[index].restore(in: &sample, row: index) }
        if let deadline = context.deadline { forwardTimes = deadline.times }
    }

    private func checkArguments(
        _ samples: Int,
        noise: Span<Float>,
        guess: Span<Float>,
        frozen: [FrozenElements],
        sample: borrowing MutableSpan<Float>
    ) {
        precondition(
            (1...maximumSamples).contains(samples) && sample.count == samples * sampleSize,
            "\(samples) samples have \(sample.count) elements; expected \(sampleSize) for each of 1 to \(maximumSamples)"
        )
        precondition(
            noise.count == samples * noiseCount,
            "noise has \(noise.count) elements; expected \(samples * noiseCount)"
        )
        precondition(
            guess.isEmpty || guess.count == samples * sampleSize,
            "the guess has \(guess.count) elements; expected \(samples * sampleSize)"
        )
        precondition(
            frozen.isEmpty || frozen.count >= samples && frozen.allSatisfy { $0.sampleSize == sampleSize },
            "elements of \(frozen.count) samples are frozen; expected those of \(samples), of \(sampleSize) elements"
        )
    }

    private func deadline(at instant: MonotonicTime?, samples: Int) -> Deadline? {
        guard let instant, let forwardTimes else { return nil }
        return Deadline(due: instant, times: forwardTimes, samples: samples)
    }

    /// The report of a sample that nothing has been done for.
    private var blankReport: SamplingReport {
        SamplingReport(
            parallelIterations: 0,
            modelEvaluations: 0,
            method: settings.method,
            window: min(settings.method.window ?? window, settings.numInferenceSteps),
            residual: 0,
            quality: isWarm ? .warm : settings.method.tolerance > 0 ? .converged : .exact
        )
    }
}
