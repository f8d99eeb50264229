import Foundation

/// d x_0 / d x over the horizon, step by step, in the mean over samples and action dimensions.
///
/// A true sample is displaced by v: a cosine over the horizon, times a sign for each action dimension. Such cosines are
/// orthogonal (type-II discrete cosine transform). So M in dx_0 = M v is the sum of one term for each cosine:
///
///     M = sum over k of  mean(dx_0 under v_k)  v_k^T / (v_k . v_k)
///
/// The effect of one dimension on another carries the product of two signs, and averages out.
struct MatrixFit {
    private let steps: [SolverStep]
    private let horizon: Int
    private let actionDim: Int
    /// The sum of dx_0 under each cosine, [N, horizon (cosine), horizon], and how many are in it, [horizon (cosine)].
    private var sums: [Float]
    private var counts: [Int]

    /// Number of cosines along which each sample is displaced. The next sample takes the next ones.
    private static let displacements = 4
    /// Root mean square of a displacement: as large as those between two sweeps.
    private static let size: Float = 0.05

    init(steps: [SolverStep], horizon: Int, actionDim: Int) {
        self.steps = steps
        self.horizon = horizon
        self.actionDim = actionDim
        sums = [Float](repeating: 0, count: steps.count * horizon * horizon)
        counts = [Int](repeating: 0, count: horizon)
    }

    /// Evaluates the network about a sample, under the predictor's present condition.
    ///
    /// - Parameter sample: index of the sample, which selects its cosines.
    mutating func observe(
        _ reference: ReferenceTrajectory,
        sample: Int,
        predictor: borrowing some NoisePredictor,
        maximumBatch: Int
    ) {
        let sampleSize = horizon * actionDim
        for index in 0..<min(Self.displacements, horizon) {
            let cosine = (sample * Self.displacements + index) % horizon
            counts[cosine] += actionDim
            let signs = signs(seed: sample * Self.displacements + index)
            let displacement = (0..<sampleSize).map { element in
                signs[element % actionDim] * self.cosine(cosine, at: element / actionDim)
            }
            for start in stride(from: 0, to: steps.count, by: maximumBatch) {
                let rows = start..<min(start + maximumBatch, steps.count)
                let cells = start * sampleSize..<rows.upperBound * sampleSize
                let samples = reference.trajectory[cells].enumerated().map {
                    $1 + displacement[$0 % sampleSize]
                }
                let outputs = reference.evaluate(samples, rows: rows, predictor: predictor)
                for (cell, output) in zip(cells, outputs) {
                    let (row, element) = cell.quotientAndRemainder(dividingBy: sampleSize)
                    let step = steps[row]
                    let change =
                        Double(output - reference.outputs[cell]) - step.outputFromSample
                        * Double(displacement[element])
                    sums[(row * horizon + cosine) * horizon + element / actionDim] +=
                        signs[element % actionDim] * Float(change / step.outputFromX0)
                }
            }
        }
    }

    /// The matrices of all steps, [N, horizon, horizon]; 0 along a cosine that no sample was displaced along.
    var matrices: [Float] {
        var matrices = sums
        for step in steps.indices {
            for row in 0..<horizon {
                for column in 0..<horizon {
                    var sum: Float = 0
                    for cosine in 0..<horizon where counts[cosine] > 0 {
                        let mean = sums[(step * horizon + cosine) * horizon + row] / Float(counts[cosine])
                        sum += mean * self.cosine(cosine, at: column)
                    }
                    matrices[(step * horizon + row) * horizon + column] =
                        sum / (Self.size * Self.size * Float(horizon))
                }
            }
        }
        return matrices
    }

    /// 1 or -1 for each action dimension.
    private func signs(seed: Int) -> [Float] {
        var numbers = [Float](repeating: 0, count: actionDim)
        var generator = GaussianNoise(seed: UInt64(seed))
        var span = numbers.mutableSpan
        generator.fill(&span)
        return numbers.map { $0 < 0 ? -1 : 1 }
    }

    /// An element of a displacement: the root mean square over the horizon is `size`.
    private func cosine(_ index: Int, at row: Int) -> Float {
        guard index > 0 else { return Self.size }
        let angle = Double.pi * Double(index) * (Double(row) + 0.5) / Double(horizon)
        return Self.size * Float(2.0.squareRoot() * cos(angle))
    }
}
