import Policy
import Sampling

/// Chunks sampled with one window, to find how many passes they take and of which batch sizes.
///
/// Passes are counted, and what they take is put in afterwards, from all the passes of all the windows: what other work on
/// the machine adds to some passes of a window then says nothing against it.
struct WindowTrial {
    let window: Int
    private let sampler: Sampler
    /// The chunks so far: the batch size of each pass.
    private(set) var chunks: [[Int]] = []

    init(window: Int, sampler: Sampler) {
        self.window = window
        self.sampler = sampler
    }

    /// The mean number of passes for a chunk.
    var passes: Double { Double(chunks.reduce(0) { $0 + $1.count }) / Double(chunks.count) }
    /// The mean number of evaluations for a chunk.
    var evaluations: Double {
        Double(chunks.reduce(0) { $0 + $1.reduce(0, +) }) / Double(chunks.count)
    }

    /// What a chunk's passes take when nothing disturbs them, in the mean.
    func nanoseconds(_ times: ForwardTimes) -> Double {
        chunks.reduce(0) { $0 + $1.reduce(0) { $0 + times.typical(batch: $1) } } / Double(chunks.count)
    }

    /// What was found, with the times of passes.
    func result(_ times: ForwardTimes) -> Calibration.Window {
        Calibration.Window(
            window: window,
            iterations: passes,
            evaluations: evaluations,
            milliseconds: nanoseconds(times) / 1e6,
            chunks: chunks
        )
    }

    /// Samples a chunk.
    ///
    /// - Parameters:
    ///   - number: of the chunk, from 1; its noise depends on it alone.
    ///   - guess: of its result, [sampleSize], or nil.
    ///   - meter: counts the passes.
    mutating func sampleChunk(_ number: Int, guess: [Float]?, meter: PassMeter<some NoisePredictor>) {
        var noise = [Float](repeating: 0, count: sampler.noiseCount)
        var sample = [Float](repeating: 0, count: sampler.sampleSize)
        // Not the noise that the linearisation was measured with.
        var generator = GaussianNoise(seed: UInt64(1_000 + number))
        var noiseSpan = noise.mutableSpan
        generator.fill(&noiseSpan)
        var span = sample.mutableSpan
        let guessed = guess ?? []
        _ = meter.takePasses()
        _ = sampler.sample(with: meter, noise: noise.span, guess: guessed.span, into: &span)
        chunks.append(meter.takePasses())
    }
}
