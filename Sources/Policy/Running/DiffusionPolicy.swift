import Denoiser
import Sampling

/// A trained policy ready to run: observations in, action chunks out.
///
/// A chunk is a pure function of the bundle, the history, the seed or noise, and the settings. All memory for the
/// denoising loop is taken by the initialiser. One thread at a time may use a policy.
public final class DiffusionPolicy {
    /// What the policy's `config.json` says.
    public let configuration: PolicyConfiguration
    /// What the policy observes, in condition order.
    public let observationFeatures: [ObservationFeature]
    /// How chunks are sampled, with the window in use.
    public let settings: SamplerSettings
    /// What computes the network.
    public var kernel: Kernel { predictor.network.kernel }
    /// Threads that compute it.
    public var threads: Int { predictor.network.threads }
    /// Numbers of noise that one chunk takes: those of [numInferenceSteps + 1, horizon, actionDim].
    public var noiseCount: Int { sampler.noiseCount }
    /// Numbers of a prediction: those of [horizon, actionDim].
    public var predictionCount: Int { sampler.sampleCount }

    /// The chunk that is being sampled, for another thread to take where it has a deadline.
    public var interim: InterimPrediction {
        InterimPrediction(
            sample: sampler.interim,
            actionUnnormalization: actionUnnormalization,
            form: form
        )
    }

    private let predictor: DenoiserPredictor<UNet1D>
    private let sampler: Sampler
    private let form: ChunkForm
    /// Says what a chunk starts from that no other guess is given for; nil: 0.
    private let firstGuess: FirstGuess?
    /// Samples several chunks together; nil where the network keeps one condition.
    public let group: GroupSampler?
    private let inputNormalization: [AffineMap]
    private let actionUnnormalization: AffineMap
    private var buffers: Buffers

    /// Reads the weights and builds the network and the sampler.
    ///
    /// Where chunks are sampled by quasi-Newton, or are to keep a deadline, the network is calibrated as well, which takes
    /// the time of a few hundred chunks unless `calibrations` has it.
    ///
    /// - Parameters:
    ///   - settings: `bundle.configuration.defaultSettings` is what the policy itself names.
    ///   - threads: threads for the network's arithmetic, 1 to 1024.
    ///   - kernel: what computes the network; by default single precision.
    ///   - locksWeights: keeps the weights in memory where the system allows it.
    ///   - keepsDeadlines: measures what chunks with a deadline need to know.
    ///   - maximumGroup: the most chunks that are sampled together; see `actionChunks(for:seeds:deadline:)`.
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
        calibrations: CalibrationCache? = nil
    ) throws(PolicyError) {
        guard (1...1024).contains(threads) else {
            throw PolicyError("sampler settings", "threads", found: "\(threads)", expected: "1 to 1024")
        }
        let sampler = try bundle.configuration.sampler(settings)
        var maximumBatch = max(sampler.maximumBatch, maximumGroup)
        if case .quasiNewton = settings.method {
            maximumBatch = max(maximumBatch, min(Calibration.widestWindow, sampler.timesteps.count))
        }
        // A solver may visit a timestep twice.
        let network = try bundle.network(
            timesteps: Set(sampler.timesteps).sorted(),
            maximumBatch: maximumBatch,
            maximumConditions: maximumGroup,
            threads: threads,
            kernel: kernel,
            locksWeights: locksWeights
        )
        try self.init(
            bundle: bundle,
            settings: settings,
            network: network,
            keepsDeadlines: keepsDeadlines,
            calibrations: calibrations
        )
    }

    /// Builds the sampler around a network that others may use as well, one at a time.
    ///
    /// - Parameters:
    ///   - network: one that `bundle.network` made, for all timesteps that the settings visit and batches of at least the
    ///     window; with as many as there is a choice of windows for `quasiNewton`.
    ///   - settings, keepsDeadlines, calibrations: as for the other initialiser.
    /// - Throws: `PolicyError` for settings out of range.
    public init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        network: UNet1D,
        keepsDeadlines: Bool = false,
        calibrations: CalibrationCache? = nil
    ) throws(PolicyError) {
        let configuration = bundle.configuration
        var sampler = try configuration.sampler(settings)
        let predictor = DenoiserPredictor(network: network)
        // The middle of what the policy was trained on.
        let middle = [Float](repeating: 0, count: configuration.architecture.conditionDim)
        network.setCondition(middle.span)

        var firstGuess: FirstGuess?
        if let key = CalibrationCache.Key(bundle: bundle, settings: settings, network: network) {
            let calibration: Calibration
            if let known = calibrations?.calibration(for: key) {
                calibration = known
            } else {
                calibration = try .measure(
                    with: predictor,
                    configuration: configuration
                ) { window, linearization throws(PolicyError) in
                    try configuration.sampler(settings.with(window: window), linearization: linearization)
                }
                calibrations?.keep(calibration, for: key)
            }
            sampler = try configuration.sampler(
                settings.with(window: settings.method.window ?? calibration.fastestWindow),
                linearization: calibration.linearization
            )
            if keepsDeadlines { sampler.forwardTimes = calibration.forwardTimes }
            firstGuess = calibration.firstGuess
        } else if keepsDeadlines {
            sampler.forwardTimes = .measure(
                of: predictor,
                timestep: sampler.timesteps[0],
                sampleCount: sampler.sampleCount,
                maximumBatch: sampler.maximumBatch
            )
        }

        self.configuration = configuration
        self.settings = sampler.settings
        self.firstGuess = firstGuess
        self.sampler = sampler
        form = ChunkForm(
            nObsSteps: configuration.nObsSteps,
            nActionSteps: configuration.nActionSteps,
            actionDim: configuration.actionDim,
            settings: sampler.settings
        )
        self.predictor = predictor
        group =
            network.maximumConditions > 1
            ? try GroupSampler(configuration: configuration, settings: settings, network: network) : nil
        observationFeatures = bundle.observationFeatures
        inputNormalization = bundle.inputNormalization
        actionUnnormalization = bundle.actionUnnormalization
        buffers = Buffers(
            conditionCount: configuration.architecture.conditionDim,
            noiseCount: sampler.noiseCount,
            predictionCount: sampler.sampleCount
        )
    }

    /// Says what is to happen where a chunk's time is over and the machine has stopped a thread that is at it; see
    /// `Denoiser.whenHeldUp`. What there is of the chunk is `interim`.
    public func whenHeldUp(_ action: @escaping @Sendable () -> Void) { predictor.network.whenHeldUp(action) }

    /// A history that is empty, for a robot that this policy is to drive.
    public func makeHistory() -> ObservationHistory {
        ObservationHistory(features: observationFeatures, nObsSteps: configuration.nObsSteps)
    }

    /// Checks that an observation is one the policy can use.
    ///
    /// - Throws: `ObservationError` with the feature, what was found and what was expected.
    public func check(_ observation: Observation) throws(ObservationError) {
        try observationFeatures.check(observation)
    }

    /// Starts the next chunk from the one before it, for quasi-Newton sampling: what was predicted is guessed to come true.
    /// The chunk then depends on that guess, within the tolerance.
    ///
    /// - Parameters:
    ///   - prediction: [horizon, actionDim] in the robot's units, as predicted for an observation of the same episode.
    ///   - elapsedSteps: control steps from that observation to the next one; nothing is guessed unless the prediction
    ///     reaches beyond them.
    public func guess(from prediction: [Float], elapsedSteps: Int) {
        precondition(prediction.count == predictionCount, "the prediction is of another policy")
        let actionDim = configuration.actionDim
        let rows = predictionCount / actionDim
        guard (0..<rows).contains(elapsedSteps) else { return }
        for row in 0..<rows {
            let source = min(row + elapsedSteps, rows - 1) * actionDim
            for dimension in 0..<actionDim {
                buffers.guess[row * actionDim + dimension] = actionUnnormalization.inverse(
                    prediction[source + dimension],
                    dimension: dimension
                )
            }
        }
        buffers.passGuess(to: sampler)
    }

    /// Predicts from the newest observation of a history, with noise drawn from a seed. Allocates nothing
    /// (but OpenBLAS may, on several threads).
    ///
    /// - Parameters:
    ///   - history: one that `makeHistory` made.
    ///   - prediction: receives every action predicted, [horizon, actionDim], in the robot's units; row
    ///     `nObsSteps - 1` is the action at the step of the newest observation. Not to be used where an error is thrown.
    ///   - deadline: when the chunk must be there, for a policy that `keepsDeadlines`.
    ///   - frozen: actions that the prediction is to contain; nil: all are sampled.
    /// - Throws: `ActionChunkError` for an empty history, frozen actions that do not fit, or where the result is not finite.
    public func sampleChunk(
        for history: ObservationHistory,
        seed: UInt64,
        deadline: ContinuousClock.Instant? = nil,
        frozen: FrozenActions? = nil,
        into prediction: inout MutableSpan<Float>
    ) throws(ActionChunkError) -> ChunkSampling {
        let start = ContinuousClock.now
        buffers.drawNoise(seed: seed)
        return try sampleChunk(
            for: history,
            start: start,
            deadline: deadline,
            frozen: frozen,
            into: &prediction
        )
    }

    /// Answers the newest observation of a history, with noise drawn from a seed. Allocates the chunk's arrays.
    ///
    /// - Parameters:
    ///   - history: one that `makeHistory` made.
    ///   - deadline: when the chunk must be there, for a policy that `keepsDeadlines`.
    ///   - frozen: actions that the prediction is to contain; nil: all are sampled.
    /// - Throws: `ActionChunkError` for an empty history, frozen actions that do not fit, or where the result is not finite.
    public func actionChunk(
        for history: ObservationHistory,
        seed: UInt64,
        deadline: ContinuousClock.Instant? = nil,
        frozen: FrozenActions? = nil
    ) throws(ActionChunkError) -> ActionChunk {
        let start = ContinuousClock.now
        buffers.drawNoise(seed: seed)
        return try actionChunk(for: history, start: start, deadline: deadline, frozen: frozen)
    }

    /// Answers the newest observations of several robots' histories together, as `GroupSampler` does. Allocates.
    ///
    /// - Parameters:
    ///   - histories: ones that `makeHistory` made; 2 up to the group's `maximumSize`.
    ///   - seeds: of the noise, one for each history.
    ///   - deadline: when the chunks must be there; nil: it takes the time it takes.
    /// - Returns: For each history its chunk, or why there is none.
    public func actionChunks(
        for histories: [ObservationHistory],
        seeds: [UInt64],
        deadline: ContinuousClock.Instant? = nil
    ) -> [Result<ActionChunk, ActionChunkError>] {
        guard let group else { preconditionFailure("the policy was not made for groups") }
        precondition(histories.count == seeds.count, "\(histories.count) histories, \(seeds.count) seeds")
        let start = ContinuousClock.now
        let conditions = histories.enumerated().map { index, history in
            Result { () throws(ActionChunkError) in try setCondition(history, at: index) }
        }
        let conditionEnd = ContinuousClock.now
        let (samples, report) = group.sample(seeds: seeds, deadline: deadline)
        predictor.network.rest()
        let samplingEnd = ContinuousClock.now
        return conditions.enumerated().map { index, condition in
            Result { () throws(ActionChunkError) in
                try condition.get()
                let sampling = ChunkSampling(
                    report: report,
                    conditionDuration: conditionEnd - start,
                    samplingDuration: samplingEnd - conditionEnd
                )
                let sample = samples[index * predictionCount..<(index + 1) * predictionCount]
                return form.chunk(of: try unnormalized(Array(sample)), sampling)
            }
        }
    }

    /// Answers the newest observation of a history with the noise given.
    ///
    /// - Parameters:
    ///   - history: one that `makeHistory` made.
    ///   - noise: [numInferenceSteps + 1, horizon, actionDim]. Row 0 is the initial sample; row k is the noise that
    ///     step k adds, before scaling.
    /// - Throws: `ActionChunkError` for an empty history, noise of another size or not finite, or where the result is
    ///   not finite.
    public func actionChunk(
        for history: ObservationHistory,
        noise: Span<Float>
    ) throws(ActionChunkError) -> ActionChunk {
        let start = ContinuousClock.now
        try setNoise(noise)
        return try actionChunk(for: history, start: start)
    }

    /// The largest difference of two predictions, or of parts of them, in normalised units.
    ///
    /// - Parameters:
    ///   - prediction: [k, actionDim], in the robot's units.
    ///   - reference: likewise, for the same steps.
    public func deviation(of prediction: [Float], from reference: [Float]) -> Float {
        precondition(prediction.count == reference.count, "the predictions are of different policies")
        return prediction.indices.reduce(0) { largest, index in
            let scale = Float(actionUnnormalization.scale[index % configuration.actionDim])
            return max(largest, scale > 0 ? abs(prediction[index] - reference[index]) / scale : 0)
        }
    }

    /// The network's raw output in the first denoising step, [horizon, actionDim], for comparing implementations.
    ///
    /// - Parameters: as for `actionChunk(for:noise:)`.
    /// - Throws: `ActionChunkError` as `actionChunk(for:noise:)` does for its arguments.
    public func firstModelOutput(
        for history: ObservationHistory,
        noise: Span<Float>
    ) throws(ActionChunkError) -> [Float] {
        try setNoise(noise)
        try setCondition(history)
        return buffers.firstModelOutput(
            of: predictor,
            timestep: sampler.timesteps[0],
            sampleCount: predictionCount
        )
    }

    /// What the network is conditioned on: [nObsSteps, features], normalised.
    func condition(for history: ObservationHistory) throws(ActionChunkError) -> [Float] {
        try setCondition(history)
        return buffers.condition
    }

    private func setNoise(_ noise: Span<Float>) throws(ActionChunkError) {
        guard noise.count == noiseCount else {
            throw .noiseCount(found: noise.count, expected: noiseCount)
        }
        for index in noise.indices where !noise[index].isFinite {
            throw .notFinite(what: "noise", index: index, value: noise[index])
        }
        buffers.setNoise(noise)
    }

    private func setCondition(_ history: ObservationHistory, at condition: Int = 0) throws(ActionChunkError) {
        guard !history.isEmpty else { throw .emptyHistory }
        precondition(history.features == observationFeatures, "the history is one of another policy")
        buffers.setCondition(history, normalization: inputNormalization)
        if let index = buffers.condition.firstIndex(where: { !$0.isFinite }) {
            throw .notFinite(what: "normalised observation", index: index, value: buffers.condition[index])
        }
        buffers.passCondition(to: predictor.network, at: condition)
    }

    private func check(_ frozen: FrozenActions) throws(ActionChunkError) {
        let actionDim = configuration.actionDim
        let rows = predictionCount / actionDim
        guard frozen.actions.count.isMultiple(of: actionDim), (0...rows).contains(frozen.firstRow),
            frozen.actions.count / actionDim <= rows - frozen.firstRow
        else {
            throw .frozenCount(
                found: frozen.actions.count,
                firstRow: frozen.firstRow,
                rows: rows,
                actionDim: actionDim
            )
        }
        for index in frozen.actions.indices where !frozen.actions[index].isFinite {
            throw .notFinite(what: "frozen action", index: index, value: frozen.actions[index])
        }
    }

    private func actionChunk(
        for history: ObservationHistory,
        start: ContinuousClock.Instant,
        deadline: ContinuousClock.Instant? = nil,
        frozen: FrozenActions? = nil
    ) throws(ActionChunkError) -> ActionChunk {
        var prediction = [Float](repeating: 0, count: predictionCount)
        var span = prediction.mutableSpan
        let sampling = try sampleChunk(
            for: history,
            start: start,
            deadline: deadline,
            frozen: frozen,
            into: &span
        )
        return form.chunk(of: prediction, sampling)
    }

    private func unnormalized(_ sample: [Float]) throws(ActionChunkError) -> [Float] {
        var prediction = sample
        var span = prediction.mutableSpan
        try unnormalize(&span)
        return prediction
    }

    private func unnormalize(_ prediction: inout MutableSpan<Float>) throws(ActionChunkError) {
        actionUnnormalization.apply(to: &prediction)
        for index in prediction.indices where !prediction[index].isFinite {
            throw .notFinite(what: "predicted action", index: index, value: prediction[index])
        }
    }

    private func sampleChunk(
        for history: ObservationHistory,
        start: ContinuousClock.Instant,
        deadline: ContinuousClock.Instant?,
        frozen: FrozenActions?,
        into prediction: inout MutableSpan<Float>
    ) throws(ActionChunkError) -> ChunkSampling {
        if let frozen { try check(frozen) }
        try setCondition(history)
        if let frozen {
            buffers.passFrozen(
                frozen,
                from: frozen.firstRow * configuration.actionDim,
                normalization: actionUnnormalization,
                to: sampler
            )
        }
        buffers.passFirstGuess(firstGuess, to: sampler)
        let conditionEnd = ContinuousClock.now
        let report = sampler.sample(
            with: predictor,
            noise: buffers.noise.span,
            deadline: deadline,
            into: &prediction
        )
        predictor.network.rest()
        let samplingEnd = ContinuousClock.now

        try unnormalize(&prediction)
        return ChunkSampling(
            report: report,
            conditionDuration: conditionEnd - start,
            samplingDuration: samplingEnd - conditionEnd
        )
    }
}

extension PolicyConfiguration {
    /// A sampler of this policy's chunks, or of up to `maximumSamples` of them together.
    func sampler(
        _ settings: SamplerSettings,
        maximumSamples: Int = 1,
        linearization: OutputLinearization? = nil
    ) throws(PolicyError) -> Sampler {
        do throws(SamplerError) {
            return try Sampler(
                schedule: noiseSchedule,
                predictionType: predictionType,
                clipSampleRange: clipSampleRange,
                settings: settings,
                sampleCount: architecture.sampleCount,
                maximumSamples: maximumSamples,
                linearization: linearization
            )
        } catch {
            throw PolicyError("sampler settings", found: error.description, expected: "")
        }
    }
}

extension SamplerSettings {
    /// The same with a window, for the quasi-Newton sampler.
    fileprivate func with(window: Int) -> SamplerSettings {
        var settings = self
        if case .quasiNewton(_, let tolerance) = method {
            settings.method = .quasiNewton(window: window, tolerance: tolerance)
        }
        return settings
    }
}

/// What one chunk is computed in.
private struct Buffers {
    /// [nObsSteps, features], normalised.
    private(set) var condition: [Float]
    /// [numInferenceSteps + 1, horizon, actionDim].
    private(set) var noise: [Float]
    /// [horizon, actionDim], normalised.
    var guess: [Float]
    /// Whether the sampler has a guess for the next chunk.
    private var isGuessed = false
    /// [horizon, actionDim], normalised; the first numbers are in use.
    private var frozen: [Float]

    init(conditionCount: Int, noiseCount: Int, predictionCount: Int) {
        guess = [Float](repeating: 0, count: predictionCount)
        frozen = [Float](repeating: 0, count: predictionCount)
        condition = [Float](repeating: 0, count: conditionCount)
        noise = [Float](repeating: 0, count: noiseCount)
    }

    mutating func drawNoise(seed: UInt64) {
        var generator = GaussianNoise(seed: seed)
        var span = noise.mutableSpan
        generator.fill(&span)
    }

    mutating func setNoise(_ values: Span<Float>) {
        for index in values.indices { noise[index] = values[index] }
    }

    mutating func setCondition(_ history: ObservationHistory, normalization: [AffineMap]) {
        history.copy(into: &condition)
        var index = 0
        for _ in 0..<history.nObsSteps {
            for feature in normalization {
                for dimension in 0..<feature.count {
                    condition[index] = feature.apply(to: condition[index], dimension: dimension)
                    index += 1
                }
            }
        }
    }

    mutating func passGuess(to sampler: Sampler) {
        sampler.guess(guess.span)
        isGuessed = true
    }

    /// Guesses by the condition where there is no better guess.
    mutating func passFirstGuess(_ firstGuess: FirstGuess?, to sampler: Sampler) {
        defer { isGuessed = false }
        guard let firstGuess, !isGuessed else { return }
        firstGuess.predict(condition, into: &guess)
        sampler.guess(guess.span)
    }

    mutating func passFrozen(
        _ known: FrozenActions,
        from first: Int,
        normalization: AffineMap,
        to sampler: Sampler
    ) {
        for index in known.actions.indices {
            frozen[index] = normalization.inverse(
                known.actions[index],
                dimension: index % normalization.count
            )
        }
        sampler.freeze(frozen.span.extracting(0..<known.actions.count), from: first)
    }

    func passCondition(to network: some Denoiser, at index: Int) {
        network.setCondition(condition.span, at: index)
    }

    func firstModelOutput(
        of predictor: DenoiserPredictor<some Denoiser>,
        timestep: Int,
        sampleCount: Int
    ) -> [Float] {
        var output = [Float](repeating: 0, count: sampleCount)
        let timesteps = [timestep]
        var span = output.mutableSpan
        predictor.predict(
            samples: noise.span.extracting(0..<sampleCount),
            timesteps: timesteps.span,
            into: &span
        )
        return output
    }
}
