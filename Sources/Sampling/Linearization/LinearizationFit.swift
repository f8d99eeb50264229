/// An `OutputLinearization` that is measured on sequential samples.
///
/// - The gain of a step is the least-squares fit of change to displacement over pairs. Pairs come from blocks of steps, which
///   are guessed from the x_0 before the block, as the quasi-Newton sampler guesses steps that enter its window. The network's
///   outputs at the guesses and at the true samples give a displacement and a change for each step.
/// - The error is the 95th percentile of what the fit misses, less the rounding.
/// - The rounding is the largest change of x_0 if true samples move by 0.0001.
/// - The volatility is the root mean square over the samples of the distance of x_0 from the middle between its neighbours'.
///
/// With a horizon, matrices are fitted too (`MatrixFit`), and the errors are those of the matrices.
struct LinearizationFit {
    private let steps: [SolverStep]
    private let sampleSize: Int
    private let maximumBatch: Int
    /// Samples observed so far.
    private var samples = 0
    private var matrices: MatrixFit?
    /// Sums over pairs and elements for each step, dx . dx and dx . dx_0; [N].
    private var sums: [(displacement: Double, product: Double)]
    /// The pairs of each step, both of a pair [sampleSize]; [N].
    private var pairs: [[Pair]]
    private var rounding: [Float]
    /// The sum over samples of the squared distances from the middle between the neighbours; [N].
    private var squaredDistances: [Float]

    private typealias Pair = (displacement: [Float], change: [Float])

    /// The most steps guessed from one x_0.
    private static let block = 16
    private static let nudge: Float = 1e-4
    /// Smaller displacements count as zero.
    private static let smallestDisplacement: Float = 1e-6
    /// Lower bound of an error, for steps whose x_0 was clipped in every sample.
    private static let smallestError: Float = 0.02

    /// - Parameters:
    ///   - maximumBatch: entries that the predictor takes at once.
    ///   - horizon: rows of a sample, for matrices; nil: no matrices.
    init(steps: [SolverStep], sampleSize: Int, maximumBatch: Int, horizon: Int?) {
        self.steps = steps
        self.sampleSize = sampleSize
        self.maximumBatch = maximumBatch
        matrices = horizon.map { MatrixFit(steps: steps, horizon: $0, actionDim: sampleSize / $0) }
        sums = Array(repeating: (0, 0), count: steps.count)
        pairs = Array(repeating: [], count: steps.count)
        rounding = Array(repeating: 0, count: steps.count)
        squaredDistances = rounding
    }

    /// Takes a sample into account. Evaluates the network about it, under the predictor's present condition.
    mutating func observe(_ reference: ReferenceTrajectory, predictor: borrowing some NoisePredictor) {
        observeVolatility(reference)
        observeRounding(reference, predictor: predictor)
        matrices?.observe(reference, sample: samples, predictor: predictor, maximumBatch: maximumBatch)
        observePairs(reference, predictor: predictor)
        samples += 1
    }

    private mutating func observeVolatility(_ reference: ReferenceTrajectory) {
        for row in steps.indices.dropFirst().dropLast() {
            let distance = reference.distanceFromNeighbours(row)
            squaredDistances[row] += distance * distance
        }
    }

    private mutating func observeRounding(
        _ reference: ReferenceTrajectory,
        predictor: borrowing some NoisePredictor
    ) {
        for rows in batches(of: steps.indices) {
            let cells = rows.lowerBound * sampleSize..<rows.upperBound * sampleSize
            let inputs = reference.trajectory[cells].enumerated().map {
                $0.isMultiple(of: 2) ? $1 + Self.nudge : $1 - Self.nudge
            }
            let x0 = reference.predictX0(at: inputs, rows: rows, predictor: predictor)
            for (index, pair) in zip(reference.x0[cells], x0).enumerated() {
                let row = rows.lowerBound + index / sampleSize
                rounding[row] = max(rounding[row], abs(pair.0 - pair.1))
            }
        }
    }

    private mutating func observePairs(
        _ reference: ReferenceTrajectory,
        predictor: borrowing some NoisePredictor
    ) {
        for block in blocks(sample: samples) {
            let guesses = reference.guesses(block)
            for batch in batches(of: block) {
                let offset = (batch.lowerBound - block.lowerBound) * sampleSize
                let inputs = Array(guesses[offset..<offset + batch.count * sampleSize])
                let x0 = reference.predictX0(at: inputs, rows: batch, predictor: predictor)
                for row in batch {
                    let first = (row - batch.lowerBound) * sampleSize
                    let guess = first..<first + sampleSize
                    let truth = row * sampleSize..<(row + 1) * sampleSize
                    addPair(
                        row: row,
                        displacement: zip(reference.trajectory[truth], inputs[guess]).map { $0 - $1 },
                        change: zip(reference.x0[truth], x0[guess]).map { $0 - $1 }
                    )
                }
            }
        }
    }

    private mutating func addPair(row: Int, displacement: [Float], change: [Float]) {
        for (dx, dx0) in zip(displacement, change) {
            sums[row].displacement += Double(dx) * Double(dx)
            sums[row].product += Double(dx) * Double(dx0)
        }
        pairs[row].append((displacement, change))
    }

    /// The fit to the samples so far.
    var linearization: OutputLinearization {
        let unmeasuredErrors = OutputLinearization(
            gains: gains,
            errors: [Float](repeating: 1, count: steps.count),
            rounding: rounding,
            volatility: Self.smoothed(volatility),
            matrices: matrices?.matrices ?? []
        )
        let errors = steps.indices.map { largestError(of: unmeasuredErrors, step: $0) }
        return OutputLinearization(
            gains: unmeasuredErrors.gains,
            errors: Self.smoothed(errors),
            rounding: rounding,
            volatility: unmeasuredErrors.volatility,
            matrices: unmeasuredErrors.matrices
        )
    }

    /// (5) in docs/SAMPLING.md, not negative; [N].
    private var gains: [Float] {
        sums.map { sum in
            // A policy whose output does not depend on the sample has no displacement to divide by.
            sum.displacement > 1e-12 ? Float(max(sum.product / sum.displacement, 0)) : 0
        }
    }

    private var volatility: [Float] {
        var volatility = squaredDistances.map { ($0 / Float(max(samples, 1))).squareRoot() }
        // The first and the last step have one neighbour only, so they take its volatility.
        if volatility.count > 2 {
            volatility[0] = volatility[1]
            volatility[volatility.count - 1] = volatility[volatility.count - 2]
        }
        return volatility
    }

    /// 95th percentile of the errors of a step's pairs, in units of the displacement.
    ///
    /// Rounding is subtracted, and displacements shorter than the rounding are ignored. If all are that short, the longest
    /// one counts with its rounding.
    private func largestError(of model: OutputLinearization, step: Int) -> Float {
        let rounding = rounding[step]
        let missed = pairs[step].map { displacement, change in
            var expected = [Float](repeating: 0, count: displacement.count)
            model.expectX0Change(step: step, displacement: displacement, into: &expected)
            return (
                displacement: displacement.reduce(0) { max($0, abs($1)) },
                error: zip(expected, change).reduce(0) { max($0, abs($1.1 - $1.0)) }
            )
        }
        guard let longest = missed.max(by: { $0.displacement < $1.displacement }),
            longest.displacement > Self.smallestDisplacement
        else { return 1 }
        let ratios = missed.filter { $0.displacement > max(rounding, Self.smallestDisplacement) }
            .map { max($0.error - rounding, 0) / $0.displacement }.sorted()
        let largest = ratios.isEmpty ? 0 : ratios[ratios.count - 1 - (ratios.count - 1) / 20]
        return max(largest, longest.error / longest.displacement, Self.smallestError)
    }

    /// Mean over nearby steps. A few samples tell the extremes of a single step badly, and neighbouring steps behave alike.
    private static func smoothed(_ values: [Float]) -> [Float] {
        let reach = values.count / 50
        return values.indices.map { index in
            let nearby = values[max(index - reach, 0)...min(index + reach, values.count - 1)]
            return nearby.reduce(0, +) / Float(nearby.count)
        }
    }

    /// The batches of a range of steps that the predictor takes.
    private func batches(of rows: Range<Int>) -> [Range<Int>] {
        stride(from: rows.lowerBound, to: rows.upperBound, by: maximumBatch).map {
            $0..<min($0 + maximumBatch, rows.upperBound)
        }
    }

    /// Blocks of steps, each of which is guessed from one x_0.
    ///
    /// The first sample of a block is exact, so it gives no pair. Blocks therefore begin at other steps in each sample.
    private func blocks(sample: Int) -> [Range<Int>] {
        let inner = stride(from: (5 * sample) % Self.block, to: steps.count, by: Self.block)
        let starts = [0] + Array(inner).drop { $0 == 0 }
        return zip(starts, starts.dropFirst() + [steps.count]).map { $0..<$1 }
    }
}
