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

    /// The settings it was made from.
    public let settings: SamplerSettings
    /// The number of elements of a sample.
    public let sampleCount: Int
    /// The training timesteps in the order they are visited; shape [numInferenceSteps].
    public let timesteps: [Int]
    /// The most samples that are drawn together.
    public let maximumSamples: Int
    /// The most entries that it asks the predictor for at once, for each sample: 1 if sequential, else the window in use.
    public var maximumBatch: Int { algorithm.maximumBatch }
    /// The number of elements of the noise that one sample takes: (numInferenceSteps + 1) * sampleCount.
    public var noiseCount: Int { (timesteps.count + 1) * sampleCount }

    /// Interim result of a sample that has a deadline, or of all samples that are drawn together, in their order.
    public let interim: InterimSample
    private let steps: [SolverStep]
    /// What the predictor's passes take, for deadlines; kept up to date by samples that have one.
    public var forwardTimes: ForwardTimes?

    private var algorithm: any SamplingAlgorithm
    private var coarse: CoarseSolve
    private var frozen: FrozenElements
    private let clipSampleRange: Float

    /// Computes the solver's coefficients and makes the buffers.
    ///
    /// - Parameters:
    ///   - schedule: The noise schedule that the policy was trained with.
    ///   - predictionType: What the network predicts.
    ///   - clipSampleRange: The predicted clean sample is clipped to this distance from 0, positive; nil: not clipped.
    ///   - settings: The solver, the number of steps and the method.
    ///   - sampleCount: The number of elements of a sample, at least 1.
    ///   - maximumSamples: The most samples that are drawn together; 1, unless the method is sequential.
    ///   - linearization: For the quasi-Newton sampler, a number for each step; nil: none is known, until `calibrate`.
    /// - Throws: `SamplerError` if a value is outside its range.
    public init(
        schedule: NoiseSchedule,
        predictionType: PredictionType,
        clipSampleRange: Float?,
        settings: SamplerSettings,
        sampleCount: Int,
        maximumSamples: Int = 1,
        linearization: OutputLinearization? = nil
    ) throws(SamplerError) {
        try Self.check(
            settings,
            schedule: schedule,
            clipSampleRange: clipSampleRange,
            sampleCount: sampleCount,
            maximumSamples: maximumSamples
        )
        steps = settings.solver.steps(
            schedule: schedule,
            predictionType: predictionType,
            clipSampleRange: clipSampleRange,
            numInferenceSteps: settings.numInferenceSteps
        )
        algorithm = Self.algorithm(
            settings.method,
            steps: steps,
            sampleCount: sampleCount,
            maximumSamples: maximumSamples,
            linearization: linearization ?? .unknown(steps: steps.count)
        )
        coarse = CoarseSolve(
            steps: steps,
            schedule: schedule,
            sampleCount: sampleCount,
            maximumSamples: maximumSamples
        )
        frozen = FrozenElements(sampleCount: sampleCount)
        interim = InterimSample(sampleCount: maximumSamples * sampleCount)
        self.clipSampleRange = clipSampleRange ?? .infinity
        self.settings = settings
        self.sampleCount = sampleCount
        self.maximumSamples = maximumSamples
        timesteps = steps.map(\.timestep)
    }

    private static func check(
        _ settings: SamplerSettings,
        schedule: NoiseSchedule,
        clipSampleRange: Float?,
        sampleCount: Int,
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
        guard sampleCount >= 1 else { throw .sampleCount(found: sampleCount) }
        precondition(
            maximumSamples == 1 || maximumSamples > 1 && settings.method == .sequential,
            "\(maximumSamples) samples are drawn together by \(settings.method.name)"
        )
        guard sampleCount <= maximumNoiseCount / (settings.numInferenceSteps + 1) / maximumSamples else {
            throw .noiseCount(
                numInferenceSteps: settings.numInferenceSteps,
                sampleCount: sampleCount,
                limit: maximumNoiseCount / maximumSamples
            )
        }
        switch settings.method {
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
        sampleCount: Int,
        maximumSamples: Int,
        linearization: OutputLinearization
    ) -> any SamplingAlgorithm {
        switch method {
        case .sequential:
            SequentialSampler(steps: steps, sampleCount: sampleCount, maximumSamples: maximumSamples)
        case .paradigms(let window, let tolerance):
            ParaDiGMSSampler(steps: steps, sampleCount: sampleCount, window: window, tolerance: tolerance)
        case .quasiNewton(let window, let tolerance):
            QuasiNewtonSampler(
                steps: steps,
                sampleCount: sampleCount,
                window: window ?? defaultWindow,
                tolerance: tolerance,
                linearization: linearization
            )
        }
    }

    /// Whether there are fewer than 24 steps: too few and too long to leave any out.
    public var hasFewSteps: Bool { !NodeLayout.hasBridges(steps: steps.count) }

    /// Measures how the network's output follows its sample, under the predictor's present condition. The quasi-Newton
    /// sampler uses the result from then on.
    ///
    /// Draws `samples` samples in sequence, and evaluates each step a few times more. Allocates.
    ///
    /// - Parameters:
    ///   - predictor: as for `sample`.
    ///   - samples: at least 1; the noise of each comes from a seed of its own, so the result is always the same.
    ///   - horizon: for matrices over the rows of a sample, [horizon, sampleCount / horizon]; nil: for gains alone.
    ///   - beforeSample: called with the index of each sample before it is drawn, to give the predictor another condition.
    ///   - afterSample: called with the index of each sample and its result, [sampleCount].
    @discardableResult
    public func calibrate(
        with predictor: borrowing some NoisePredictor,
        samples: Int = 8,
        horizon: Int? = nil,
        beforeSample: (Int) -> Void = { _ in },
        afterSample: (Int, [Float]) -> Void = { _, _ in }
    ) -> OutputLinearization {
        precondition(
            horizon.map { $0 > 0 && sampleCount.isMultiple(of: $0) } ?? true,
            "\(sampleCount) elements are not rows of a horizon"
        )
        var fit = LinearizationFit(
            steps: steps,
            sampleCount: sampleCount,
            maximumBatch: maximumBatch,
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
                sampleCount: sampleCount
            )
            afterSample(sample, Array(reference.trajectory.suffix(sampleCount)))
            fit.observe(reference, predictor: predictor)
        }
        let linearization = fit.linearization
        if case .quasiNewton = settings.method {
            algorithm = Self.algorithm(
                settings.method,
                steps: steps,
                sampleCount: sampleCount,
                maximumSamples: maximumSamples,
                linearization: linearization
            )
        }
        return linearization
    }

    /// Guesses the result of the next sample. A good guess saves the quasi-Newton sampler a pass or two, a wrong one costs
    /// nothing but that. Other methods ignore it.
    ///
    /// - Parameter x0: Shape [sampleCount], clipped to the clip range; finite.
    public func guess(_ x0: Span<Float>) {
        precondition(x0.count == sampleCount, "the guess has \(x0.count) elements; expected \(sampleCount)")
        algorithm.guess(x0, limit: clipSampleRange)
    }

    /// Fixes some elements of the next sample; the rest is sampled to fit them, with any method. This approximates the
    /// conditional distribution (docs/SAMPLING.md).
    ///
    /// A later call replaces an earlier one. It holds for one sample.
    ///
    /// - Parameters:
    ///   - x0: The clean values of the elements `first` ..< `first` + x0.count, clipped to the clip range; finite.
    ///   - first: From 0; the elements must be those of a sample.
    public func freeze(_ x0: Span<Float>, from first: Int = 0) {
        precondition(
            first >= 0 && x0.count <= sampleCount - first,
            "\(x0.count) elements from \(first) on are frozen of \(sampleCount)"
        )
        frozen.set(x0, from: first, limit: clipSampleRange)
    }

    /// Draws one sample, or several together, sample i under the predictor's condition i.
    ///
    /// A value that is not a number, from the predictor or in the noise, ends up in the sample: check the result.
    ///
    /// - Parameters:
    ///   - predictor: The network, which must accept batches of up to `maximumBatch` entries for each sample.
    ///   - noise: Shape [samples, numInferenceSteps + 1, sampleCount]. Row 0 is the initial sample; row k is added in step k,
    ///     scaled by that step's standard deviation. Rows of steps that add none (all of DDIM's and DPM-Solver++'s, the
    ///     last of DDPM's) are not used.
    ///   - sample: Shape [samples, sampleCount]; receives the samples: 1 to `maximumSamples`.
    ///   - instant: When the samples are due; nil: no deadline. Ignored without `forwardTimes`, which tell what fits.
    /// - Returns: How each of them was computed.
    public func sample(
        with predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        deadline instant: MonotonicTime? = nil,
        into sample: inout MutableSpan<Float>
    ) -> SamplingReport {
        let samples = sample.count / sampleCount
        precondition(
            sample.count == samples * sampleCount && (1...maximumSamples).contains(samples),
            "the sample has \(sample.count) elements; expected \(sampleCount) for each of 1 to \(maximumSamples)"
        )
        precondition(
            noise.count == samples * noiseCount,
            "noise has \(noise.count) elements; expected \(samples * noiseCount)"
        )
        var context = SamplingContext(
            predictor: copy predictor,
            steps: steps,
            samples: samples,
            frozen: frozen,
            interim: interim,
            deadline: deadline(at: instant, samples: samples),
            report: blankReport
        )
        if context.deadline != nil { interim.open(from: coarse.firstMeaningfulStep) }
        let taken = algorithm.sample(in: &context, noise: noise, into: &sample)
        var report = context.report(coarseSteps: 0)
        if taken < steps.count {
            let coarseSteps = coarse.finish(from: taken, in: &context, sample: &sample)
            report =
                coarseSteps > 0
                ? context.report(coarseSteps: coarseSteps) : interim.copyLatest(into: &sample)
        }
        interim.close()
        frozen.restore(in: &sample)
        frozen.clear()
        if let deadline = context.deadline { forwardTimes = deadline.times }
        return report
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
            window: maximumBatch,
            tolerance: tolerance,
            residual: 0,
            quality: tolerance > 0 ? .converged : .exact
        )
    }

    /// The method's; 0 for the sequential sampler.
    private var tolerance: Float { settings.method.tolerance }
}
