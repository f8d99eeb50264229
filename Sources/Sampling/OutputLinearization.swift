/// A linear model of the network at each step: how the clean sample x_0 follows the sample x, near the trajectories that a
/// policy samples.
///
/// dx_0 = gain dx, with one gain for all elements, or with a matrix over the horizon for each action dimension. The model
/// also has the size of its error. The gain is near 0 in noisy steps, where the observation decides x_0, and near 1 in the
/// last ones, where the sample decides. A matrix also tells slow changes of a sample, which x_0 follows early, from fast
/// ones. With the model an output that was evaluated at a guess of x stays useful when the guess moves.
public struct OutputLinearization: Hashable, Sendable, Codable {
    /// dx_0 / dx, not negative; shape [numInferenceSteps].
    public let gains: [Float]
    /// Largest error of dx_0 for each unit of the largest element of dx, without rounding; positive; shape
    /// [numInferenceSteps].
    public let errors: [Float]
    /// Largest change of x_0 through rounding in the network, measured with a negligible displacement; shape
    /// [numInferenceSteps].
    public let rounding: [Float]
    /// Distance of x_0 from the mean of the x_0 of the two neighbouring steps, in the largest element; not negative; shape
    /// [numInferenceSteps].
    public let volatility: [Float]
    /// Matrices dx_0 / dx over the horizon, the same for every action dimension; shape [numInferenceSteps, horizon,
    /// horizon], a row for each element of x_0. Empty if the gains are used.
    public let matrices: [Float]

    /// The rows and columns of a matrix; 0 without.
    var horizon: Int {
        gains.isEmpty ? 0 : Int(Double(matrices.count / gains.count).squareRoot())
    }

    /// Creates a linearisation. All arrays but `matrices` have one number for each step.
    public init(
        gains: [Float],
        errors: [Float],
        rounding: [Float],
        volatility: [Float],
        matrices: [Float] = []
    ) {
        precondition(
            [errors.count, rounding.count, volatility.count].allSatisfy { $0 == gains.count },
            "\(gains.count) gains, \(errors.count) errors, \(rounding.count) roundings, \(volatility.count) volatilities"
        )
        self.gains = gains
        self.errors = errors
        self.rounding = rounding
        self.volatility = volatility
        self.matrices = matrices
        precondition(
            matrices.count == gains.count * horizon * horizon,
            "\(matrices.count) numbers are not \(gains.count) square matrices"
        )
    }

    /// What x_0 changes by in a step where x changes by `displacement`, both of shape [horizon, actionDim].
    @inline(__always)
    func follow(step: Int, displacement: [Float], into change: inout [Float]) {
        guard !matrices.isEmpty else {
            for element in displacement.indices { change[element] = gains[step] * displacement[element] }
            return
        }
        let horizon = horizon
        let actionDim = displacement.count / horizon
        for row in 0..<horizon {
            for dimension in 0..<actionDim {
                var sum: Float = 0
                for column in 0..<horizon {
                    sum +=
                        matrices[(step * horizon + row) * horizon + column]
                        * displacement[column * actionDim + dimension]
                }
                change[row * actionDim + dimension] = sum
            }
        }
    }

    /// The model before any measurement: x_0 does not follow x, may be off as much as x is, and has unbounded volatility.
    static func unknown(steps: Int) -> OutputLinearization {
        OutputLinearization(
            gains: [Float](repeating: 0, count: steps),
            errors: [Float](repeating: 1, count: steps),
            rounding: [Float](repeating: 0, count: steps),
            volatility: [Float](repeating: .infinity, count: steps)
        )
    }

    /// Measures it on sequential samples under the predictor's present condition.
    ///
    /// Blocks of steps are guessed from the x_0 before the block, as the quasi-Newton sampler guesses steps that enter its
    /// window. The network's outputs at the guesses and at the true samples give pairs of displacement and change. The gain
    /// is the least-squares fit over the pairs. The error is the 95th percentile of what the fit misses, less the rounding.
    /// The rounding is the largest change when true samples move by 0.0001. The volatility is the root mean square over the
    /// samples.
    ///
    /// With a `horizon` the matrices are measured too (`MatrixFit`), and the errors are those of the matrices.
    ///
    /// - Parameters:
    ///   - noise: [samples, numInferenceSteps + 1, sampleCount].
    ///   - maximumBatch: pairs that the predictor takes at once.
    ///   - horizon: rows of a sample; nil: no matrices.
    ///   - beforeSample: called with the index of each sample before it is drawn.
    ///   - afterSample: called with the index of each sample and its result, [sampleCount].
    static func measure(
        steps: [SolverStep],
        predictor: borrowing some NoisePredictor,
        noise: [Float],
        sampleCount: Int,
        maximumBatch: Int,
        horizon: Int? = nil,
        beforeSample: (Int) -> Void = { _ in },
        afterSample: (Int, [Float]) -> Void = { _, _ in }
    ) -> OutputLinearization {
        let samples = noise.count / ((steps.count + 1) * sampleCount)
        var matrices = horizon.map { MatrixFit(steps: steps, horizon: $0, actionDim: sampleCount / $0) }
        var sums = [(displacement: Double, product: Double)](repeating: (0, 0), count: steps.count)
        var pairs = [[(displacement: [Float], change: [Float])]](repeating: [], count: steps.count)
        var rounding = [Float](repeating: 0, count: steps.count)
        var squaredDistances = [Float](repeating: 0, count: steps.count)
        for sample in 0..<samples {
            let count = (steps.count + 1) * sampleCount
            beforeSample(sample)
            let reference = ReferenceTrajectory(
                steps: steps,
                predictor: predictor,
                noise: Array(noise[sample * count..<(sample + 1) * count]),
                sampleCount: sampleCount
            )
            afterSample(sample, Array(reference.trajectory.suffix(sampleCount)))
            for row in steps.indices.dropFirst().dropLast() {
                let distance = reference.distanceFromNeighbours(row)
                squaredDistances[row] += distance * distance
            }
            for start in stride(from: 0, to: steps.count, by: maximumBatch) {
                let rows = start..<min(start + maximumBatch, steps.count)
                let cells = start * sampleCount..<rows.upperBound * sampleCount
                let inputs = reference.trajectory[cells].enumerated().map {
                    $0.isMultiple(of: 2) ? $1 + Self.nudge : $1 - Self.nudge
                }
                let x0 = reference.predictX0(at: inputs, rows: rows, predictor: predictor)
                for (index, pair) in zip(reference.x0[cells], x0).enumerated() {
                    let row = start + index / sampleCount
                    rounding[row] = max(rounding[row], abs(pair.0 - pair.1))
                }
            }
            matrices?.observe(reference, sample: sample, predictor: predictor, maximumBatch: maximumBatch)
            for rows in Self.blocks(of: steps.count, sample: sample) {
                let guesses = reference.guesses(rows)
                for start in stride(from: rows.lowerBound, to: rows.upperBound, by: maximumBatch) {
                    let batch = start..<min(start + maximumBatch, rows.upperBound)
                    let offset = (start - rows.lowerBound) * sampleCount
                    let inputs = Array(guesses[offset..<offset + batch.count * sampleCount])
                    let x0 = reference.predictX0(at: inputs, rows: batch, predictor: predictor)
                    for row in batch {
                        let here = (row - start) * sampleCount..<(row - start + 1) * sampleCount
                        let there = row * sampleCount..<(row + 1) * sampleCount
                        let displacement = zip(reference.trajectory[there], inputs[here]).map { $0 - $1 }
                        let change = zip(reference.x0[there], x0[here]).map { $0 - $1 }
                        for (dx, dx0) in zip(displacement, change) {
                            sums[row].displacement += Double(dx) * Double(dx)
                            sums[row].product += Double(dx) * Double(dx0)
                        }
                        pairs[row].append((displacement, change))
                    }
                }
            }
        }

        let gains = sums.map { sum in
            // A policy whose output does not depend on the sample has no displacement to divide by.
            sum.displacement > 1e-12 ? Float(max(sum.product / sum.displacement, 0)) : 0
        }
        var volatility = squaredDistances.map { ($0 / Float(max(samples, 1))).squareRoot() }
        // The first and the last step have one neighbour only, so they take its volatility.
        if volatility.count > 2 {
            volatility[0] = volatility[1]
            volatility[volatility.count - 1] = volatility[volatility.count - 2]
        }
        let linear = OutputLinearization(
            gains: gains,
            errors: [Float](repeating: 1, count: steps.count),
            rounding: rounding,
            volatility: smoothed(volatility),
            matrices: matrices?.matrices ?? []
        )
        let errors = steps.indices.map { row in
            linear.largestError(of: pairs[row], step: row)
        }
        return OutputLinearization(
            gains: gains,
            errors: smoothed(errors),
            rounding: rounding,
            volatility: linear.volatility,
            matrices: linear.matrices
        )
    }

    /// 95th percentile of the errors of a step's pairs, in units of the displacement.
    ///
    /// Rounding is subtracted, and displacements shorter than the rounding are ignored. If all are that short, the longest
    /// one counts with its rounding.
    private func largestError(of pairs: [(displacement: [Float], change: [Float])], step: Int) -> Float {
        let rounding = rounding[step]
        let missed = pairs.map { displacement, change in
            var expected = [Float](repeating: 0, count: displacement.count)
            follow(step: step, displacement: displacement, into: &expected)
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

    /// Blocks of steps, each of which is guessed from one x_0.
    ///
    /// The first sample of a block is exact, so it gives no pair. Blocks therefore begin at other steps in each sample.
    private static func blocks(of steps: Int, sample: Int) -> [Range<Int>] {
        let starts = [0] + Array(stride(from: (5 * sample) % block, to: steps, by: block)).drop { $0 == 0 }
        return zip(starts, starts.dropFirst() + [steps]).map { $0..<$1 }
    }

    /// The most steps guessed from one x_0.
    private static let block = 16
    private static let nudge: Float = 1e-4
    /// Smaller displacements count as zero.
    private static let smallestDisplacement: Float = 1e-6
    /// Lower bound of an error, for steps whose x_0 was clipped in every sample.
    private static let smallestError: Float = 0.02
}
