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

    /// Measures under the condition that the predictor has at present, and leaves it with the middle one.
    ///
    /// - Parameters:
    ///   - configuration: the policy's.
    ///   - makeSampler: makes the policy's sampler with a window.
    /// - Throws: what `makeSampler` throws.
    static func measure<Failure: Error>(
        with predictor: UNetPredictor,
        configuration: PolicyConfiguration,
        makeSampler: (_ window: Int, OutputLinearization?) throws(Failure) -> Sampler
    ) throws(Failure) -> Calibration {
        let maximumBatch = predictor.network.maximumBatch
        let widest = try makeSampler(maximumBatch, nil)
        let linearization = measureLinearization(of: predictor, with: widest, configuration: configuration)
        var trials: [WindowTrial] = []
        for window in WindowTrial.windows where window <= maximumBatch {
            let sampler = try makeSampler(window, linearization)
            trials.append(WindowTrial(window: window, sampler: sampler, maximumBatch: maximumBatch))
        }
        let meter = PassMeter(predictor, maximumBatch: maximumBatch)
        meter.measure(timestep: widest.timesteps[0], sampleCount: widest.sampleCount, rounds: 20)
        let windows = WindowTrial.compare(trials, meter: meter)
        return Calibration(
            linearization: linearization,
            forwardTimes: ForwardTimes(of: meter.timings),
            windows: windows
        )
    }

    /// Under the middle observation, gains; for solvers of few steps matrices, under observations at random.
    ///
    /// The middle observation is one that no robot may ever see, and the directions in which x_0 follows x there are not
    /// those at work.
    private static func measureLinearization(
        of predictor: UNetPredictor,
        with sampler: Sampler,
        configuration: PolicyConfiguration
    ) -> OutputLinearization {
        guard sampler.hasFewSteps, configuration.horizon <= longestHorizon else {
            return sampler.calibrate(with: predictor)
        }
        let count = configuration.architecture.conditionDim
        defer { predictor.network.setCondition([Float](repeating: 0, count: count).span) }
        return sampler.calibrate(
            with: predictor,
            samples: fewStepSamples,
            horizon: configuration.horizon
        ) { sample in
            var features = [Float](repeating: 0, count: count / configuration.nObsSteps)
            var generator = GaussianNoise(seed: UInt64(sample))
            var span = features.mutableSpan
            generator.fill(&span)
            // The same observation nObsSteps times: the robot rests.
            let condition = (0..<count).map { features[$0 % features.count] * observationDeviation }
            predictor.network.setCondition(condition.span)
        }
    }

    /// A matrix of a longer horizon has more numbers than sixteen samples tell.
    private static let longestHorizon = 64
    /// Samples for the matrices of a solver of few steps.
    private static let fewStepSamples = 16
    /// Of the random observations, normalised: most of them lie in -1 ... 1.
    private static let observationDeviation: Float = 0.5
}
