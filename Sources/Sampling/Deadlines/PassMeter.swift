import Clocks

/// A predictor that times its passes and counts them.
public final class PassMeter<Predictor: NoisePredictor>: NoisePredictor {
    /// Times of all passes.
    public private(set) var timings: PassTimings

    private let predictor: Predictor
    private let now: () -> MonotonicTime
    /// Passes since `takePasses` was called last, by batch size: element i counts batches of i + 1.
    private var passes: [Int]

    /// Batch sizes that `measure` times: windows, and groups.
    private static var sizes: [Int] { [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64] }
    /// The first passes find the caches cold.
    private static var warmUpRounds: Int { 2 }

    /// - Parameters:
    ///   - predictor: whose passes are timed.
    ///   - maximumBatch: what the predictor takes at once, at least 1.
    ///   - now: the time.
    public init(
        _ predictor: Predictor,
        maximumBatch: Int,
        now: @escaping () -> MonotonicTime = MonotonicTime.now
    ) {
        self.predictor = predictor
        self.now = now
        timings = PassTimings(maximumBatch: maximumBatch)
        passes = [Int](repeating: 0, count: maximumBatch)
    }

    /// A pass of the predictor.
    public func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        let elapsed = time(samples: samples, timesteps: timesteps, into: &outputs)
        timings.add(batch: timesteps.count, nanoseconds: elapsed)
        passes[timesteps.count - 1] += 1
    }

    /// The passes since they were last asked for, by batch size; element i for i + 1, [maximumBatch].
    public func takePasses() -> [Int] {
        defer { passes = [Int](repeating: 0, count: passes.count) }
        return passes
    }

    /// Times `rounds` passes of each of some batch sizes, 1 and the largest among them, and counts none.
    ///
    /// - Parameters:
    ///   - timestep: one that the predictor takes.
    ///   - sampleSize: elements of a sample.
    ///   - rounds: passes of each batch size that count, at least 1.
    public func measure(timestep: Int, sampleSize: Int, rounds: Int) {
        let maximumBatch = passes.count
        let sizes = Self.sizes.filter { $0 < maximumBatch } + [maximumBatch]
        let samples = [Float](repeating: 0.1, count: maximumBatch * sampleSize)
        let timesteps = [Int](repeating: timestep, count: maximumBatch)
        var outputs = samples
        // Sizes take turns, so that a spell in which the machine is slow meets all alike.
        for round in 0..<Self.warmUpRounds + rounds {
            for size in sizes {
                var span = outputs.mutableSpan
                var batchOutputs = span._mutatingExtracting(first: size * sampleSize)
                let elapsed = time(
                    samples: samples.span.extracting(0..<size * sampleSize),
                    timesteps: timesteps.span.extracting(0..<size),
                    into: &batchOutputs
                )
                if round >= Self.warmUpRounds { timings.add(batch: size, nanoseconds: elapsed) }
            }
        }
    }

    /// The nanoseconds of a pass.
    private func time(
        samples: Span<Float>,
        timesteps: Span<Int>,
        into outputs: inout MutableSpan<Float>
    ) -> Double {
        let begun = now()
        predictor.predict(samples: samples, timesteps: timesteps, into: &outputs)
        return Double(now().nanoseconds(since: begun))
    }
}
