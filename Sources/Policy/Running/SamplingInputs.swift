import Clocks
import Networks
import Sampling

/// Requests on the network's scale, in memory that is taken once: one, or several that are sampled together.
///
/// A span borrows the array that it shows, and an access to a stored property of a class ends with its expression. A policy is
/// a class, which could not hold a span of its own arrays while it prepares and makes a call. So what hands spans to the
/// network or the sampler is a method of this struct: the whole struct stays borrowed until it returns.
struct SamplingInputs {
    private let normalizer: Normalizer
    /// Says what a chunk starts from that no other guess is given for; nil: 0.
    var firstGuess: FirstGuess?
    private let features: [ObservationFeature]
    private let cameras: [CameraFeature]
    private let vision: FrameEncoder?
    /// That of the observations taken up last: [nObsSteps, features], normalised.
    private(set) var condition: [Float]
    /// What the frames of the observations taken up last took; nil if the policy has no cameras.
    private(set) var visionDuration: Duration?
    /// [maximumGroup, numInferenceSteps + 1, horizon, actionDim].
    private var noise: [Float]
    /// [maximumGroup, horizon, actionDim], normalised; zeros if nothing is guessed.
    private var guesses: [Float]
    /// What chunks that start from a re-noised guess are sampled from, [maximumGroup, warmSteps + 1, horizon, actionDim]; empty if
    /// none does.
    private var warmNoise: [Float]
    private let warmNoiseCount: Int
    /// For each request; [maximumGroup].
    private var frozen: [FrozenElements]
    /// The numbers of one request's frozen actions, normalised; [horizon, actionDim], of which the first are in use.
    private var frozenValues: [Float]
    private let noiseCount: Int
    private let predictionCount: Int

    /// Takes the memory, for as many requests as the sampler draws samples together.
    init(for assembly: PolicyAssembly) {
        normalizer = assembly.normalizer
        firstGuess = assembly.firstGuess
        features = assembly.observationFeatures
        cameras = assembly.cameras
        vision = assembly.vision
        condition = [Float](repeating: 0, count: assembly.configuration.architecture.conditionDim)
        let sampler = assembly.sampler
        noiseCount = sampler.noiseCount
        predictionCount = sampler.sampleSize
        noise = [Float](repeating: 0, count: sampler.maximumSamples * sampler.noiseCount)
        guesses = [Float](repeating: 0, count: sampler.maximumSamples * sampler.sampleSize)
        warmNoiseCount = assembly.warmSampler?.noiseCount ?? 0
        warmNoise = [Float](repeating: 0, count: sampler.maximumSamples * warmNoiseCount)
        // Not copies of one: they would share their memory until the first write takes more.
        frozen = (0..<sampler.maximumSamples).map { _ in sampler.makeFrozenElements() }
        frozenValues = [Float](repeating: 0, count: sampler.sampleSize)
    }

    /// Takes up a request, all of it. Allocates nothing. It is not to be sampled if an error is thrown.
    ///
    /// - Parameter place: of those that are sampled together, from 0.
    mutating func take(_ request: SamplingRequest, at place: Int = 0) throws(ActionChunkError) {
        try request.noise.check(count: noiseCount)
        if let frozen = request.frozen { try check(frozen) }
        if let guess = request.guess { try check(guess) }
        try take(request.history)
        let numbers = place * noiseCount..<(place + 1) * noiseCount
        var span = noise.mutableSpan
        var row = span._mutatingExtracting(numbers)
        request.noise.fill(&row)
        take(request.guess, at: place)
        take(request.frozen, at: place)
    }

    /// Whether a request can start from its guess: whether that reaches beyond the control steps that have passed.
    func canStartFromGuess(_ request: SamplingRequest) -> Bool {
        request.guess.map { (0..<rows).contains($0.elapsedSteps) } ?? false
    }

    /// Makes what was taken up at a place start from its guess: re-noised, and with the noise of the last steps. Allocates nothing.
    mutating func startFromGuess(at place: Int, for sampler: Sampler) {
        let first = place * warmNoiseCount
        for index in 0..<predictionCount { warmNoise[first + index] = noise[place * noiseCount + index] }
        // The row that adds to the first step's sample is not used: that sample is there.
        let skipped = place * noiseCount + sampler.skippedSteps * predictionCount
        for index in predictionCount..<warmNoiseCount { warmNoise[first + index] = noise[skipped + index] }
        let guess = place * predictionCount..<(place + 1) * predictionCount
        Self.renoise(
            guesses,
            guess,
            frozen: frozen[place],
            for: sampler,
            in: &warmNoise,
            at: first..<first + predictionCount
        )
    }

    /// Takes up the observations alone.
    mutating func take(_ history: ObservationHistory) throws(ActionChunkError) {
        try check(history)
        normalizer.normalize(history, into: &condition)
        if let vision {
            let start = MonotonicTime.now()
            defer { vision.rest() }
            for step in 0..<history.nObsSteps {
                let range = normalizer.visionRange(step: step)
                try vision.encode(history, step: step, into: &condition, at: range)
            }
            visionDuration = MonotonicTime.now() - start
        }
        if let index = condition.firstIndex(where: { !$0.isFinite }) {
            throw .notFinite(what: "normalised observation", index: index, value: condition[index])
        }
    }

    /// Encodes the newest frame of a camera, for when the history is taken up.
    func encodeNewestFrame(of history: ObservationHistory, camera: Int) throws(ActionChunkError) {
        try check(history)
        guard let vision else { return }
        defer { vision.rest() }
        try vision.encode(history, camera: camera, step: history.nObsSteps - 1)
    }

    /// Gives a network the observations, as the condition at an index.
    func setCondition(of network: some Denoiser, at index: Int = 0) {
        network.setCondition(condition.span, at: index)
    }

    /// Samples what was taken up at place 0, under the predictor's condition 0.
    ///
    /// - Parameters:
    ///   - isWarm: whether it starts from its guess.
    ///   - prediction: [horizon, actionDim]; receives the sample, normalised.
    func sample(
        isWarm: Bool,
        by sampler: Sampler,
        with predictor: DenoiserPredictor<UNet1D>,
        deadline: MonotonicTime?,
        into prediction: inout MutableSpan<Float>
    ) -> SamplingReport {
        let numbers = isWarm ? warmNoise : noise
        return sampler.sample(
            with: predictor,
            noise: numbers.span.extracting(first: sampler.noiseCount),
            guess: guesses.span.extracting(first: predictionCount),
            frozen: frozen,
            deadline: deadline,
            into: &prediction
        )
    }

    /// Samples what was taken up at place 0, and tells what each pass was given and what it predicted. Allocates.
    func sampleWatching(
        by sampler: Sampler,
        with predictor: DenoiserPredictor<UNet1D>,
        into prediction: inout MutableSpan<Float>
    ) -> (report: SamplingReport, passes: [WatchedPass]) {
        sampler.sampleWatching(
            predictor,
            noise: noise.span.extracting(first: noiseCount),
            guess: guesses.span.extracting(first: predictionCount),
            into: &prediction
        )
    }

    /// Samples what was taken up at the first places, each under the predictor's condition of that number.
    ///
    /// - Parameters:
    ///   - isWarm: whether all of them start from their guesses.
    ///   - predictions: [places, horizon, actionDim]; receives the samples, normalised.
    ///   - reports: of which the first receive how each was sampled.
    func sample(
        places: Int,
        isWarm: Bool,
        by sampler: Sampler,
        with predictor: DenoiserPredictor<UNet1D>,
        deadline: MonotonicTime?,
        into predictions: inout MutableSpan<Float>,
        reports: inout [SamplingReport]
    ) {
        var span = reports.mutableSpan
        var first = span._mutatingExtracting(first: places)
        let numbers = isWarm ? warmNoise : noise
        sampler.sample(
            with: predictor,
            noise: numbers.span.extracting(first: places * sampler.noiseCount),
            guess: guesses.span.extracting(first: places * predictionCount),
            frozen: frozen,
            deadline: deadline,
            into: &predictions,
            reports: &first
        )
    }

    /// The network's output for the initial noise at a timestep, under condition 0: [horizon, actionDim]. Allocates.
    func firstModelOutput(of predictor: DenoiserPredictor<UNet1D>, timestep: Int) -> [Float] {
        var output = [Float](repeating: 0, count: predictionCount)
        let timesteps = [timestep]
        var span = output.mutableSpan
        predictor.predict(
            samples: noise.span.extracting(first: predictionCount),
            timesteps: timesteps.span,
            into: &span
        )
        return output
    }
}

extension SamplingInputs {
    private var actionDim: Int { normalizer.actionUnnormalization.count }
    private var rows: Int { predictionCount / actionDim }

    private func check(_ history: ObservationHistory) throws(ActionChunkError) {
        guard !history.isEmpty else { throw .emptyHistory }
        precondition(
            history.features == features && history.cameras == cameras,
            "the history is one of another policy"
        )
    }

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
        guard last.prediction.count == predictionCount else {
            throw .guessCount(found: last.prediction.count, expected: predictionCount)
        }
        for index in last.prediction.indices where !last.prediction[index].isFinite {
            throw .notFinite(what: "prediction to guess from", index: index, value: last.prediction[index])
        }
    }

    private mutating func take(_ known: FrozenActions?, at place: Int) {
        guard let known else {
            frozen[place].clear()
            return
        }
        for index in known.actions.indices {
            frozenValues[index] = normalizer.normalizedAction(
                known.actions[index],
                dimension: index % actionDim
            )
        }
        Self.set(
            &frozen[place],
            frozenValues,
            count: known.actions.count,
            from: known.firstRow * actionDim
        )
    }

    /// Arguments of their own, because Swift lets no method hold a span of one property and change another.
    private static func set(_ elements: inout FrozenElements, _ values: [Float], count: Int, from first: Int)
    {
        elements.set(values.span.extracting(first: count), from: first)
    }

    private static func renoise(
        _ guesses: [Float],
        _ guess: Range<Int>,
        frozen: FrozenElements,
        for sampler: Sampler,
        in noise: inout [Float],
        at row: Range<Int>
    ) {
        var span = noise.mutableSpan
        var sample = span._mutatingExtracting(row)
        sampler.renoise(guesses.span.extracting(guess), frozen: frozen, into: &sample)
    }

    /// Guesses that the last prediction comes true, its last action again and again once it has run out; without one that
    /// reaches so far, by the observation.
    private mutating func take(_ last: SamplingRequest.Guess?, at place: Int) {
        let first = place * predictionCount
        if let last, (0..<rows).contains(last.elapsedSteps) {
            for row in 0..<rows {
                let source = min(row + last.elapsedSteps, rows - 1) * actionDim
                for dimension in 0..<actionDim {
                    guesses[first + row * actionDim + dimension] = normalizer.normalizedAction(
                        last.prediction[source + dimension],
                        dimension: dimension
                    )
                }
            }
        } else if let firstGuess {
            firstGuess.predict(condition, into: &guesses, from: first)
        } else {
            for index in first..<first + predictionCount { guesses[index] = 0 }
        }
    }
}
