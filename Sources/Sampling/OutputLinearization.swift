/// How the clean sample x_0 that the network predicts follows the sample x it is given, step by step, near the
/// trajectories that a policy samples: dx_0 = gain dx, one number for all elements, and what that misses.
///
/// The gain is close to 0 in the noisy steps, where the observation decides, and close to 1 in the last ones, where the
/// sample does. A network output evaluated at a guess of x stays useful with it when the guess moves.
public struct OutputLinearization: Hashable, Sendable, Codable {
    /// dx_0 / dx, not negative; shape [numInferenceSteps].
    public let gains: [Float]
    /// The largest error of x_0 in a unit of the largest displacement of x, beside the rounding; positive; shape
    /// [numInferenceSteps].
    public let errors: [Float]
    /// The largest change of x_0 that a displacement too small to matter brings about, by the rounding within the network;
    /// shape [numInferenceSteps].
    public let rounding: [Float]
    /// How far x_0 lies off the middle between those of the steps before and after, the largest element's distance; not
    /// negative; shape [numInferenceSteps].
    public let volatility: [Float]

    /// A linearisation from its parts, which have a number for each step.
    public init(gains: [Float], errors: [Float], rounding: [Float], volatility: [Float]) {
        precondition(
            [errors.count, rounding.count, volatility.count].allSatisfy { $0 == gains.count },
            "\(gains.count) gains, \(errors.count) errors, \(rounding.count) roundings, \(volatility.count) volatilities"
        )
        self.gains = gains
        self.errors = errors
        self.rounding = rounding
        self.volatility = volatility
    }

    /// Where nothing was measured: x_0 does not follow, may be off by as much as x, and wanders without bound.
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
    /// Each block of steps is guessed as the quasi-Newton sampler guesses steps that enter its window, from the x_0 before
    /// the block; the network's outputs at the guesses and at the true samples then give pairs of displacement and
    /// change. The gain is the least-squares fit over them, the error what all but one in twenty stay below, less the rounding.
    /// The rounding is the largest change between the true samples and the same moved by a ten-thousandth. The volatility is
    /// the root mean square over the samples.
    ///
    /// - Parameters:
    ///   - noise: [samples, numInferenceSteps + 1, sampleCount].
    ///   - maximumBatch: pairs that the predictor takes at once.
    static func measure(
        steps: [SolverStep],
        predictor: borrowing some NoisePredictor,
        noise: [Float],
        sampleCount: Int,
        maximumBatch: Int
    ) -> OutputLinearization {
        let samples = noise.count / ((steps.count + 1) * sampleCount)
        var sums = [(displacement: Double, product: Double)](repeating: (0, 0), count: steps.count)
        var pairs = [[(displacement: [Float], change: [Float])]](repeating: [], count: steps.count)
        var rounding = [Float](repeating: 0, count: steps.count)
        var squaredDistances = [Float](repeating: 0, count: steps.count)
        for sample in 0..<samples {
            let count = (steps.count + 1) * sampleCount
            let reference = ReferenceTrajectory(
                steps: steps,
                predictor: predictor,
                noise: Array(noise[sample * count..<(sample + 1) * count]),
                sampleCount: sampleCount
            )
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
        let errors = steps.indices.map { row in
            largestError(of: pairs[row], gain: gains[row], rounding: rounding[row])
        }
        var volatility = squaredDistances.map { ($0 / Float(max(samples, 1))).squareRoot() }
        // The ends have one neighbour each, and wander like it.
        if volatility.count > 2 {
            volatility[0] = volatility[1]
            volatility[volatility.count - 1] = volatility[volatility.count - 2]
        }
        return OutputLinearization(
            gains: gains,
            errors: smoothed(errors),
            rounding: rounding,
            volatility: smoothed(volatility)
        )
    }

    /// What all but one in twenty of the errors of a step's pairs stay below, in units of the displacement.
    ///
    /// The rounding is taken off, and displacements shorter than it say nothing. Where all are short, the longest with its
    /// rounding is the most that can be said.
    private static func largestError(
        of pairs: [(displacement: [Float], change: [Float])],
        gain: Float,
        rounding: Float
    ) -> Float {
        let missed = pairs.map { displacement, change in
            (
                displacement: displacement.reduce(0) { max($0, abs($1)) },
                error: zip(displacement, change).reduce(0) { max($0, abs($1.1 - gain * $1.0)) }
            )
        }
        guard let longest = missed.max(by: { $0.displacement < $1.displacement }),
            longest.displacement > smallestDisplacement
        else { return 1 }
        let ratios = missed.filter { $0.displacement > max(rounding, smallestDisplacement) }
            .map { max($0.error - rounding, 0) / $0.displacement }.sorted()
        let largest = ratios.isEmpty ? 0 : ratios[ratios.count - 1 - (ratios.count - 1) / 20]
        return max(largest, longest.error / longest.displacement, smallestError)
    }

    /// The mean over the steps nearby: a few samples tell a step's own extremes badly, and neighbours of many steps are alike.
    private static func smoothed(_ values: [Float]) -> [Float] {
        let reach = values.count / 50
        return values.indices.map { index in
            let nearby = values[max(index - reach, 0)...min(index + reach, values.count - 1)]
            return nearby.reduce(0, +) / Float(nearby.count)
        }
    }

    /// The blocks of steps that are guessed from one x_0 each.
    ///
    /// A block's first sample is known, so it tells nothing: blocks begin elsewhere in every sample.
    private static func blocks(of steps: Int, sample: Int) -> [Range<Int>] {
        let starts = [0] + Array(stride(from: (5 * sample) % block, to: steps, by: block)).drop { $0 == 0 }
        return zip(starts, starts.dropFirst() + [steps]).map { $0..<$1 }
    }

    /// The most steps guessed from one x_0.
    private static let block = 16
    private static let nudge: Float = 1e-4
    /// What is displaced less is not displaced.
    private static let smallestDisplacement: Float = 1e-6
    /// Keeps an error above zero where x_0 is clipped in every sample measured.
    private static let smallestError: Float = 0.02
}

/// A sequential sample with everything on its way.
private struct ReferenceTrajectory {
    let steps: [SolverStep]
    let noise: [Float]
    let sampleCount: Int
    /// [N + 1, sampleCount].
    private(set) var trajectory: [Float] = []
    /// What each step predicted, clipped; [N, sampleCount].
    private(set) var x0: [Float] = []

    init(steps: [SolverStep], predictor: borrowing some NoisePredictor, noise: [Float], sampleCount: Int) {
        self.steps = steps
        self.noise = noise
        self.sampleCount = sampleCount
        trajectory = Array(noise[0..<sampleCount])
        for row in steps.indices {
            let outputs = evaluate(
                Array(trajectory.suffix(sampleCount)),
                rows: row..<row + 1,
                predictor: predictor
            )
            advance(row, outputs: outputs)
        }
    }

    private mutating func advance(_ row: Int, outputs: [Float]) {
        for element in 0..<sampleCount {
            let sample = trajectory[row * sampleCount + element]
            let predicted = steps[row].predictedX0(sample: sample, modelOutput: outputs[element])
            x0.append(predicted)
            trajectory.append(
                steps[row].advance(
                    sample: sample,
                    modelOutput: outputs[element],
                    x0: predicted,
                    previousX0: row > 0 ? x0[(row - 1) * sampleCount + element] : 0,
                    noise: noise[(row + 1) * sampleCount + element]
                )
            )
        }
    }

    private func evaluate(
        _ samples: [Float],
        rows: Range<Int>,
        predictor: borrowing some NoisePredictor
    ) -> [Float] {
        var outputs = [Float](repeating: 0, count: samples.count)
        let timesteps = rows.map { steps[$0].timestep }
        var span = outputs.mutableSpan
        predictor.predict(samples: samples.span, timesteps: timesteps.span, into: &span)
        return outputs
    }

    /// How far the x_0 of a step with two neighbours lies off the middle between theirs, in the largest element.
    func distanceFromNeighbours(_ row: Int) -> Float {
        (row * sampleCount..<(row + 1) * sampleCount).reduce(0) { largest, cell in
            max(largest, abs(x0[cell] - (x0[cell - sampleCount] + x0[cell + sampleCount]) / 2))
        }
    }

    /// The clipped x_0 that the network predicts at `samples`, [rows.count, sampleCount].
    func predictX0(
        at samples: [Float],
        rows: Range<Int>,
        predictor: borrowing some NoisePredictor
    ) -> [Float] {
        let outputs = evaluate(samples, rows: rows, predictor: predictor)
        return outputs.indices.map { index in
            steps[rows.lowerBound + index / sampleCount].predictedX0(
                sample: samples[index],
                modelOutput: outputs[index]
            )
        }
    }

    /// The samples of `rows` where the first is known and every x_0 is the one before the first, or 0 where there is
    /// none; [rows.count, sampleCount].
    func guesses(_ rows: Range<Int>) -> [Float] {
        let first = rows.lowerBound * sampleCount
        let held =
            first > 0 ? Array(x0[first - sampleCount..<first]) : [Float](repeating: 0, count: sampleCount)
        var samples = Array(trajectory[first..<first + sampleCount])
        for row in rows.dropLast() {
            for element in 0..<sampleCount {
                let sample = samples[(row - rows.lowerBound) * sampleCount + element]
                samples.append(
                    steps[row].advance(
                        sample: sample,
                        modelOutput: steps[row].modelOutput(sample: sample, x0: held[element]),
                        x0: held[element],
                        previousX0: held[element],
                        noise: noise[(row + 1) * sampleCount + element]
                    )
                )
            }
        }
        return samples
    }
}
