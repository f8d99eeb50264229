import Compute
import Networks
import Policy
import Sampling
import Stalls

/// Policies that are calibrated for the machine they run on.
extension DiffusionPolicy {
    /// Reads the weights and builds the network and the sampler.
    ///
    /// Where chunks are sampled by quasi-Newton, or are to keep a deadline, the network is calibrated as well, which takes
    /// the time of a few hundred chunks unless `calibrations` has it.
    ///
    /// - Parameters:
    ///   - bundle: the policy as it was read.
    ///   - settings: `bundle.configuration.defaultSettings` is what the policy itself names.
    ///   - threads: threads for the network's arithmetic, 1 to 1024.
    ///   - kernel: what computes the network; by default single precision.
    ///   - locksWeights: keeps the weights in memory if the system allows it.
    ///   - keepsDeadlines: measures what chunks with a deadline need to know.
    ///   - maximumGroup: the most chunks that are sampled together, at least 1; see `sample(together:)`.
    ///   - histories: whose frames' features are kept, at least 1: as many as there are robots.
    ///   - stallWatch: watches for a core that stops while a chunk with a deadline is sampled. What there is of the chunk
    ///     is `interim`.
    ///   - calibrations: where calibrations are looked up and kept; nil: they are measured each time.
    /// - Throws: `PolicyError` for weights that cannot be read or are not finite, or settings out of range.
    public convenience init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        threads: Int,
        kernel: Kernel = .exact,
        locksWeights: Bool = false,
        keepsDeadlines: Bool = false,
        maximumGroup: Int = 1,
        histories: Int = 1,
        stallWatch: StallWatch? = nil,
        calibrations: CalibrationCache? = nil
    ) throws(PolicyError) {
        let network = try bundle.network(
            for: settings,
            threads: threads,
            kernel: kernel,
            locksWeights: locksWeights,
            maximumGroup: maximumGroup,
            stallWatch: stallWatch
        )
        try self.init(
            bundle: bundle,
            settings: settings,
            network: network,
            keepsDeadlines: keepsDeadlines,
            histories: histories,
            calibrations: calibrations
        )
    }

    /// Builds the sampler around a network that others may use as well, one at a time.
    ///
    /// - Parameters:
    ///   - bundle: the policy as it was read.
    ///   - settings: how chunks are sampled.
    ///   - network: one that `bundle.network` made, for all timesteps that the settings visit and batches of at least the
    ///     window; with as many as there is a choice of windows for `quasiNewton`.
    ///   - keepsDeadlines: measures what chunks with a deadline need to know.
    ///   - histories: whose frames' features are kept, at least 1.
    ///   - calibrations: where calibrations are looked up and kept; nil: they are measured each time.
    /// - Throws: `PolicyError` for settings out of range.
    public convenience init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        network: UNet1D,
        keepsDeadlines: Bool = false,
        histories: Int = 1,
        calibrations: CalibrationCache? = nil
    ) throws(PolicyError) {
        let calibrator = try Calibrator(
            bundle: bundle,
            settings: settings,
            predictor: DenoiserPredictor(network: network)
        )
        // Of wrong settings the error is the sampler's, before anything is measured.
        let uncalibrated = try bundle.configuration.sampler(settings, network: network)
        let calibration = try calibrator.calibration(cache: calibrations)
        var forwardTimes: ForwardTimes?
        if keepsDeadlines {
            forwardTimes = calibration?.forwardTimes ?? calibrator.forwardTimes(for: uncalibrated)
        }
        try self.init(
            bundle: bundle,
            settings: settings,
            network: network,
            calibration: calibration,
            forwardTimes: forwardTimes,
            histories: histories
        )
    }
}
