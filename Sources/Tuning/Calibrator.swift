import Networks
import Policy
import Sampling

/// Measures what a sampler has to know of a policy and of the machine that runs it.
///
/// All passes of the network are its meter's, so that others may use the network between them.
final class Calibrator {
    let bundle: PolicyBundle
    /// How chunks are to be sampled.
    let settings: SamplerSettings
    private let predictor: DenoiserPredictor<UNet1D>
    /// The condition of an observation, of its normalised numbers; see `PolicyBundle.restingConditions`.
    private let restingCondition: (_ numbers: [Float]) -> [Float]
    /// What the calibration's passes are conditioned on.
    private var condition: [Float] = []
    private var turns: (any NetworkTurns)?
    private var isEnded = false

    /// - Throws: `PolicyError` for weights that cannot be read or are not finite.
    init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        network: UNet1D
    ) throws(PolicyError) {
        self.bundle = bundle
        self.settings = settings
        predictor = DenoiserPredictor(network: network)
        restingCondition = try bundle.restingConditions()
        setMiddleObservation()
    }

    private var configuration: PolicyConfiguration { bundle.configuration }
    private var network: UNet1D { predictor.network }

    /// What passes take, up to a batch size: about half a second of measurement, or a pass of 1 and one of the largest batch.
    func forwardTimes(for sampler: Sampler, maximumBatch: Int) -> ForwardTimes {
        .measure(
            of: predictor,
            timestep: sampler.timesteps[0],
            sampleSize: sampler.sampleSize,
            maximumBatch: maximumBatch,
            limit: Self.forwardTimesLimit
        )
    }

    /// Measures forward times first, then gains under the middle observation, and the rest under observations at random: the
    /// middle one is one that no robot may ever see, and neither are the directions in which x_0 follows x there those at work, nor
    /// the passes that a chunk takes. Leaves the network with the middle observation.
    ///
    /// - Parameter turns: others who use the network meanwhile.
    /// - Returns: nil if `turns` ended it.
    /// - Throws: `PolicyError` for settings out of range.
    func measure(turns: some NetworkTurns) throws(PolicyError) -> Calibration? {
        self.turns = turns
        defer {
            self.turns = nil
            network.interruption = nil
            setMiddleObservation()
        }
        let maximumBatch = network.maximumBatch
        let widest = try sampler(window: maximumBatch)
        let meter = PassMeter(predictor, maximumBatch: maximumBatch, turns: self)
        meter.measure(
            timestep: widest.timesteps[0],
            sampleSize: widest.sampleSize,
            rounds: Self.rounds,
            limit: { Self.forwardPasses * $0 },
            progress: { tell(Self.forwardTimesShare * $0) }
        )
        if isEnded { return nil }
        let times = ForwardTimes(of: meter.timings)
        let limit = max(
            Self.mostChunks * Double(widest.timesteps.count) * times.typical(batch: 1),
            Self.limit
        )
        turns.calibrated(hundredths: Int(Self.forwardTimesShare * 100))
        let (linearization, firstGuess) = measureSamples(with: widest, meter: meter, limit: limit)
        if isEnded { return nil }
        let windows = try measureWindows(
            linearization: linearization,
            firstGuess: firstGuess,
            meter: meter,
            limit: limit
        )
        if isEnded { return nil }
        turns.calibrated(hundredths: 100)
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

    /// What chunks take by window, of the windows that may be the fastest.
    private func measureWindows(
        linearization: OutputLinearization,
        firstGuess: FirstGuess?,
        meter: PassMeter<DenoiserPredictor<UNet1D>>,
        limit: Double
    ) throws(PolicyError) -> [Calibration.Window] {
        var samplers: [Int: Sampler] = [:]
        let windows = WindowSearchRule.windows.filter { $0 <= network.maximumBatch }
        for window in windows { samplers[window] = try sampler(window: window, linearization) }
        var search = WindowSearch(
            samplers: samplers,
            steps: settings.numInferenceSteps,
            meter: meter,
            isOver: { [self] in isEnded || meter.totalNanoseconds > limit }
        )
        return search.fastest { chunk in
            let share = Double(chunk - 1) / Double(WindowSearchRule.mostChunks)
            tell(Self.samplesEnd + (1 - Self.samplesEnd) * share)
            setCondition(randomCondition(seed: Self.fewStepSamples + chunk))
            return firstGuess?.prediction(for: condition)
        }
    }

    /// Gains; for solvers of few steps matrices and a first guess.
    private func measureSamples(
        with sampler: Sampler,
        meter: PassMeter<DenoiserPredictor<UNet1D>>,
        limit: Double
    ) -> (OutputLinearization, FirstGuess?) {
        let hasMatrices = sampler.hasFewSteps && configuration.horizon <= Self.longestHorizon
        let most = hasMatrices ? Self.fewStepSamples : Self.manyStepSamples
        var drawn: [(condition: [Float], x0: [Float])] = []
        let linearization = sampler.calibrate(
            with: meter,
            samples: most,
            horizon: hasMatrices ? configuration.horizon : nil,
            beforeSample: { sample in
                let share = Double(sample) / Double(most)
                tell(Self.forwardTimesShare + (Self.samplesEnd - Self.forwardTimesShare) * share)
                if hasMatrices { setCondition(randomCondition(seed: sample)) }
            },
            afterSample: { [self] _, x0 in if hasMatrices { drawn.append((condition, x0)) } },
            suffices: { [self] count in
                isEnded
                    || count >= most / 2 && meter.totalNanoseconds > Self.samplesEnd * limit
            }
        )
        setMiddleObservation()
        return (linearization, hasMatrices && !isEnded ? FirstGuess(drawn) : nil)
    }

    private func tell(_ share: Double) {
        if !isEnded { turns?.calibrated(hundredths: Int(share * 100)) }
    }

    private func setCondition(_ condition: [Float]) {
        self.condition = condition
        network.setCondition(condition.span)
    }

    /// The condition of an observation at random, the same nObsSteps times: the robot rests.
    private func randomCondition(seed: Int) -> [Float] {
        var numbers = [Float](repeating: 0, count: numbersOfStep)
        var generator = GaussianNoise(seed: UInt64(seed))
        var span = numbers.mutableSpan
        generator.fill(&span)
        return restingCondition(numbers.map { $0 * Self.observationDeviation })
    }

    private var numbersOfStep: Int { configuration.architecture.conditionDim / configuration.nObsSteps }

    /// The middle of what the policy was trained on; keypoints lie in the frames' middle.
    private func setMiddleObservation() {
        setCondition(restingCondition([Float](repeating: 0, count: numbersOfStep)))
    }

    /// What a calibration takes at most: so many sequential chunks, or so many nanoseconds if that is more. It ends soon after.
    private static let mostChunks = 20.0
    private static let limit = 60e9
    /// What forward times take at most: so many passes over one sample; before the first chunk so many nanoseconds.
    private static let forwardPasses = 200.0
    private static let forwardTimesLimit = 0.5e9
    private static let rounds = 20
    /// Of the time of a calibration, what is over when the forward times are known, and when the samples are drawn, about.
    private static let forwardTimesShare = 0.1
    private static let samplesEnd = 0.6
    /// A matrix of a longer horizon has more numbers than the samples tell.
    private static let longestHorizon = 64
    /// Samples for the gains of a solver of many steps; half of them if they take long.
    private static let manyStepSamples = 8
    /// Samples for the matrices of a solver of few steps; likewise.
    private static let fewStepSamples = 64
    /// Of the random observations, normalised: most of them lie in -1 ... 1.
    private static let observationDeviation: Float = 0.5
}

extension Calibrator: PassTurns {
    func passBegins(batch: Int) -> Bool {
        guard !isEnded, let turns else { return !isEnded }
        switch turns.passBegins(batch: batch) {
        case .end:
            isEnded = true
            return false
        case .run(let wasUsed, let interruption):
            if wasUsed { network.setCondition(condition.span) }
            network.interruption = interruption
            return true
        }
    }

    func passEnds(batch: Int, nanoseconds: Double, isDone: Bool) {
        // Whoever has the network next is not to be interrupted.
        network.interruption = nil
        turns?.passEnds(batch: batch, nanoseconds: nanoseconds, isDone: isDone)
    }
}
