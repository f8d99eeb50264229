import COpenBLAS
import Safetensors

/// What a chunk is likely to be by its observation alone: x_0 as a linear function of the condition.
///
/// A ridge regression (Hoerl and Kennard, *Ridge Regression*, 1970) on the samples of a calibration. With few samples c_i
/// of many features it is cheapest in its dual form: with the mean sample and condition taken off,
///
///     x_0(c) = mean x_0 + sum over i of  (c_i . c) a_i          (K + ridge tr(K) / S I) a = x_0,   K_ij = c_i . c_j
struct FirstGuess: Codable, Hashable, Sendable {
    /// [conditionCount].
    let meanCondition: [Float]
    /// [sampleCount].
    let meanX0: [Float]
    /// c_i, [samples, conditionCount].
    let conditions: [Float]
    /// a_i, [samples, sampleCount].
    let coefficients: [Float]

    /// An eighth of what the conditions vary is taken for noise: each x_0 was drawn once, with a noise of its own.
    private static let ridge = 0.13

    /// - Parameter samples: conditions, all of one size, and the x_0 sampled under each; at least one.
    init(_ samples: [(condition: [Float], x0: [Float])]) {
        let meanCondition = Self.mean(samples.map(\.condition))
        let meanX0 = Self.mean(samples.map(\.x0))
        let conditions = samples.map { zip($0.condition, meanCondition).map { $0 - $1 } }
        let centred = samples.map { zip($0.x0, meanX0).map { Double($0 - $1) } }
        var products = conditions.map { left in
            conditions.map { right in zip(left, right).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
        }
        let trace = products.indices.reduce(0) { $0 + products[$1][$1] }
        // Conditions that are all the same say nothing, and divide by nothing.
        for index in products.indices {
            products[index][index] += max(Self.ridge * trace / Double(samples.count), 1e-6)
        }
        self.meanCondition = meanCondition
        self.meanX0 = meanX0
        self.conditions = conditions.flatMap { $0 }
        coefficients = Self.solve(products, centred).flatMap { $0.map { Float($0) } }
    }

    /// The guess for a condition, [sampleCount].
    func prediction(for condition: [Float]) -> [Float] {
        var x0 = meanX0
        predict(condition, into: &x0)
        return x0
    }

    /// Writes the guess for a condition. Allocates nothing.
    ///
    /// - Parameter x0: [sampleCount]; receives it.
    func predict(_ condition: [Float], into x0: inout [Float]) {
        let conditionCount = meanCondition.count
        let sampleCount = meanX0.count
        for element in 0..<sampleCount { x0[element] = meanX0[element] }
        for sample in 0..<conditions.count / conditionCount {
            var product: Float = 0
            for feature in 0..<conditionCount {
                product +=
                    conditions[sample * conditionCount + feature]
                    * (condition[feature] - meanCondition[feature])
            }
            for element in 0..<sampleCount {
                x0[element] += product * coefficients[sample * sampleCount + element]
            }
        }
    }

    /// Whether all its parts are of the sizes given, and finite.
    func fits(conditionCount: Int, sampleCount: Int) -> Bool {
        meanCondition.count == conditionCount && meanX0.count == sampleCount
            && conditions.count.isMultiple(of: conditionCount)
            && coefficients.count == conditions.count / conditionCount * sampleCount
            && [meanCondition, meanX0, conditions, coefficients].allSatisfy { $0.allSatisfy(\.isFinite) }
    }

    private static func mean(_ rows: [[Float]]) -> [Float] {
        rows[0].indices.map { index in rows.reduce(0) { $0 + $1[index] } / Float(rows.count) }
    }

    /// The solution X of A X = B for a symmetric positive definite A; zeros if A is not, or a number is not finite.
    private static func solve(_ matrix: [[Double]], _ rightSides: [[Double]]) -> [[Double]] {
        let rows = matrix.indices
        let columns = rightSides[0].indices
        // LAPACK stores by columns, and answers in the place of B. Every argument is an address, of a variable of its own: Swift
        // gives out none twice in a call.
        var factors = matrix.flatMap { $0 }
        var solution = columns.flatMap { column in rightSides.map { $0[column] } }
        var triangle = CChar(UInt8(ascii: "L"))
        var (order, stride, solutionStride) = (blasint(rows.count), blasint(rows.count), blasint(rows.count))
        var count = blasint(columns.count)
        var failure: blasint = 0
        dpotrf_(&triangle, &order, &factors, &stride, &failure)
        guard failure == 0 else { return rightSides.map { $0.map { _ in 0 } } }
        dpotrs_(&triangle, &order, &count, &factors, &stride, &solution, &solutionStride, &failure)
        return rows.map { row in columns.map { solution[$0 * rows.count + row] } }
    }
}
