import Policy
import Sampling

/// Chunks sampled with one window, to find how many passes they take and of which batch sizes.
///
/// Passes are counted, and what they take is put in afterwards, from all the passes of all the windows: what other work on
/// the machine adds to some passes of a window then says nothing against it.
struct WindowTrial {
    private let window: Int
    private let sampler: Sampler
    /// Passes by batch size, element i for i + 1.
    private var passes: [Int]
    private var chunks = 0

    /// The windows to choose from.
    static let windows = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32]
    static let mostChunks = 6
    /// By how much of the fastest window's time another may be slower after its first chunk, after two by half of that, and
    /// so on.
    private static let firstMargin = 0.5

    /// - Parameter maximumBatch: of the meter's predictor.
    init(window: Int, sampler: Sampler, maximumBatch: Int) {
        self.window = window
        self.sampler = sampler
        passes = [Int](repeating: 0, count: maximumBatch)
    }

    /// Samples chunks with each window, more of those that are close to the fastest.
    ///
    /// - Parameters:
    ///   - trials: at least one.
    ///   - meter: has timed passes of all batch sizes.
    ///   - beforeChunk: gives the network the observation of a chunk, from 1 on, and returns a guess of its result,
    ///     [sampleSize], or nil. Called for each chunk of each window.
    /// - Returns: The windows that stayed close to the last, in order, with the same chunks each.
    static func compare(
        _ trials: [WindowTrial],
        meter: PassMeter<some NoisePredictor>,
        beforeChunk: (Int) -> [Float]? = { _ in nil }
    ) -> [Calibration.Window] {
        var trials = trials
        for chunk in 1...mostChunks {
            for index in trials.indices {
                trials[index].sampleChunk(chunk, guess: beforeChunk(chunk), meter: meter)
            }
            let times = ForwardTimes(of: meter.timings)
            let costs = trials.map { $0.nanoseconds(times) }
            let fastest = costs.reduce(.infinity, min)
            trials = zip(trials, costs).filter { $1 <= fastest * (1 + firstMargin / Double(chunk)) }.map(\.0)
        }
        let times = ForwardTimes(of: meter.timings)
        return trials.map { trial in
            let chunks = Double(trial.chunks)
            let evaluations = trial.passes.enumerated().reduce(0) { $0 + ($1.offset + 1) * $1.element }
            return Calibration.Window(
                window: trial.window,
                iterations: Double(trial.passes.reduce(0, +)) / chunks,
                evaluations: Double(evaluations) / chunks,
                milliseconds: trial.nanoseconds(times) / chunks / 1e6
            )
        }
    }

    /// What the chunks' passes take when nothing disturbs them.
    private func nanoseconds(_ times: ForwardTimes) -> Double {
        passes.enumerated().reduce(0) { $0 + Double($1.element) * times.typical(batch: $1.offset + 1) }
    }

    private mutating func sampleChunk(
        _ chunk: Int,
        guess: [Float]?,
        meter: PassMeter<some NoisePredictor>
    ) {
        var noise = [Float](repeating: 0, count: sampler.noiseCount)
        var sample = [Float](repeating: 0, count: sampler.sampleSize)
        // Not the noise that the linearisation was measured with.
        var generator = GaussianNoise(seed: UInt64(1_000 + chunk))
        var noiseSpan = noise.mutableSpan
        generator.fill(&noiseSpan)
        var span = sample.mutableSpan
        let guessed = guess ?? []
        _ = sampler.sample(with: meter, noise: noise.span, guess: guessed.span, into: &span)
        for (index, count) in meter.takePasses().enumerated() { passes[index] += count }
        chunks += 1
    }
}
