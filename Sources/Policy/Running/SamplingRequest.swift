import Clocks
import Sampling

/// What a policy is asked for: a chunk for the newest observation of a history.
public struct SamplingRequest: Sendable {
    /// Where the sampling noise comes from.
    public enum Noise: Sendable, Hashable {
        /// It is drawn by `GaussianNoise` from a seed.
        case seed(UInt64)
        /// It is these finite numbers, [numInferenceSteps + 1, horizon, actionDim]. Row 0 is the initial sample; row k is
        /// what step k adds, before scaling.
        case given([Float])
    }

    /// The prediction before this one in the same episode, which is guessed to come true.
    public struct Guess: Sendable, Hashable {
        /// All that was predicted, [horizon, actionDim], in the robot's units; finite.
        public var prediction: [Float]
        /// Control steps from that prediction's newest observation to the request's. Nothing is guessed unless the prediction
        /// reaches beyond them.
        public var elapsedSteps: Int

        /// A guess from a prediction.
        public init(from prediction: [Float], elapsedSteps: Int) {
            self.prediction = prediction
            self.elapsedSteps = elapsedSteps
        }
    }

    /// One that the policy's `makeHistory` made, with at least one observation.
    public var history: ObservationHistory
    /// The noise that the chunk is sampled from.
    public var noise: Noise
    /// When the chunk must be there, for a policy that keeps deadlines; nil: it takes the time it takes.
    public var deadline: MonotonicTime?
    /// Actions that the prediction is to contain; nil: all are sampled.
    public var frozen: FrozenActions?
    /// What the chunk starts from; nil: the noise, and the guess by the observation alone.
    ///
    /// With the settings' `warmSteps` it is re-noised and the last steps alone are taken, by any method: the chunk's quality is then
    /// `warm`. Without, quasi-Newton sampling begins near it, and the chunk depends on it within the tolerance; other methods ignore
    /// it.
    public var guess: Guess?

    /// A request.
    public init(
        history: ObservationHistory,
        noise: Noise,
        deadline: MonotonicTime? = nil,
        frozen: FrozenActions? = nil,
        guess: Guess? = nil
    ) {
        self.history = history
        self.noise = noise
        self.deadline = deadline
        self.frozen = frozen
        self.guess = guess
    }
}

extension SamplingRequest.Noise {
    /// Checks that noise which is given is `count` finite numbers.
    func check(count: Int) throws(ActionChunkError) {
        guard case .given(let numbers) = self else { return }
        guard numbers.count == count else { throw .noiseCount(found: numbers.count, expected: count) }
        for index in numbers.indices where !numbers[index].isFinite {
            throw .notFinite(what: "noise", index: index, value: numbers[index])
        }
    }

    /// Writes the noise. Allocates nothing.
    ///
    /// - Parameter values: as many as the noise was checked for.
    func fill(_ values: inout MutableSpan<Float>) {
        switch self {
        case .seed(let seed):
            var generator = GaussianNoise(seed: seed)
            generator.fill(&values)
        case .given(let numbers):
            for index in numbers.indices { values[index] = numbers[index] }
        }
    }
}
