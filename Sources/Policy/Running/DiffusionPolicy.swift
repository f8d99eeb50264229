import Clocks
import Compute
import Networks
import Sampling

/// A trained policy ready to run: observations in, action chunks out.
///
/// A chunk is a pure function of the bundle, the request and the settings. All memory for the denoising loop is taken by the
/// initialiser. One thread at a time may use a policy.
public final class DiffusionPolicy {
    /// What the policy's `config.json` says.
    public var configuration: PolicyConfiguration { parts.configuration }
    /// What the policy observes, in condition order.
    public var observationFeatures: [ObservationFeature] { parts.observationFeatures }
    /// What the policy sees through, in condition order.
    public var cameras: [CameraFeature] { parts.cameras }
    /// How chunks are sampled, with the window in use.
    public var settings: SamplerSettings { parts.sampler.settings }
    /// What computes the network.
    public var kernel: Kernel { parts.predictor.network.kernel }
    /// Threads that compute it.
    public var threads: Int { parts.predictor.network.threads }
    /// Numbers of noise that one chunk takes: those of [numInferenceSteps + 1, horizon, actionDim].
    public var noiseCount: Int { parts.sampler.noiseCount }
    /// Numbers of a prediction: those of [horizon, actionDim].
    public var predictionCount: Int { parts.sampler.sampleCount }
    /// Samples several chunks together; nil if the network keeps one condition.
    public var group: GroupSampler? { parts.group }

    /// The chunk that is being sampled, for another thread to take if it has a deadline.
    public var interim: InterimPrediction {
        InterimPrediction(sample: parts.sampler.interim, normalizer: parts.normalizer, form: form)
    }

    private let parts: PolicyAssembly
    private let form: ChunkForm
    private var inputs: SamplingInputs

    /// Builds the sampler around a network that others may use as well, one at a time. `Tuning` has the initialisers that
    /// measure what this one takes.
    ///
    /// - Parameters:
    ///   - bundle: the policy as it was read.
    ///   - settings: how chunks are sampled.
    ///   - network: one that `bundle.network` made, for all timesteps that the settings visit and batches of at least the
    ///     window.
    ///   - calibration: of the policy, these settings and this machine; nil for methods that need none.
    ///   - forwardTimes: what passes take, for chunks with a deadline; nil: chunks have none.
    /// - Throws: `PolicyError` for settings out of range.
    package convenience init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        network: UNet1D,
        calibration: Calibration?,
        forwardTimes: ForwardTimes?
    ) throws(PolicyError) {
        self.init(
            try PolicyAssembly(
                bundle: bundle,
                settings: settings,
                network: network,
                calibration: calibration,
                forwardTimes: forwardTimes
            )
        )
    }

    private init(_ parts: PolicyAssembly) {
        self.parts = parts
        form = ChunkForm(
            nObsSteps: parts.configuration.nObsSteps,
            nActionSteps: parts.configuration.nActionSteps,
            actionDim: parts.configuration.actionDim,
            settings: parts.sampler.settings
        )
        inputs = SamplingInputs(for: parts)
    }

    /// Says what is to happen if a chunk's time is over and the machine has stopped a thread that is at it; see
    /// `Denoiser.whenHeldUp`. What there is of the chunk is `interim`.
    public func whenHeldUp(_ action: @escaping @Sendable () -> Void) {
        parts.predictor.network.whenHeldUp(action)
    }

    /// A history that is empty, for a robot that this policy is to drive.
    public func makeHistory() -> ObservationHistory {
        ObservationHistory(
            features: observationFeatures,
            cameras: cameras,
            nObsSteps: configuration.nObsSteps
        )
    }

    /// Samples the chunk that a request asks for. Allocates the chunk's arrays, nothing else (but OpenBLAS may, on several
    /// threads).
    ///
    /// - Throws: `ActionChunkError` for an empty history, for noise, frozen actions or a guess that do not fit or are not
    ///   finite, or if the result is not finite.
    public func sample(_ request: SamplingRequest) throws(ActionChunkError) -> ActionChunk {
        var prediction = [Float](repeating: 0, count: predictionCount)
        var span = prediction.mutableSpan
        let sampling = try sample(request, into: &span)
        return form.chunk(of: prediction, sampling)
    }

    /// ``sample(_:)`` into memory that the caller has: allocates nothing.
    ///
    /// - Parameter prediction: receives every action predicted, [horizon, actionDim], in the robot's units; row
    ///   `nObsSteps - 1` is the action at the control step of the newest observation. Not to be used if an error is thrown.
    package func sample(
        _ request: SamplingRequest,
        into prediction: inout MutableSpan<Float>
    ) throws(ActionChunkError) -> ChunkSampling {
        let start = MonotonicTime.now()
        try inputs.take(request)
        inputs.setCondition(of: parts.predictor.network)
        let conditionEnd = MonotonicTime.now()
        let report = inputs.sample(
            by: parts.sampler,
            with: parts.predictor,
            deadline: request.deadline,
            into: &prediction
        )
        parts.predictor.network.rest()
        let samplingEnd = MonotonicTime.now()

        try parts.normalizer.unnormalize(&prediction)
        return ChunkSampling(
            report: report,
            conditionDuration: conditionEnd - start,
            samplingDuration: samplingEnd - conditionEnd
        )
    }

    /// Samples the chunks that several robots' requests ask for together, as `GroupSampler` does. Allocates.
    ///
    /// All of them are ready when the first of the deadlines comes. Guesses are ignored, as sequential sampling does.
    ///
    /// - Parameter requests: 2 up to the group's `maximumSize`.
    /// - Returns: for each request its chunk, or why there is none: as for ``sample(_:)``, or because actions are frozen.
    public func sample(together requests: [SamplingRequest]) -> [Result<ActionChunk, ActionChunkError>] {
        guard let group else { preconditionFailure("the policy was not made for groups") }
        let start = MonotonicTime.now()
        let taken = requests.indices.map { index in
            Result { () throws(ActionChunkError) in try take(requests[index], inGroupAt: index) }
        }
        // The place of a request that is refused is computed as well, and comes to nothing.
        let noises = zip(requests, taken).map { request, taken in
            if case .success = taken { request.noise } else { SamplingRequest.Noise.seed(0) }
        }
        let conditionEnd = MonotonicTime.now()
        let (samples, report) = group.sample(
            from: noises,
            deadline: requests.compactMap(\.deadline).min()
        )
        parts.predictor.network.rest()
        let samplingEnd = MonotonicTime.now()
        let sampling = ChunkSampling(
            report: report,
            conditionDuration: conditionEnd - start,
            samplingDuration: samplingEnd - conditionEnd
        )
        return taken.enumerated().map { index, taken in
            Result { () throws(ActionChunkError) in
                try taken.get()
                var prediction = Array(samples[index * predictionCount..<(index + 1) * predictionCount])
                var span = prediction.mutableSpan
                try parts.normalizer.unnormalize(&span)
                return form.chunk(of: prediction, sampling)
            }
        }
    }

    private func take(_ request: SamplingRequest, inGroupAt index: Int) throws(ActionChunkError) {
        guard request.frozen?.actions.isEmpty ?? true else { throw .frozenTogether }
        try request.noise.check(count: noiseCount)
        try inputs.take(request.history)
        inputs.setCondition(of: parts.predictor.network, at: index)
    }

    /// The largest difference of two predictions, or of some rows of them, in normalised units.
    ///
    /// - Parameters:
    ///   - prediction: [k, actionDim], in the robot's units.
    ///   - reference: likewise, for the same steps.
    public func deviation(of prediction: [Float], from reference: [Float]) -> Float {
        precondition(prediction.count == reference.count, "the predictions are of different policies")
        return parts.normalizer.deviation(of: prediction, from: reference)
    }

    /// The network's raw output in the first denoising step, [horizon, actionDim], for comparing implementations.
    ///
    /// - Throws: `ActionChunkError` as ``sample(_:)`` does for its request.
    public func firstModelOutput(for request: SamplingRequest) throws(ActionChunkError) -> [Float] {
        try inputs.take(request)
        inputs.setCondition(of: parts.predictor.network)
        return inputs.firstModelOutput(of: parts.predictor, timestep: parts.sampler.timesteps[0])
    }

    /// What the network is conditioned on: [nObsSteps, numbers of a step], normalised. A step has the robot's state, the features
    /// of each camera's frame, and the environment state if there is one.
    ///
    /// - Throws: `ActionChunkError` for an empty history, or for numbers that are not finite.
    public func condition(for history: ObservationHistory) throws(ActionChunkError) -> [Float] {
        try inputs.take(history)
        return inputs.condition
    }
}
