import Denoiser
import Foundation
import Sampling

/// What the quasi-Newton sampler has to know of a policy and of the machine it runs on, measured once.
public struct Calibration: Codable, Hashable, Sendable {
    /// What a chunk costs with a window.
    public struct Window: Codable, Hashable, Sendable {
        /// Steps evaluated in one batch.
        public let window: Int
        /// The mean number of passes for a chunk.
        public let iterations: Double
        /// The mean number of (sample, timestep) pairs evaluated for a chunk.
        public let evaluations: Double
        /// The time of those passes when nothing disturbs them.
        public let milliseconds: Double
    }

    /// How the network's output follows its sample.
    public let linearization: OutputLinearization
    /// What a chunk is likely to be; nil where every chunk is guessed alike.
    let firstGuess: FirstGuess?
    /// What passes take, up to the widest window.
    public let forwardTimes: ForwardTimes
    /// What chunks take, by window; those that are far from the fastest are left out.
    public let windows: [Window]

    /// The window with which a chunk takes the least time.
    public var fastestWindow: Int {
        windows.min { $0.milliseconds < $1.milliseconds }?.window ?? 1
    }

    /// Wider windows evaluate more than they save, on any machine whose passes cost more for larger batches.
    static let widestWindow = 32

    /// Measures gains under the middle observation, which the predictor has at present and is left with, and the rest
    /// under observations at random: the middle one is one that no robot may ever see, and neither are the directions in
    /// which x_0 follows x there those at work, nor the passes that a chunk takes.
    ///
    /// - Parameters:
    ///   - configuration: the policy's.
    ///   - makeSampler: makes the policy's sampler with a window.
    /// - Throws: what `makeSampler` throws.
    static func measure<Failure: Error>(
        with predictor: DenoiserPredictor<some Denoiser>,
        configuration: PolicyConfiguration,
        makeSampler: (_ window: Int, OutputLinearization?) throws(Failure) -> Sampler
    ) throws(Failure) -> Calibration {
        let maximumBatch = predictor.network.maximumBatch
        let widest = try makeSampler(maximumBatch, nil)
        let (linearization, firstGuess) = measureSamples(
            of: predictor,
            with: widest,
            configuration: configuration
        )
        var trials: [WindowTrial] = []
        for window in WindowTrial.windows where window <= maximumBatch {
            let sampler = try makeSampler(window, linearization)
            trials.append(WindowTrial(window: window, sampler: sampler, maximumBatch: maximumBatch))
        }
        let meter = PassMeter(predictor, maximumBatch: maximumBatch)
        meter.measure(timestep: widest.timesteps[0], sampleCount: widest.sampleCount, rounds: 20)
        defer { setMiddleObservation(of: predictor, configuration) }
        let windows = WindowTrial.compare(trials, meter: meter) { chunk in
            let condition = randomCondition(seed: fewStepSamples + chunk, configuration)
            predictor.network.setCondition(condition.span)
            return firstGuess?.prediction(for: condition)
        }
        return Calibration(
            linearization: linearization,
            firstGuess: firstGuess,
            forwardTimes: ForwardTimes(of: meter.timings),
            windows: windows
        )
    }

    /// Gains; for solvers of few steps matrices and a first guess.
    private static func measureSamples(
        of predictor: DenoiserPredictor<some Denoiser>,
        with sampler: Sampler,
        configuration: PolicyConfiguration
    ) -> (OutputLinearization, FirstGuess?) {
        guard sampler.hasFewSteps, configuration.horizon <= longestHorizon else {
            return (sampler.calibrate(with: predictor), nil)
        }
        defer { setMiddleObservation(of: predictor, configuration) }
        var condition: [Float] = []
        var drawn: [(condition: [Float], x0: [Float])] = []
        let linearization = sampler.calibrate(
            with: predictor,
            samples: fewStepSamples,
            horizon: configuration.horizon,
            beforeSample: { sample in
                condition = randomCondition(seed: sample, configuration)
                predictor.network.setCondition(condition.span)
            },
            afterSample: { _, x0 in drawn.append((condition, x0)) }
        )
        return (linearization, FirstGuess(drawn))
    }

    /// The condition of an observation at random, the same nObsSteps times: the robot rests.
    private static func randomCondition(seed: Int, _ configuration: PolicyConfiguration) -> [Float] {
        let count = configuration.architecture.conditionDim
        var features = [Float](repeating: 0, count: count / configuration.nObsSteps)
        var generator = GaussianNoise(seed: UInt64(seed))
        var span = features.mutableSpan
        generator.fill(&span)
        return (0..<count).map { features[$0 % features.count] * observationDeviation }
    }

    private static func setMiddleObservation(
        of predictor: DenoiserPredictor<some Denoiser>,
        _ configuration: PolicyConfiguration
    ) {
        let middle = [Float](repeating: 0, count: configuration.architecture.conditionDim)
        predictor.network.setCondition(middle.span)
    }

    /// A matrix of a longer horizon has more numbers than the samples tell.
    private static let longestHorizon = 64
    /// Samples for the matrices of a solver of few steps.
    private static let fewStepSamples = 64
    /// Of the random observations, normalised: most of them lie in -1 ... 1.
    private static let observationDeviation: Float = 0.5
}
