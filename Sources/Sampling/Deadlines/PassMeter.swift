import Clocks

/// Lets others have the predictor between the passes that a `PassMeter` times.
public protocol PassTurns {
    /// A pass over so many samples is about to begin, for the first time or again.
    ///
    /// - Returns: whether it is to be run; if not, its outputs are zeros, and nobody will use what comes of them.
    func passBegins(batch: Int) -> Bool

    /// The pass has ended.
    ///
    /// - Parameter isDone: whether there are outputs; if not, it begins again.
    func passEnds(batch: Int, nanoseconds: Double, isDone: Bool)
}

/// A predictor that times its passes and counts them.
public final class PassMeter<Predictor: NoisePredictor>: NoisePredictor {
    /// Times of all passes.
    public private(set) var timings: PassTimings
    /// What all passes took, those too that were given up.
    public private(set) var totalNanoseconds = 0.0

    private let predictor: Predictor
    private let turns: (any PassTurns)?
    private let now: () -> MonotonicTime
    /// Batch sizes of the passes since `takePasses` was called last.
    private var passes: [Int] = []
    private let maximumBatch: Int

    /// Batch sizes that `measure` times, without the largest: windows, and groups. The first list that there is time for.
    private static var sizes: [[Int]] {
        [[1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64], [1, 2, 4, 8, 16, 32, 64], [1]]
    }
    /// The first passes find the caches cold.
    private static var warmUpRounds: Int { 2 }

    /// - Parameters:
    ///   - predictor: whose passes are timed.
    ///   - maximumBatch: what the predictor takes at once, at least 1.
    ///   - turns: others who use the predictor; nil: nobody does.
    ///   - now: the time.
    public init(
        _ predictor: Predictor,
        maximumBatch: Int,
        turns: (any PassTurns)? = nil,
        now: @escaping () -> MonotonicTime = MonotonicTime.now
    ) {
        self.predictor = predictor
        self.maximumBatch = maximumBatch
        self.turns = turns
        self.now = now
        timings = PassTimings(maximumBatch: maximumBatch)
    }

    /// A pass of the predictor.
    @_lifetime(outputs: copy outputs)
    public func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        guard let elapsed = time(samples: samples, timesteps: timesteps, into: &outputs) else { return }
        timings.add(batch: timesteps.count, nanoseconds: elapsed)
        passes.append(timesteps.count)
    }

    /// The passes since they were last asked for, in their order: the batch size of each.
    public func takePasses() -> [Int] {
        defer { passes = [] }
        return passes
    }

    /// Times passes of some batch sizes, 1 and the largest among them, and counts none.
    ///
    /// - Parameters:
    ///   - timestep: one that the predictor takes.
    ///   - sampleSize: elements of a sample.
    ///   - rounds: passes of each batch size that count, at least 1. There are fewer, but one, if they take longer than `limit`.
    ///   - limit: nanoseconds that all of it may take, about, given what a single pass takes. If they are few, fewer batch sizes
    ///     are timed.
    ///   - progress: is told after each pass which share of all that is done, 0 to 1, about.
    public func measure(
        timestep: Int,
        sampleSize: Int,
        rounds: Int,
        limit: (_ single: Double) -> Double = { _ in .infinity },
        progress: (_ share: Double) -> Void = { _ in }
    ) {
        let samples = [Float](repeating: 0.1, count: maximumBatch * sampleSize)
        let timesteps = [Int](repeating: timestep, count: maximumBatch)
        var outputs = samples
        func time(_ size: Int) -> Double? {
            var span = outputs.mutableSpan
            var batchOutputs = span._mutatingExtracting(first: size * sampleSize)
            return self.time(
                samples: samples.span.extracting(0..<size * sampleSize),
                timesteps: timesteps.span.extracting(0..<size),
                into: &batchOutputs
            )
        }
        let begun = totalNanoseconds
        guard let single = time(1) else { return }
        let limit = limit(single)
        let sizes = Self.sizes(upTo: maximumBatch, single: single, limit: limit)
        // If one pass of each takes a good part of the time, the warm-up cannot be afforded, and matters little.
        let round = single * Double(sizes.reduce(0, +))
        let warmUps = round > limit / 8 ? 0 : Self.warmUpRounds
        // Sizes take turns, so that a spell in which the machine is slow meets all alike.
        for number in 0..<warmUps + rounds {
            if number > warmUps, totalNanoseconds - begun > limit { break }
            for size in sizes {
                guard let elapsed = time(size) else { return }
                progress(min((totalNanoseconds - begun) / min(limit, round * Double(warmUps + rounds)), 1))
                if number >= warmUps { timings.add(batch: size, nanoseconds: elapsed) }
            }
        }
    }

    /// The batch sizes to time: as many as there is time for, if a pass takes as much longer as it has more samples.
    private static func sizes(upTo largest: Int, single: Double, limit: Double) -> [Int] {
        var sizes: [Int] = []
        for list in Self.sizes {
            sizes = list.filter { $0 < largest } + [largest]
            if single * Double(sizes.reduce(0, +)) <= limit / 2 { break }
        }
        return sizes
    }

    /// The nanoseconds of a pass, as often as it takes until there are outputs; nil if it was not run.
    @_lifetime(outputs: copy outputs)
    private func time(
        samples: Span<Float>,
        timesteps: Span<Int>,
        into outputs: inout MutableSpan<Float>
    ) -> Double? {
        let batch = timesteps.count
        while true {
            guard turns?.passBegins(batch: batch) ?? true else {
                for index in outputs.indices { outputs[index] = 0 }
                return nil
            }
            let begun = now()
            let isDone = predictor.predict(
                samples: samples,
                timesteps: timesteps,
                until: nil,
                into: &outputs
            )
            let elapsed = Double(now().nanoseconds(since: begun))
            totalNanoseconds += elapsed
            turns?.passEnds(batch: batch, nanoseconds: elapsed, isDone: isDone)
            if isDone { return elapsed }
        }
    }
}
