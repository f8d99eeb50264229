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
        /// The time of those passes, each at the median of its batch size.
        public let milliseconds: Double
    }

    /// How the network's output follows its sample.
    public let linearization: OutputLinearization
    /// What passes take, up to the widest window.
    public let forwardTimes: ForwardTimes
    /// What chunks take, by window.
    public let windows: [Window]

    /// The window with which a chunk takes the least time.
    public var fastestWindow: Int {
        windows.min { $0.milliseconds < $1.milliseconds }?.window ?? 1
    }

    /// Wider windows evaluate more than they save, on any machine whose passes cost more for larger batches.
    static let widestWindow = 32
    private static let windows = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32]
    private static let chunks = 4

    /// Measures under the condition that the predictor has at present.
    ///
    /// - Parameter makeSampler: makes the policy's sampler with a window.
    /// - Throws: what `makeSampler` throws.
    static func measure<Failure: Error>(
        with predictor: UNetPredictor,
        makeSampler: (_ window: Int, OutputLinearization?) throws(Failure) -> Sampler
    ) throws(Failure) -> Calibration {
        let widest = try makeSampler(predictor.network.maximumBatch, nil)
        let linearization = widest.calibrate(with: predictor)
        let times = ForwardTimes.measure(
            of: predictor,
            timestep: widest.timesteps[0],
            sampleCount: widest.sampleCount,
            maximumBatch: predictor.network.maximumBatch
        )
        var windows: [Window] = []
        for window in Self.windows where window <= predictor.network.maximumBatch {
            let sampler = try makeSampler(window, linearization)
            let meter = CostMeter(predictor: predictor, times: times)
            var noise = [Float](repeating: 0, count: sampler.noiseCount)
            var sample = [Float](repeating: 0, count: sampler.sampleCount)
            var iterations = 0
            var evaluations = 0
            for chunk in 0..<chunks {
                // Not the noise that the linearisation was measured with.
                var generator = GaussianNoise(seed: UInt64(1_000 + chunk))
                var noiseSpan = noise.mutableSpan
                generator.fill(&noiseSpan)
                var span = sample.mutableSpan
                let report = sampler.sample(with: meter, noise: noise.span, into: &span)
                iterations += report.parallelIterations
                evaluations += report.modelEvaluations
            }
            windows.append(
                Window(
                    window: window,
                    iterations: Double(iterations) / Double(chunks),
                    evaluations: Double(evaluations) / Double(chunks),
                    milliseconds: meter.nanoseconds / 1e6 / Double(chunks)
                )
            )
        }
        return Calibration(linearization: linearization, forwardTimes: times, windows: windows)
    }
}

/// Adds up what passes would take on the machine undisturbed.
private final class CostMeter: NoisePredictor {
    private let predictor: UNetPredictor
    private let times: ForwardTimes
    private(set) var nanoseconds = 0.0

    init(predictor: UNetPredictor, times: ForwardTimes) {
        self.predictor = predictor
        self.times = times
    }

    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        nanoseconds += times.typical(batch: timesteps.count)
        predictor.predict(samples: samples, timesteps: timesteps, into: &outputs)
    }
}
