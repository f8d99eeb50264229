import Networks
import Policy
import Sampling

/// Measures what a sampler has to know of a policy and of the machine that runs it, unless a cache has it.
struct Calibrator {
    let bundle: PolicyBundle
    /// How chunks are to be sampled.
    let settings: SamplerSettings
    let predictor: DenoiserPredictor<UNet1D>
    /// The condition of an observation, of its normalised numbers; see `PolicyBundle.restingConditions`.
    private let condition: (_ numbers: [Float]) -> [Float]

    /// - Throws: `PolicyError` for weights that cannot be read or are not finite.
    init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        predictor: DenoiserPredictor<UNet1D>
    ) throws(PolicyError) {
        self.bundle = bundle
        self.settings = settings
        self.predictor = predictor
        condition = try bundle.restingConditions()
    }

    private var configuration: PolicyConfiguration { bundle.configuration }

    /// The calibration of the policy, from the cache, or measured and kept there. Leaves the network with the middle
    /// observation.
    ///
    /// - Returns: nil for methods that need none.
    /// - Throws: `PolicyError` for settings out of range.
    func calibration(cache: CalibrationCache?) throws(PolicyError) -> Calibration? {
        setMiddleObservation()
        let key = CalibrationCache.Key(bundle: bundle, settings: settings, network: predictor.network)
        guard let key else { return nil }
        if let known = cache?.calibration(for: key) { return known }
        let measured = try measure(progress: cache?.progress ?? { _ in })
        cache?.keep(measured, for: key)
        return measured
    }

    /// What passes take, up to the sampler's largest batch.
    func forwardTimes(for sampler: Sampler) -> ForwardTimes {
        .measure(
            of: predictor,
            timestep: sampler.timesteps[0],
            sampleSize: sampler.sampleSize,
            maximumBatch: sampler.maximumBatch
        )
    }

    /// Measures gains under the middle observation, and the rest under observations at random: the middle one is one that no
    /// robot may ever see, and neither are the directions in which x_0 follows x there those at work, nor the passes that a
    /// chunk takes.
    ///
    /// - Parameter progress: told how many hundredths are done.
    private func measure(progress: (Int) -> Void) throws(PolicyError) -> Calibration {
        let maximumBatch = predictor.network.maximumBatch
        let widest = try sampler(window: maximumBatch)
        let (linearization, firstGuess) = measureSamples(with: widest) { share in
            progress(Int(share * Self.samplesShare * 100))
        }
        var trials: [WindowTrial] = []
        for window in WindowTrial.windows where window <= maximumBatch {
            let sampler = try sampler(window: window, linearization)
            trials.append(WindowTrial(window: window, sampler: sampler, maximumBatch: maximumBatch))
        }
        let meter = PassMeter(predictor, maximumBatch: maximumBatch)
        meter.measure(timestep: widest.timesteps[0], sampleSize: widest.sampleSize, rounds: 20)
        defer { setMiddleObservation() }
        let windows = WindowTrial.compare(trials, meter: meter) { chunk in
            let share = Double(chunk - 1) / Double(WindowTrial.mostChunks)
            progress(Int((Self.samplesShare + (1 - Self.samplesShare) * share) * 100))
            let condition = randomCondition(seed: Self.fewStepSamples + chunk)
            predictor.network.setCondition(condition.span)
            return firstGuess?.prediction(for: condition)
        }
        progress(100)
        return Calibration(
            linearization: linearization,
            firstGuess: firstGuess,
            forwardTimes: ForwardTimes(of: meter.timings),
            windows: windows
        )
    }

    private func sampler(
        window: Int,
        _ linearization: OutputLinearization? = nil
    ) throws(PolicyError) -> Sampler {
        try configuration.sampler(settings.with(window: window), linearization: linearization)
    }

    /// Gains; for solvers of few steps matrices and a first guess.
    ///
    /// - Parameter progress: told which share of the samples has been drawn.
    private func measureSamples(
        with sampler: Sampler,
        progress: (Double) -> Void
    ) -> (OutputLinearization, FirstGuess?) {
        guard sampler.hasFewSteps, configuration.horizon <= Self.longestHorizon else {
            let gains = sampler.calibrate(
                with: predictor,
                samples: Self.manyStepSamples,
                beforeSample: { progress(Double($0) / Double(Self.manyStepSamples)) }
            )
            return (gains, nil)
        }
        defer { setMiddleObservation() }
        var condition: [Float] = []
        var drawn: [(condition: [Float], x0: [Float])] = []
        let linearization = sampler.calibrate(
            with: predictor,
            samples: Self.fewStepSamples,
            horizon: configuration.horizon,
            beforeSample: { sample in
                progress(Double(sample) / Double(Self.fewStepSamples))
                condition = randomCondition(seed: sample)
                predictor.network.setCondition(condition.span)
            },
            afterSample: { _, x0 in drawn.append((condition, x0)) }
        )
        return (linearization, FirstGuess(drawn))
    }

    /// The condition of an observation at random, the same nObsSteps times: the robot rests.
    private func randomCondition(seed: Int) -> [Float] {
        var numbers = [Float](repeating: 0, count: numbersOfStep)
        var generator = GaussianNoise(seed: UInt64(seed))
        var span = numbers.mutableSpan
        generator.fill(&span)
        return condition(numbers.map { $0 * Self.observationDeviation })
    }

    private var numbersOfStep: Int { configuration.architecture.conditionDim / configuration.nObsSteps }

    /// The middle of what the policy was trained on; keypoints lie in the frames' middle.
    private func setMiddleObservation() {
        let middle = condition([Float](repeating: 0, count: numbersOfStep))
        predictor.network.setCondition(middle.span)
    }

    /// A matrix of a longer horizon has more numbers than the samples tell.
    private static let longestHorizon = 64
    /// Samples for the gains of a solver of many steps.
    private static let manyStepSamples = 8
    /// Samples for the matrices of a solver of few steps.
    private static let fewStepSamples = 64
    /// Of the time of a calibration, what the samples take, about; the rest is for the windows.
    private static let samplesShare = 0.6
    /// Of the random observations, normalised: most of them lie in -1 ... 1.
    private static let observationDeviation: Float = 0.5
}
