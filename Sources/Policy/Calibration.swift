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

    /// Measures under the condition that the predictor has at present.
    ///
    /// - Parameter makeSampler: makes the policy's sampler with a window.
    /// - Throws: what `makeSampler` throws.
    static func measure<Failure: Error>(
        with predictor: UNetPredictor,
        makeSampler: (_ window: Int, OutputLinearization?) throws(Failure) -> Sampler
    ) throws(Failure) -> Calibration {
        let maximumBatch = predictor.network.maximumBatch
        let widest = try makeSampler(maximumBatch, nil)
        let linearization = widest.calibrate(with: predictor)
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
}
