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
        // Of wrong settings the error is the sampler's, before anything is measured.
        let uncalibrated = try bundle.configuration.sampler(settings, network: network)
        let tuning = try PolicyTuning(
            bundle: bundle,
            settings: settings,
            network: network,
            cache: calibrations
        )
        var calibration = tuning.known
        if tuning.needsCalibration, calibration == nil { calibration = try tuning.measure() }
        var forwardTimes: ForwardTimes?
        if keepsDeadlines {
            forwardTimes =
                calibration?.forwardTimes
                ?? tuning.forwardTimes(for: uncalibrated, maximumBatch: uncalibrated.maximumBatch)
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

    /// Reads the weights and builds a policy that samples within a second, and tells what is still to be measured: until
    /// ``adopt(_:of:)`` it then samples one step after the other.
    ///
    /// The parameters are those of ``init(bundle:settings:threads:kernel:locksWeights:keepsDeadlines:maximumGroup:histories:stallWatch:calibrations:)``.
    ///
    /// - Parameter calibrations: where calibrations are looked up, and where the one that is still to be measured is to be kept.
    /// - Returns: the policy; what is known and what is to be measured of it; and what passes take, up to the largest batch in
    ///   use, if it keeps deadlines or samples chunks together.
    /// - Throws: `PolicyError` for weights that cannot be read or are not finite, or settings out of range.
    public static func readyAtOnce(
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
    ) throws(PolicyError) -> (policy: DiffusionPolicy, tuning: PolicyTuning, times: ForwardTimes?) {
        let network = try bundle.network(
            for: settings,
            threads: threads,
            kernel: kernel,
            locksWeights: locksWeights,
            maximumGroup: maximumGroup,
            stallWatch: stallWatch
        )
        let tuning = try PolicyTuning(
            bundle: bundle,
            settings: settings,
            network: network,
            cache: calibrations
        )
        var first = settings
        if tuning.needsCalibration, tuning.known == nil { first.method = .sequential }
        let sampler = try bundle.configuration.sampler(first, network: network)
        var times = tuning.known?.forwardTimes
        if times == nil, keepsDeadlines || maximumGroup > 1 {
            times = tuning.forwardTimes(for: sampler, maximumBatch: sampler.maximumBatch)
        }
        let policy = try DiffusionPolicy(
            bundle: bundle,
            settings: first,
            network: network,
            calibration: tuning.known,
            forwardTimes: keepsDeadlines ? times : nil,
            histories: histories
        )
        return (policy, tuning, times)
    }

    /// Samples as a calibration says from the next chunk on. Allocates.
    ///
    /// - Parameter tuning: whose ``PolicyTuning/measure(turns:)`` gave it.
    /// - Throws: `PolicyError` for settings out of range; the policy samples as before then.
    public func adopt(_ calibration: Calibration, of tuning: PolicyTuning) throws(PolicyError) {
        try adopt(calibration, settings: tuning.settings)
    }
}
