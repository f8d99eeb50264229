import Clocks
import Networks
import Sampling

/// A request on the network's scale, in memory that is taken once.
///
/// A span borrows the array that it shows, and an access to a stored property of a class ends with its expression. A policy is
/// a class, which could not hold a span of its own arrays while it prepares and makes a call. So what hands spans to the
/// network or the sampler is a method of this struct: the whole struct stays borrowed until it returns.
struct SamplingInputs {
    private let normalizer: Normalizer
    private let firstGuess: FirstGuess?
    private let features: [ObservationFeature]
    private let cameras: [CameraFeature]
    private let vision: FrameEncoder?
    /// [nObsSteps, features], normalised.
    private(set) var condition: [Float]
    /// [numInferenceSteps + 1, horizon, actionDim].
    private var noise: [Float]
    /// [horizon, actionDim], normalised; in use where `hasGuess`.
    private var guess: [Float]
    private var hasGuess = false
    /// [horizon, actionDim], normalised; the first numbers are in use.
    private var frozen: [Float]
    /// The numbers of a prediction that `frozen` has.
    private var frozenElements = 0..<0

    /// Takes the memory.
    init(for assembly: PolicyAssembly) {
        normalizer = assembly.normalizer
        firstGuess = assembly.firstGuess
        features = assembly.observationFeatures
        cameras = assembly.cameras
        vision = assembly.vision
        condition = [Float](repeating: 0, count: assembly.configuration.architecture.conditionDim)
        noise = [Float](repeating: 0, count: assembly.sampler.noiseCount)
        guess = [Float](repeating: 0, count: assembly.sampler.sampleCount)
        // Not a copy of `guess`: the two would share their memory until the first write takes more.
        frozen = [Float](repeating: 0, count: assembly.sampler.sampleCount)
    }

    /// Takes up a request, all of it. Allocates nothing. Nothing is to be sampled if an error is thrown.
    mutating func take(_ request: SamplingRequest) throws(ActionChunkError) {
        try request.noise.check(count: noise.count)
        if let frozen = request.frozen { try check(frozen) }
        if let guess = request.guess { try check(guess) }
        try take(request.history)
        var span = noise.mutableSpan
        request.noise.fill(&span)
        take(request.guess)
        take(request.frozen)
    }

    /// Takes up the observations alone.
    mutating func take(_ history: ObservationHistory) throws(ActionChunkError) {
        guard !history.isEmpty else { throw .emptyHistory }
        precondition(
            history.features == features && history.cameras == cameras,
            "the history is one of another policy"
        )
        normalizer.normalize(history, into: &condition)
        if let vision {
            for step in 0..<history.nObsSteps {
                vision.encode(history, step: step, into: &condition, at: normalizer.visionRange(step: step))
            }
            vision.rest()
        }
        if let index = condition.firstIndex(where: { !$0.isFinite }) {
            throw .notFinite(what: "normalised observation", index: index, value: condition[index])
        }
    }

    /// Gives a network the observations, as the condition at an index.
    func setCondition(of network: some Denoiser, at index: Int = 0) {
        network.setCondition(condition.span, at: index)
    }

    /// Samples what was taken up, under the predictor's condition 0.
    ///
    /// The sampler forgets its guess and frozen elements with each sample; here they cannot be set for a sample that is not
    /// drawn.
    ///
    /// - Parameter prediction: [horizon, actionDim]; receives the sample, normalised.
    func sample(
        by sampler: Sampler,
        with predictor: DenoiserPredictor<UNet1D>,
        deadline: MonotonicTime?,
        into prediction: inout MutableSpan<Float>
    ) -> SamplingReport {
        if hasGuess { sampler.guess(guess.span) }
        if !frozenElements.isEmpty {
            sampler.freeze(
                frozen.span.extracting(first: frozenElements.count),
                from: frozenElements.lowerBound
            )
        }
        return sampler.sample(with: predictor, noise: noise.span, deadline: deadline, into: &prediction)
    }

    /// The network's output for the initial noise at a timestep, under condition 0: [horizon, actionDim]. Allocates.
    func firstModelOutput(of predictor: DenoiserPredictor<UNet1D>, timestep: Int) -> [Float] {
        var output = [Float](repeating: 0, count: guess.count)
        let timesteps = [timestep]
        var span = output.mutableSpan
        predictor.predict(
            samples: noise.span.extracting(first: guess.count),
            timesteps: timesteps.span,
            into: &span
        )
        return output
    }
}

extension SamplingInputs {
    private var actionDim: Int { normalizer.actionUnnormalization.count }
    private var rows: Int { guess.count / actionDim }

    private func check(_ known: FrozenActions) throws(ActionChunkError) {
        guard known.actions.count.isMultiple(of: actionDim), (0...rows).contains(known.firstRow),
            known.actions.count / actionDim <= rows - known.firstRow
        else {
            throw .frozenCount(
                found: known.actions.count,
                firstRow: known.firstRow,
                rows: rows,
                actionDim: actionDim
            )
        }
        for index in known.actions.indices where !known.actions[index].isFinite {
            throw .notFinite(what: "frozen action", index: index, value: known.actions[index])
        }
    }

    private func check(_ last: SamplingRequest.Guess) throws(ActionChunkError) {
        guard last.prediction.count == guess.count else {
            throw .guessCount(found: last.prediction.count, expected: guess.count)
        }
        for index in last.prediction.indices where !last.prediction[index].isFinite {
            throw .notFinite(what: "prediction to guess from", index: index, value: last.prediction[index])
        }
    }

    private mutating func take(_ known: FrozenActions?) {
        frozenElements = 0..<0
        guard let known else { return }
        let first = known.firstRow * actionDim
        frozenElements = first..<first + known.actions.count
        for index in known.actions.indices {
            frozen[index] = normalizer.normalizedAction(known.actions[index], dimension: index % actionDim)
        }
    }

    /// Guesses that the last prediction comes true, its last action again and again once it has run out; without one that
    /// reaches so far, by the observation.
    private mutating func take(_ last: SamplingRequest.Guess?) {
        hasGuess = true
        if let last, (0..<rows).contains(last.elapsedSteps) {
            for row in 0..<rows {
                let source = min(row + last.elapsedSteps, rows - 1) * actionDim
                for dimension in 0..<actionDim {
                    guess[row * actionDim + dimension] = normalizer.normalizedAction(
                        last.prediction[source + dimension],
                        dimension: dimension
                    )
                }
            }
        } else if let firstGuess {
            firstGuess.predict(condition, into: &guess)
        } else {
            hasGuess = false
        }
    }
}
