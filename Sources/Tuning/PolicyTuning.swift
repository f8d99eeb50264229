import Networks
import Policy
import Sampling

/// What is measured of a policy on the machine that runs it: looked up in a cache, or measured and kept there. It uses the network
/// that the policy uses, so one thread at a time may use either.
public final class PolicyTuning {
    /// How chunks are to be sampled.
    public let settings: SamplerSettings
    /// The calibration, if it was kept or has been measured; nil also for methods that need none.
    public private(set) var known: Calibration?

    private let calibrator: Calibrator
    private let cache: CalibrationCache?
    private let key: CalibrationCache.Key?

    /// - Parameters:
    ///   - bundle: the policy as it was read.
    ///   - settings: how chunks are to be sampled.
    ///   - network: one that `bundle.network` made for those settings.
    ///   - cache: where the calibration is looked up and kept; nil: nowhere.
    /// - Throws: `PolicyError` for weights that cannot be read or are not finite.
    init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        network: UNet1D,
        cache: CalibrationCache?
    ) throws(PolicyError) {
        self.settings = settings
        self.cache = cache
        calibrator = try Calibrator(bundle: bundle, settings: settings, network: network)
        key = CalibrationCache.Key(bundle: bundle, settings: settings, network: network)
        known = key.flatMap { cache?.calibration(for: $0) }
    }

    /// Whether the method is one that is calibrated.
    public var needsCalibration: Bool { key != nil }

    /// Measures the calibration and keeps it, while nobody else uses the network.
    ///
    /// - Throws: `PolicyError` for settings out of range.
    public func measure() throws(PolicyError) -> Calibration? {
        try measure(turns: Undisturbed(progress: cache?.progress ?? { _ in }))
    }

    /// Measures the calibration and keeps it.
    ///
    /// - Parameter turns: others who use the network meanwhile.
    /// - Returns: nil if `turns` ended it; then nothing is kept.
    /// - Throws: `PolicyError` for settings out of range.
    public func measure(turns: some NetworkTurns) throws(PolicyError) -> Calibration? {
        guard let measured = try calibrator.measure(turns: turns) else { return nil }
        if let key { cache?.keep(measured, for: key) }
        known = measured
        return measured
    }

    /// What passes take up to a batch size, measured within about half a second.
    func forwardTimes(for sampler: Sampler, maximumBatch: Int) -> ForwardTimes {
        calibrator.forwardTimes(for: sampler, maximumBatch: maximumBatch)
    }
}

/// Nobody else uses the network.
private struct Undisturbed: NetworkTurns {
    let progress: (Int) -> Void

    func passBegins(batch: Int) -> NetworkTurn { .run(wasUsed: false, interruption: nil) }
    func passEnds(batch: Int, nanoseconds: Double, isDone: Bool) {}
    func calibrated(hundredths: Int) { progress(hundredths) }
}
