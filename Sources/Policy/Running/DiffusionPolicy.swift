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
    public var configuration: PolicyConfiguration { assembly.configuration }
    /// What the policy observes, in condition order.
    public var observationFeatures: [ObservationFeature] { assembly.observationFeatures }
    /// What the policy sees through, in condition order.
    public var cameras: [CameraFeature] { assembly.cameras }
    /// How chunks are sampled, with the window in use.
    public var settings: SamplerSettings { assembly.sampler.settings }
    /// What computes the network.
    public var kernel: Kernel { assembly.predictor.network.kernel }
    /// Threads that compute it.
    public var threads: Int { assembly.predictor.network.threads }
    /// Bytes of the weights in memory: the network's, and those of the cameras' encoders.
    public var weightBytes: Int {
        assembly.predictor.network.weightBytes + (assembly.vision?.weightBytes ?? 0)
    }
    /// Numbers of noise that one chunk takes: those of [numInferenceSteps + 1, horizon, actionDim].
    public var noiseCount: Int { assembly.sampler.noiseCount }
    /// Numbers of a prediction: those of [horizon, actionDim].
    public var predictionCount: Int { assembly.sampler.sampleSize }
    /// What the network takes at once.
    public var maximumBatch: Int { assembly.predictor.network.maximumBatch }
    /// The most chunks that are sampled together.
    public var maximumGroup: Int { assembly.sampler.maximumSamples }
    /// Whether a chunk that is sampled together with others is the one that is sampled alone, bit for bit. It is if nothing of an
    /// entry's output depends on the rest of the batch: with all kernels but OpenBLAS, whose results differ by rounding.
    public var groupsChangeNoBit: Bool { kernel.backend != .openBLAS }

    /// The chunk that is being sampled, for another thread to take if it has a deadline.
    public var interim: InterimPrediction {
        InterimPrediction(sample: assembly.sampler.interim, normalizer: assembly.normalizer, form: form)
    }

    private var assembly: PolicyAssembly
    private let form: ChunkForm
    private var inputs: SamplingInputs
    /// The sampler that sampled last.
    private var lastSampler: Sampler
    /// Those of chunks that are sampled together, [maximumGroup].
    private var reports: [SamplingReport]

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
    ///   - histories: whose frames' features are kept, at least 1: as many as there are robots.
    /// - Throws: `PolicyError` for settings out of range.
    package convenience init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        network: UNet1D,
        calibration: Calibration?,
        forwardTimes: ForwardTimes?,
        histories: Int = 1
    ) throws(PolicyError) {
        self.init(
            try PolicyAssembly(
                bundle: bundle,
                settings: settings,
                network: network,
                calibration: calibration,
                forwardTimes: forwardTimes,
                histories: histories
            )
        )
    }

    private init(_ assembly: PolicyAssembly) {
        self.assembly = assembly
        form = ChunkForm(
            nObsSteps: assembly.configuration.nObsSteps,
            nActionSteps: assembly.configuration.nActionSteps,
            actionDim: assembly.configuration.actionDim,
            solver: assembly.sampler.settings.solver,
            numInferenceSteps: assembly.sampler.settings.numInferenceSteps
        )
        inputs = SamplingInputs(for: assembly)
        lastSampler = assembly.sampler
        reports = Array(repeating: SamplingReport.nothing, count: assembly.sampler.maximumSamples)
    }

    /// Samples by quasi-Newton from the next chunk on, as a calibration says. Allocates.
    ///
    /// - Parameters:
    ///   - calibration: of this policy and its network.
    ///   - settings: of the calibration; without a window, it takes the one that was found to be fastest.
    /// - Throws: `PolicyError` for settings out of range; the policy samples as before then.
    package func adopt(_ calibration: Calibration, settings: SamplerSettings) throws(PolicyError) {
        try assembly.adopt(calibration, method: settings.with(calibration).method)
        inputs.firstGuess = assembly.firstGuess
    }

    /// What passes take, for chunks with a deadline; nil: chunks have none.
    package var forwardTimes: ForwardTimes? { lastSampler.forwardTimes }

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
        return form.chunk(of: prediction, sampling, passes: lastSampler.passes())
    }

    /// Whether a request's chunk starts from its guess, re-noised to a middle timestep.
    private func isWarm(_ request: SamplingRequest) -> Bool {
        assembly.warmSampler != nil && inputs.canStartFromGuess(request)
    }

    /// The sampler for a chunk that does or does not start from a guess. Both know of the passes that either measured.
    private func sampler(isWarm: Bool) -> Sampler {
        let sampler = isWarm ? assembly.warmSampler ?? assembly.sampler : assembly.sampler
        if sampler !== lastSampler {
            sampler.forwardTimes = lastSampler.forwardTimes
            lastSampler = sampler
        }
        return sampler
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
        inputs.setCondition(of: assembly.predictor.network)
        let isWarm = isWarm(request)
        let sampler = sampler(isWarm: isWarm)
        if isWarm { inputs.startFromGuess(at: 0, for: sampler) }
        let vision = inputs.visionDuration
        let conditionEnd = MonotonicTime.now()
        let report = inputs.sample(
            isWarm: isWarm,
            by: sampler,
            with: assembly.predictor,
            deadline: request.deadline,
            into: &prediction
        )
        assembly.predictor.network.rest()
        let samplingEnd = MonotonicTime.now()

        try assembly.normalizer.unnormalize(&prediction)
        return ChunkSampling(
            report: report,
            visionDuration: vision,
            conditionDuration: conditionEnd - start - (vision ?? .zero),
            samplingDuration: samplingEnd - conditionEnd,
            place: 0
        )
    }

    /// Samples the chunks that several robots' requests ask for together: a pass of the network takes a step of each, or evaluates
    /// the window of each. A chunk is the one that ``sample(_:)`` gives for its request (see ``groupsChangeNoBit``), unless there
    /// is a deadline: all of them are ready when the first of the deadlines comes. Those that start from a re-noised guess are
    /// sampled after the others, because they take fewer passes. Allocates the chunks' arrays.
    ///
    /// - Parameter requests: 1 up to ``maximumGroup``.
    /// - Returns: for each request its chunk, or why there is none.
    public func sample(together requests: [SamplingRequest]) -> [Result<ActionChunk, ActionChunkError>] {
        let warm = requests.indices.filter { isWarm(requests[$0]) }
        guard !warm.isEmpty, warm.count < requests.count else { return sample(alike: requests) }
        let cold = requests.indices.filter { !warm.contains($0) }
        var chunks = [Result<ActionChunk, ActionChunkError>](
            repeating: .failure(.emptyHistory),
            count: requests.count
        )
        for kind in [cold, warm] {
            for (index, chunk) in zip(kind, sample(alike: kind.map { requests[$0] })) {
                chunks[index] = chunk
            }
        }
        return chunks
    }

    /// Samples chunks together that all start from a re-noised guess, or none of which does.
    private func sample(alike requests: [SamplingRequest]) -> [Result<ActionChunk, ActionChunkError>] {
        var predictions = [Float](repeating: 0, count: requests.count * predictionCount)
        var outcomes = [Result<ChunkSampling, ActionChunkError>](
            repeating: .failure(.emptyHistory),
            count: requests.count
        )
        var span = predictions.mutableSpan
        sample(together: requests, into: &span, outcomes: &outcomes)
        return outcomes.enumerated().map { index, outcome in
            outcome.map { sampling in
                form.chunk(
                    of: Array(predictions[index * predictionCount..<(index + 1) * predictionCount]),
                    sampling,
                    passes: lastSampler.passes(of: sampling.place)
                )
            }
        }
    }

    /// ``sample(together:)`` into memory that the caller has: allocates nothing, but for a request that is refused.
    ///
    /// - Parameters:
    ///   - requests: all start from a re-noised guess, or none does.
    ///   - predictions: receives every action predicted, [requests, horizon, actionDim], in the robots' units. The rows of a
    ///     request without a chunk are not to be used.
    ///   - outcomes: [requests]; receives what sampling took, or why there is no chunk.
    package func sample(
        together requests: [SamplingRequest],
        into predictions: inout MutableSpan<Float>,
        outcomes: inout [Result<ChunkSampling, ActionChunkError>]
    ) {
        precondition(
            (1...maximumGroup).contains(requests.count),
            "\(requests.count) of \(maximumGroup) chunks"
        )
        let start = MonotonicTime.now()
        let isWarm = isWarm(requests[0])
        precondition(
            requests.allSatisfy { self.isWarm($0) == isWarm },
            "chunks of two kinds are sampled together"
        )
        let sampler = sampler(isWarm: isWarm)
        let (places, vision) = take(requests, outcomes: &outcomes)
        guard places > 0 else { return }
        if isWarm { for place in 0..<places { inputs.startFromGuess(at: place, for: sampler) } }
        let conditionEnd = MonotonicTime.now()
        var samples = predictions._mutatingExtracting(first: places * predictionCount)
        inputs.sample(
            places: places,
            isWarm: isWarm,
            by: sampler,
            with: assembly.predictor,
            deadline: earliestDeadline(of: requests),
            into: &samples,
            reports: &reports
        )
        assembly.predictor.network.rest()
        let samplingEnd = MonotonicTime.now()

        // Backwards, because a chunk's place comes after none of its request's.
        var place = places
        for index in requests.indices.reversed() {
            guard case .success = outcomes[index] else { continue }
            place -= 1
            for element in 0..<predictionCount where place < index {
                predictions[index * predictionCount + element] =
                    predictions[place * predictionCount + element]
            }
            let sampling = ChunkSampling(
                report: reports[place],
                visionDuration: vision,
                conditionDuration: conditionEnd - start - (vision ?? .zero),
                samplingDuration: samplingEnd - conditionEnd,
                place: place
            )
            var prediction = predictions._mutatingExtracting(
                index * predictionCount..<(index + 1) * predictionCount
            )
            do throws(ActionChunkError) {
                try assembly.normalizer.unnormalize(&prediction)
                outcomes[index] = .success(sampling)
            } catch {
                outcomes[index] = .failure(error)
            }
        }
    }

    /// Takes up the requests that can be sampled, at places from 0 on.
    ///
    /// - Returns: how many, and the time for the frames of all; the outcomes of the others are failures.
    private func take(
        _ requests: [SamplingRequest],
        outcomes: inout [Result<ChunkSampling, ActionChunkError>]
    ) -> (places: Int, vision: Duration?) {
        var places = 0
        var vision: Duration?
        for index in requests.indices {
            do throws(ActionChunkError) {
                try inputs.take(requests[index], at: places)
                inputs.setCondition(of: assembly.predictor.network, at: places)
                outcomes[index] = .success(
                    ChunkSampling(
                        report: .nothing,
                        visionDuration: nil,
                        conditionDuration: .zero,
                        samplingDuration: .zero,
                        place: places
                    )
                )
                if let duration = inputs.visionDuration { vision = (vision ?? .zero) + duration }
                places += 1
            } catch {
                outcomes[index] = .failure(error)
            }
        }
        return (places, vision)
    }

    private func earliestDeadline(of requests: [SamplingRequest]) -> MonotonicTime? {
        var earliest: MonotonicTime?
        for request in requests {
            guard let deadline = request.deadline else { continue }
            earliest = min(earliest ?? deadline, deadline)
        }
        return earliest
    }

    /// Samples the chunk that a request asks for from noise alone, without its deadline and its frozen actions, and tells how it came
    /// about.
    ///
    /// - Throws: `ActionChunkError` as ``sample(_:)`` does, also for a pass whose prediction is not finite.
    public func explain(_ request: SamplingRequest) throws(ActionChunkError) -> ExplainedChunk {
        var request = request
        (request.deadline, request.frozen) = (nil, nil)
        let start = MonotonicTime.now()
        try inputs.take(request)
        inputs.setCondition(of: assembly.predictor.network)
        let conditionEnd = MonotonicTime.now()
        var prediction = [Float](repeating: 0, count: predictionCount)
        var span = prediction.mutableSpan
        let sampler = sampler(isWarm: false)
        let (report, watched) = inputs.sampleWatching(
            by: sampler,
            with: assembly.predictor,
            into: &span
        )
        assembly.predictor.network.rest()
        let samplingEnd = MonotonicTime.now()
        try assembly.normalizer.unnormalize(&span)
        var passes: [ExplainedChunk.Pass] = []
        for pass in watched {
            var predictions: [[Float]] = []
            for cleanSample in pass.cleanSamples {
                var actions = cleanSample
                var span = actions.mutableSpan
                try assembly.normalizer.unnormalize(&span)
                predictions.append(actions)
            }
            passes.append(.init(steps: pass.steps, samples: pass.samples, predictions: predictions))
        }
        let sampling = ChunkSampling(
            report: report,
            visionDuration: inputs.visionDuration,
            conditionDuration: conditionEnd - start - (inputs.visionDuration ?? .zero),
            samplingDuration: samplingEnd - conditionEnd,
            place: 0
        )
        return ExplainedChunk(
            chunk: form.chunk(of: prediction, sampling, passes: assembly.sampler.passes()),
            passes: passes,
            timesteps: assembly.sampler.timesteps
        )
    }

    /// The largest difference of two predictions, or of some rows of them, in normalised units.
    ///
    /// - Parameters:
    ///   - prediction: [k, actionDim], in the robot's units.
    ///   - reference: likewise, for the same steps.
    public func deviation(of prediction: [Float], from reference: [Float]) -> Float {
        precondition(prediction.count == reference.count, "the predictions are of different policies")
        return assembly.normalizer.deviation(of: prediction, from: reference)
    }

    /// The network's raw output in the first denoising step, [horizon, actionDim], for comparing implementations.
    ///
    /// - Throws: `ActionChunkError` as ``sample(_:)`` does for its request.
    public func firstModelOutput(for request: SamplingRequest) throws(ActionChunkError) -> [Float] {
        try inputs.take(request)
        inputs.setCondition(of: assembly.predictor.network)
        return inputs.firstModelOutput(of: assembly.predictor, timestep: assembly.sampler.timesteps[0])
    }

    /// Encodes what a camera saw at the newest step of a history, unless that has been done. A chunk of the history, and those of
    /// the steps that follow, then need not wait for it.
    ///
    /// - Parameters:
    ///   - history: one of this policy's, with at least one observation.
    ///   - camera: its index in ``cameras``.
    /// - Throws: `ActionChunkError` for an empty history, and for a picture that cannot be decoded.
    public func encodeNewestFrame(of history: ObservationHistory, camera: Int) throws(ActionChunkError) {
        try inputs.encodeNewestFrame(of: history, camera: camera)
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
