import Clocks

/// The entries (sample, step, condition) that one pass of the network evaluates, and the outputs.
struct Batch {
    /// Elements of a sample.
    let sampleSize: Int
    /// The number of entries, from 0 to the capacity.
    private(set) var count = 0
    /// The entries' samples, [capacity, sampleSize]; the first `count` rows are in use, here and below.
    private(set) var samples: [Float]
    /// The solver's step that starts from each sample, [capacity].
    private(set) var steps: [Int]
    /// The training timesteps of those steps, [capacity].
    private(set) var timesteps: [Int]
    /// The condition under which each sample is evaluated, [capacity].
    private(set) var conditions: [Int]
    /// The network's outputs, [capacity, sampleSize].
    var outputs: [Float]

    /// The timestep of each of the solver's steps, [N].
    private let stepTimesteps: [Int]

    init(steps: [SolverStep], sampleSize: Int, capacity: Int) {
        self.sampleSize = sampleSize
        stepTimesteps = steps.map(\.timestep)
        samples = Array(repeating: 0, count: capacity * sampleSize)
        outputs = samples
        self.steps = Array(repeating: 0, count: capacity)
        timesteps = self.steps
        conditions = self.steps
    }

    /// Removes the entries. The memory stays.
    mutating func removeAll() { count = 0 }

    /// Adds an entry.
    ///
    /// - Parameters:
    ///   - rows: samples, of which the one at row `row` is the entry's.
    ///   - step: the step that starts from it.
    mutating func append(_ rows: [Float], row: Int, step: Int, condition: Int = 0) {
        rows.withUnsafeBufferPointer { rows in
            copy(UnsafeBufferPointer(rebasing: rows[row * sampleSize..<(row + 1) * sampleSize]), to: count)
        }
        addEntry(step: step, condition: condition)
    }

    /// Adds an entry with a sample of its own, [sampleSize].
    mutating func append(_ sample: Span<Float>, step: Int, condition: Int) {
        sample.withUnsafeBufferPointer { copy($0, to: count) }
        addEntry(step: step, condition: condition)
    }

    /// Replaces the entries by rows of [k, sampleSize], all at the same step, row i under condition i.
    mutating func replace(by rows: Span<Float>, step: Int) {
        removeAll()
        rows.withUnsafeBufferPointer { copy($0, to: 0) }
        for row in 0..<rows.count / sampleSize { addEntry(step: step, condition: row) }
    }

    /// Overwrites the samples from row `row` on, in one move of memory.
    private mutating func copy(_ rows: UnsafeBufferPointer<Float>, to row: Int) {
        samples.withUnsafeMutableBufferPointer { samples in
            let rest = UnsafeMutableBufferPointer(rebasing: samples[(row * sampleSize)...])
            _ = rest.update(fromContentsOf: rows)
        }
    }

    private mutating func addEntry(step: Int, condition: Int) {
        steps[count] = step
        timesteps[count] = stepTimesteps[step]
        conditions[count] = condition
        count += 1
    }

    /// Has the outputs of some entries computed, in one pass.
    ///
    /// - Parameter instant: when to give up; nil: never.
    /// - Returns: Whether the outputs are there; without, they are unspecified.
    mutating func evaluate(
        _ rows: Range<Int>,
        with predictor: borrowing some NoisePredictor,
        until instant: MonotonicTime?
    ) -> Bool {
        Self.evaluate(
            samples: samples,
            timesteps: timesteps,
            conditions: conditions,
            rows: rows,
            with: predictor,
            until: instant,
            into: &outputs
        )
    }

    /// Arguments of their own, because Swift lets no method hold a span of one property and a mutable one of another.
    private static func evaluate(
        samples: [Float],
        timesteps: [Int],
        conditions: [Int],
        rows: Range<Int>,
        with predictor: borrowing some NoisePredictor,
        until instant: MonotonicTime?,
        into outputs: inout [Float]
    ) -> Bool {
        let sampleSize = samples.count / timesteps.count
        let elements = rows.lowerBound * sampleSize..<rows.upperBound * sampleSize
        var span = outputs.mutableSpan
        var outputs = span._mutatingExtracting(elements)
        return predictor.predict(
            samples: samples.span.extracting(elements),
            timesteps: timesteps.span.extracting(rows),
            conditions: conditions.span.extracting(rows),
            until: instant,
            into: &outputs
        )
    }
}
