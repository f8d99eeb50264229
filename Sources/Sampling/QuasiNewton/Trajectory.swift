/// The guess of a sample's way from noise to result, as the network was last evaluated on it.
///
/// Rows are numbered like the steps. Row j is what step j starts from, and what the network gave for it. The steps' recurrence
///
///     x[j+1] = S x[j] + X x_0 + P x_0' + z                                         (1) in docs/SAMPLING.md
///
/// takes it from row to row. The `advance` methods differ in where x_0 comes from.
struct Trajectory {
    /// Elements of a sample.
    let sampleSize: Int
    /// x[0], ..., x[N]; [N + 1, sampleSize].
    private(set) var samples: [Float]
    /// Row j + 1 is the x_0 that step j used last; row 0 stands for the step before the first, which has none.
    /// [N + 1, sampleSize].
    private(set) var cleanSamples: [Float]
    /// y: the sample at which each step's output was evaluated last; [N, sampleSize].
    private(set) var evaluatedAt: [Float]
    /// m(y); [N, sampleSize].
    private(set) var outputs: [Float]
    /// Whether a step has an output of this sample; [N].
    private(set) var isEvaluated: [Bool]

    private let steps: [SolverStep]

    init(steps: [SolverStep], sampleSize: Int) {
        self.steps = steps
        self.sampleSize = sampleSize
        let count = steps.count * sampleSize
        samples = Array(repeating: 0, count: count + sampleSize)
        cleanSamples = samples
        evaluatedAt = Array(repeating: 0, count: count)
        outputs = evaluatedAt
        isEvaluated = Array(repeating: false, count: steps.count)
    }

    /// The elements of a row.
    func cells(_ row: Int) -> Range<Int> { row * sampleSize..<(row + 1) * sampleSize }

    /// Starts a sample: x[0] is the noise, and x_0 is held to be `x0` until the network says more.
    ///
    /// - Parameters:
    ///   - noise: [N + 1, sampleSize], of which the first row is used.
    ///   - x0: [sampleSize].
    mutating func start(from noise: Span<Float>, towards x0: [Float]) {
        for element in 0..<sampleSize {
            samples[element] = noise[element]
            cleanSamples[element] = x0[element]
        }
        for step in steps.indices { isEvaluated[step] = false }
    }

    /// Keeps the output of row `row` of a batch as that of the present sample.
    mutating func record(_ batch: borrowing Batch, row: Int) {
        let step = batch.steps[row]
        for element in 0..<sampleSize {
            let cell = step * sampleSize + element
            evaluatedAt[cell] = samples[cell]
            outputs[cell] = batch.outputs[row * sampleSize + element]
        }
        isEvaluated[step] = true
    }

    /// Takes a step with the output given, [sampleSize].
    ///
    /// - Parameters:
    ///   - noise: [N + 1, sampleSize]; row j + 1 is for step j.
    ///   - frozen: elements whose output follows from their known value. It is the same in every pass, so these elements add
    ///     nothing to displacements and changes.
    mutating func advance(
        _ index: Int,
        outputs: [Float],
        noise: Span<Float>,
        frozen: borrowing FrozenElements
    ) {
        let step = steps[index]
        for element in 0..<sampleSize where !frozen.range.contains(element) {
            let cell = index * sampleSize + element
            let output = outputs[element]
            let x0 = step.predictedX0(sample: samples[cell], modelOutput: output)
            advance(step, cell: cell, output: output, x0: x0, noise: noise)
        }
        advanceFrozen(index, noise: noise, frozen: frozen)
    }

    /// Takes a step with the x_0 that the step before used.
    mutating func advanceWithLastX0(_ index: Int, noise: Span<Float>, frozen: borrowing FrozenElements) {
        let step = steps[index]
        for element in 0..<sampleSize where !frozen.range.contains(element) {
            let cell = index * sampleSize + element
            let x0 = cleanSamples[cell]
            let output = step.modelOutput(sample: samples[cell], x0: x0)
            advance(step, cell: cell, output: output, x0: x0, noise: noise)
        }
        advanceFrozen(index, noise: noise, frozen: frozen)
    }

    /// Takes a step on the bridge between two nodes: x_0 is on the line (6).
    ///
    /// The line starts at the x_0 that the first node used, and has the slope of the last evaluations. What moves the x_0 of
    /// one node moves that of the next one much alike.
    mutating func advanceOnBridge(
        _ index: Int,
        from before: Int,
        to after: Int,
        noise: Span<Float>,
        frozen: borrowing FrozenElements
    ) {
        let step = steps[index]
        let part = Float(index - before) / Float(after - before)
        for element in 0..<sampleSize where !frozen.range.contains(element) {
            let here = before * sampleSize + element
            let there = after * sampleSize + element
            let rise =
                steps[after].predictedX0(sample: evaluatedAt[there], modelOutput: outputs[there])
                - steps[before].predictedX0(sample: evaluatedAt[here], modelOutput: outputs[here])
            let x0 = cleanSamples[here + sampleSize] + part * rise
            let cell = index * sampleSize + element
            let output = step.modelOutput(sample: samples[cell], x0: x0)
            advance(step, cell: cell, output: output, x0: x0, noise: noise)
        }
        advanceFrozen(index, noise: noise, frozen: frozen)
    }

    private mutating func advanceFrozen(
        _ index: Int,
        noise: Span<Float>,
        frozen: borrowing FrozenElements
    ) {
        let step = steps[index]
        for element in frozen.range {
            let cell = index * sampleSize + element
            let output = frozen.modelOutput(of: step, sample: samples[cell], element: element)
            // Computed from the output, as a sequential step does, so that all bits agree.
            let x0 = step.predictedX0(sample: samples[cell], modelOutput: output)
            advance(step, cell: cell, output: output, x0: x0, noise: noise)
        }
    }

    /// One element of (1).
    @inline(__always)
    private mutating func advance(
        _ step: SolverStep,
        cell: Int,
        output: Float,
        x0: Float,
        noise: Span<Float>
    ) {
        samples[cell + sampleSize] = step.advance(
            sample: samples[cell],
            modelOutput: output,
            x0: x0,
            previousX0: cleanSamples[cell],
            noise: noise[cell + sampleSize]
        )
        cleanSamples[cell + sampleSize] = x0
    }

    /// d_j in (7): how far a step's sample moved since it was evaluated, in the largest element. A NaN counts as largest.
    func largestDisplacement(of step: Int) -> Float {
        var largest: Float = 0
        for cell in cells(step) {
            let displacement = abs(samples[cell] - evaluatedAt[cell])
            if !(displacement <= largest) { largest = displacement }
        }
        return largest
    }

    /// How far a step's x_0 lies off the line between those of two others, in the largest element; nil if not all three were
    /// evaluated.
    func distanceFromLine(of step: Int, from before: Int, to after: Int) -> Float? {
        guard isEvaluated[before] && isEvaluated[step] && isEvaluated[after] else { return nil }
        let part = Float(step - before) / Float(after - before)
        var distance: Float = 0
        for element in 0..<sampleSize {
            let first = cleanSamples[(before + 1) * sampleSize + element]
            let last = cleanSamples[(after + 1) * sampleSize + element]
            let line = first + part * (last - first)
            distance = max(distance, abs(cleanSamples[(step + 1) * sampleSize + element] - line))
        }
        return distance
    }
}
