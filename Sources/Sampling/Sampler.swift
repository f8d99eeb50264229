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

    /// The settings it was made from.
    public let settings: SamplerSettings
    /// The number of elements of a sample.
    public let sampleCount: Int
    /// The training timesteps in the order they are visited; shape [numInferenceSteps].
    public let timesteps: [Int]
    /// The most (sample, timestep) pairs it asks the predictor for at once: 1 if sequential, else the window.
    public var maximumBatch: Int { algorithm.maximumBatch }
    /// The number of elements of the noise that one sample takes: (numInferenceSteps + 1) * sampleCount.
    public var noiseCount: Int { (timesteps.count + 1) * sampleCount }

    private var algorithm: any SamplingAlgorithm

    /// Computes the solver's coefficients and makes the buffers.
    ///
    /// - Parameters:
    ///   - schedule: The noise schedule that the policy was trained with.
    ///   - predictionType: What the network predicts.
    ///   - clipSampleRange: The predicted clean sample is clipped to this distance from 0, positive; nil: not clipped.
    ///   - settings: The solver, the number of steps and the method.
    ///   - sampleCount: The number of elements of a sample, at least 1.
    /// - Throws: `SamplerError` if a value is outside its range.
    public init(
        schedule: NoiseSchedule,
        predictionType: PredictionType,
        clipSampleRange: Float?,
        settings: SamplerSettings,
        sampleCount: Int
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
            algorithm = SequentialSampler(steps: steps, sampleCount: sampleCount)
        case .paradigms(let window, let tolerance):
            guard window >= 1 else { throw .window(found: window) }
            guard tolerance >= 0, tolerance.isFinite else { throw .tolerance(found: tolerance) }
            algorithm = ParaDiGMSSampler(
                steps: steps,
                sampleCount: sampleCount,
                window: window,
                tolerance: tolerance
            )
        }
        self.settings = settings
        self.sampleCount = sampleCount
        self.timesteps = steps.map(\.timestep)
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
    /// - Returns: How it was computed.
    public func sample(
        with predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        into sample: inout MutableSpan<Float>
    ) -> SamplingReport {
        precondition(noise.count == noiseCount, "noise has \(noise.count) elements; expected \(noiseCount)")
        precondition(
            sample.count == sampleCount,
            "the sample has \(sample.count) elements; expected \(sampleCount)"
        )
        return algorithm.sample(with: predictor, noise: noise, into: &sample)
    }
}

/// A way to carry out a solver's steps. Called dynamically once per sample; its loop is not.
protocol SamplingAlgorithm {
    /// The most (sample, timestep) pairs it asks the predictor for at once.
    var maximumBatch: Int { get }

    /// Draws one sample; shapes as in `Sampler.sample`.
    mutating func sample(
        with predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        into sample: inout MutableSpan<Float>
    ) -> SamplingReport
}
