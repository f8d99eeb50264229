import Compute
import Networks
import Sampling
import Stalls

/// The parts of a policy that runs, made from a bundle and settings.
struct PolicyAssembly {
    /// What the policy's `config.json` says.
    let configuration: PolicyConfiguration
    /// What the policy observes, in condition order.
    let observationFeatures: [ObservationFeature]
    /// What the policy sees through, in condition order.
    let cameras: [CameraFeature]
    /// Its observations and actions on the network's scale.
    let normalizer: Normalizer
    /// Encodes what cameras see; nil: the policy has none.
    let vision: FrameEncoder?
    /// The network.
    let predictor: DenoiserPredictor<UNet1D>
    /// Samples chunks, several together if the network keeps several conditions; its settings have the window in use.
    let sampler: Sampler
    /// Samples chunks that start from a re-noised guess, likewise; nil: none does.
    let warmSampler: Sampler?
    /// Says what a chunk starts from that no other guess is given for; nil: 0.
    private(set) var firstGuess: FirstGuess?

    /// Makes what is around a network; the parameters are those of `DiffusionPolicy`.
    init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        network: UNet1D,
        calibration: Calibration?,
        forwardTimes: ForwardTimes?,
        histories: Int
    ) throws(PolicyError) {
        configuration = bundle.configuration
        observationFeatures = bundle.observationFeatures
        cameras = bundle.cameras
        normalizer = bundle.normalizer
        vision = try bundle.frameEncoder(
            kernel: network.kernel,
            threads: network.threads,
            histories: max(histories, network.maximumConditions)
        )
        predictor = DenoiserPredictor(network: network)
        let settings = calibration.map(settings.with) ?? settings
        sampler = try configuration.sampler(
            settings,
            network: network,
            linearization: calibration?.linearization
        )
        sampler.forwardTimes = forwardTimes
        if settings.warmSteps != nil {
            let warm = try configuration.sampler(
                settings,
                network: network,
                linearization: calibration?.linearization,
                warmAlternativeTo: sampler
            )
            warm.forwardTimes = forwardTimes
            warmSampler = warm
        } else {
            warmSampler = nil
        }
        firstGuess = calibration?.firstGuess
    }

    /// Samples by quasi-Newton from now on, as a calibration says.
    ///
    /// - Throws: `PolicyError` for a method out of range.
    mutating func adopt(
        _ calibration: Calibration,
        method: SamplerSettings.Method
    ) throws(PolicyError) {
        do throws(SamplerError) {
            try sampler.use(method, linearization: calibration.linearization)
            try warmSampler?.use(method, linearization: calibration.linearization)
        } catch {
            throw PolicyError("sampler settings", found: error.description, expected: "")
        }
        if sampler.forwardTimes != nil { sampler.forwardTimes = calibration.forwardTimes }
        warmSampler?.forwardTimes = sampler.forwardTimes
        firstGuess = calibration.firstGuess
    }
}

extension PolicyBundle {
    /// The network for chunks that are sampled as `settings` say, with room for whichever window a calibration may choose.
    ///
    /// - Parameters: as of `DiffusionPolicy`, which the module `Tuning` makes of it.
    /// - Throws: `PolicyError` for weights that cannot be read or are not finite, or settings out of range.
    package func network(
        for settings: SamplerSettings,
        threads: Int,
        kernel: Kernel,
        locksWeights: Bool,
        maximumGroup: Int,
        stallWatch: StallWatch? = nil
    ) throws(PolicyError) -> UNet1D {
        guard (1...1024).contains(threads) else {
            throw PolicyError("sampler settings", "threads", found: "\(threads)", expected: "1 to 1024")
        }
        let sampler = try configuration.sampler(settings)
        var maximumBatch = max(sampler.window, maximumGroup)
        if case .quasiNewton = settings.method {
            maximumBatch = max(maximumBatch, min(Calibration.widestWindow, sampler.timesteps.count))
        }
        // A solver may visit a timestep twice.
        return try network(
            timesteps: Set(sampler.timesteps).sorted(),
            maximumBatch: maximumBatch,
            maximumConditions: maximumGroup,
            threads: threads,
            kernel: kernel,
            locksWeights: locksWeights,
            stallWatch: stallWatch
        )
    }
}

extension PolicyConfiguration {
    /// A sampler of this policy's chunks: of one at a time, or of as many together as a network keeps conditions.
    ///
    /// - Parameter other: samples the chunks that start from noise alone, if this one samples those that start from a re-noised
    ///   guess.
    package func sampler(
        _ settings: SamplerSettings,
        network: UNet1D? = nil,
        linearization: OutputLinearization? = nil,
        warmAlternativeTo other: Sampler? = nil
    ) throws(PolicyError) -> Sampler {
        do throws(SamplerError) {
            return try Sampler(
                schedule: noiseSchedule,
                predictionType: predictionType,
                clipSampleRange: clipSampleRange,
                settings: settings,
                sampleSize: architecture.sampleSize,
                maximumSamples: network?.maximumConditions ?? 1,
                largestBatch: network?.maximumBatch,
                linearization: linearization,
                isWarm: other != nil,
                interim: other?.interim
            )
        } catch {
            throw PolicyError("sampler settings", found: error.description, expected: "")
        }
    }
}

extension SamplerSettings {
    /// The same with a window, for the quasi-Newton sampler.
    package func with(window: Int) -> SamplerSettings {
        var settings = self
        if case .quasiNewton(_, let tolerance) = method {
            settings.method = .quasiNewton(window: window, tolerance: tolerance)
        }
        return settings
    }

    /// The same with the window that was found to be fastest, if none was asked for.
    package func with(_ calibration: Calibration) -> SamplerSettings {
        with(window: method.window ?? calibration.fastestWindow)
    }
}
