/// How a policy's samples are drawn.
public struct SamplerSettings: Hashable, Sendable {
    /// How the solver's steps are carried out.
    public enum Method: Hashable, Sendable {
        /// One step after the other.
        case sequential
        /// ParaDiGMS, as published (arXiv 2305.16317, algorithm 1).
        ///
        /// `window` is the number of timesteps evaluated in one batch, at least 1; a window larger than the number of
        /// steps means all of them. `tolerance` is in standard deviations of a step's noise, finite and not negative;
        /// at 0 the result is the sequential sampler's.
        case paradigms(window: Int, tolerance: Float)
        /// Quasi-Newton sweeps over a window: several times fewer evaluations than ParaDiGMS.
        ///
        /// `window` as for ParaDiGMS, or nil for the one that is fastest on this machine, which `DiffusionPolicy` finds
        /// out; a `Sampler` by itself takes 8. `tolerance` is the deviation from the sequential sample that is aimed at, in the
        /// sample's own normalised units, finite and not negative; at 0 the result is the sequential sampler's.
        case quasiNewton(window: Int?, tolerance: Float)

        /// The window asked for, if any; 1 where there is none to slide.
        public var window: Int? {
            switch self {
            case .sequential: 1
            case .paradigms(let window, _): window
            case .quasiNewton(let window, _): window
            }
        }

        /// The tolerance asked for; 0 where nothing is left out.
        public var tolerance: Float {
            switch self {
            case .sequential: 0
            case .paradigms(_, let tolerance), .quasiNewton(_, let tolerance): tolerance
            }
        }

        /// What the command line and messages call it.
        public var name: String {
            switch self {
            case .sequential: "sequential"
            case .paradigms: "paradigms"
            case .quasiNewton: "quasi-newton"
            }
        }
    }

    /// The solver.
    public var solver: Solver
    /// N, the number of solver steps, from 1 to the policy's number of training timesteps.
    public var numInferenceSteps: Int
    /// How the steps are carried out.
    public var method: Method

    /// Creates settings; they are checked where a `Sampler` is made from them.
    public init(solver: Solver, numInferenceSteps: Int, method: Method = .sequential) {
        self.solver = solver
        self.numInferenceSteps = numInferenceSteps
        self.method = method
    }
}

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
    /// The most (sample, timestep) pairs it asks the predictor for at once: 1 if sequential, else the window in
    /// use.
    public var maximumBatch: Int { algorithm.maximumBatch }
    /// The number of elements of the noise that one sample takes: (numInferenceSteps + 1) * sampleCount.
    public var noiseCount: Int { (timesteps.count + 1) * sampleCount }

    /// Interim result of a sample that has a deadline.
    public let interim: InterimSample
    private let steps: [SolverStep]
    /// What the predictor's passes take, for deadlines; kept up to date by samples that have one.
    public var forwardTimes: ForwardTimes?

    private var algorithm: any SamplingAlgorithm
    private var coarse: CoarseSolve
    private var frozen: FrozenElements
    private let clipSampleRange: Float
    /// The method's; 0 for the sequential sampler.
    private let tolerance: Float

    /// Computes the solver's coefficients and makes the buffers.
    ///
    /// - Parameters:
    ///   - schedule: The noise schedule that the policy was trained with.
    ///   - predictionType: What the network predicts.
    ///   - clipSampleRange: The predicted clean sample is clipped to this distance from 0, positive; nil: not clipped.
    ///   - settings: The solver, the number of steps and the method.
    ///   - sampleCount: The number of elements of a sample, at least 1.
    ///   - linearization: For the quasi-Newton sampler, a number for each step; nil: none is known, until `calibrate`.
    /// - Throws: `SamplerError` if a value is outside its range.
    public init(
        schedule: NoiseSchedule,
        predictionType: PredictionType,
        clipSampleRange: Float?,
        settings: SamplerSettings,
        sampleCount: Int,
        linearization: OutputLinearization? = nil
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
        guard sampleCount <= Self.maximumNoiseCount / (settings.numInferenceSteps + 1) else {
            throw .noiseCount(
                numInferenceSteps: settings.numInferenceSteps,
                sampleCount: sampleCount,
                limit: Self.maximumNoiseCount
            )
        }

        let steps = settings.solver.steps(
            schedule: schedule,
            predictionType: predictionType,
            clipSampleRange: clipSampleRange,
            numInferenceSteps: settings.numInferenceSteps
        )
        switch settings.method {
        case .sequential:
            tolerance = 0
            algorithm = SequentialSampler(steps: steps, sampleCount: sampleCount)
        case .paradigms(let window, let tolerance):
            try Self.check(window: window, tolerance: tolerance)
            self.tolerance = tolerance
            algorithm = ParaDiGMSSampler(
                steps: steps,
                sampleCount: sampleCount,
                window: window,
                tolerance: tolerance
            )
        case .quasiNewton(let chosenWindow, let tolerance):
            let window = chosenWindow ?? Self.defaultWindow
            try Self.check(window: window, tolerance: tolerance)
            self.tolerance = tolerance
            algorithm = QuasiNewtonSampler(
                steps: steps,
                sampleCount: sampleCount,
                window: window,
                tolerance: tolerance,
                linearization: linearization ?? .unknown(steps: steps.count)
            )
        }
        coarse = CoarseSolve(steps: steps, schedule: schedule, sampleCount: sampleCount)
        frozen = FrozenElements(sampleCount: sampleCount)
        interim = InterimSample(sampleCount: sampleCount)
        self.clipSampleRange = clipSampleRange ?? .infinity
        self.steps = steps
        self.settings = settings
        self.sampleCount = sampleCount
        self.timesteps = steps.map(\.timestep)
    }

    private static func check(window: Int, tolerance: Float) throws(SamplerError) {
        guard window >= 1 else { throw .window(found: window) }
        guard tolerance >= 0, tolerance.isFinite else { throw .tolerance(found: tolerance) }
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
        var noise: [Float] = []
        for seed in 0..<samples {
            var one = [Float](repeating: 0, count: noiseCount)
            var generator = GaussianNoise(seed: UInt64(seed))
            var span = one.mutableSpan
            generator.fill(&span)
            noise += one
        }
        let linearization = OutputLinearization.measure(
            steps: steps,
            predictor: predictor,
            noise: noise,
            sampleCount: sampleCount,
            maximumBatch: maximumBatch,
            horizon: horizon,
            beforeSample: beforeSample,
            afterSample: afterSample
        )
        if case .quasiNewton = settings.method {
            algorithm = QuasiNewtonSampler(
                steps: steps,
                sampleCount: sampleCount,
                window: maximumBatch,
                tolerance: tolerance,
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

    /// Draws one sample.
    ///
    /// A value that is not a number, from the predictor or in the noise, ends up in the sample: check the result.
    ///
    /// - Parameters:
    ///   - predictor: The network, which must accept batches of up to `maximumBatch`.
    ///   - noise: Shape [numInferenceSteps + 1, sampleCount]. Row 0 is the initial sample; row k is added in step k,
    ///     scaled by that step's standard deviation. Rows of steps that add none (all of DDIM's and DPM-Solver++'s, the
    ///     last of DDPM's) are not used.
    ///   - sample: Shape [sampleCount]; receives the sample.
    ///   - instant: When the sample is due; nil: no deadline. Ignored without `forwardTimes`, which tell what fits.
    /// - Returns: How it was computed.
    public func sample(
        with predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        deadline instant: ContinuousClock.Instant? = nil,
        into sample: inout MutableSpan<Float>
    ) -> SamplingReport {
        precondition(noise.count == noiseCount, "noise has \(noise.count) elements; expected \(noiseCount)")
        precondition(
            sample.count == sampleCount,
            "the sample has \(sample.count) elements; expected \(sampleCount)"
        )
        var deadline: Deadline? =
            if let instant, let forwardTimes { Deadline(due: instant, times: forwardTimes) } else { nil }
        let whole = SamplingReport(
            parallelIterations: 0,
            modelEvaluations: 0,
            window: maximumBatch,
            tolerance: tolerance,
            residual: 0,
            quality: tolerance > 0 ? .converged : .exact
        )
        if deadline != nil { interim.open(as: whole, from: coarse.firstMeaningfulStep) }
        let progress = algorithm.sample(
            with: predictor,
            noise: noise,
            frozen: frozen,
            interim: interim,
            deadline: &deadline,
            into: &sample
        )
        var report = whole.after(progress)
        if progress.steps < steps.count {
            let coarseSteps = coarse.finish(
                after: progress,
                with: predictor,
                frozen: frozen,
                interim: interim,
                deadline: &deadline,
                sample: &sample
            )
            report =
                coarseSteps > 0
                ? report.finished(coarseSteps: coarseSteps) : interim.copyLatest(into: &sample)
        }
        interim.close()
        frozen.restore(in: &sample)
        frozen.clear()
        if let deadline { forwardTimes = deadline.times }
        return report
    }
}

/// A way to carry out a solver's steps. Called dynamically once per sample; its loop is not.
protocol SamplingAlgorithm {
    /// The most (sample, timestep) pairs it asks the predictor for at once.
    var maximumBatch: Int { get }

    /// Takes a guess of the next sample's result, of shape [sampleCount], as far as it is within -`limit` ... `limit`.
    mutating func guess(_ x0: Span<Float>, limit: Float)

    /// Draws one sample, or stops early when only a coarse finish would still fit; shapes as in `Sampler.sample`. With a
    /// deadline each pass offers its predicted result to `interim`. Once there is one, a pass that would be late is given
    /// up.
    mutating func sample(
        with predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        frozen: borrowing FrozenElements,
        interim: InterimSample,
        deadline: inout Deadline?,
        into sample: inout MutableSpan<Float>
    ) -> SamplingProgress
}

extension SamplingAlgorithm {
    mutating func guess(_ x0: Span<Float>, limit: Float) {}
}

/// How far an algorithm came, which is to the end unless the deadline stopped it.
struct SamplingProgress {
    /// The solver's steps taken: the sample is the one that the next would start from.
    let steps: Int
    let iterations: Int
    let evaluations: Int
    /// As in `SamplingReport`.
    let residual: Float
}
