import COpenBLAS
import Policy

/// The regression that a first guess is made of.
extension FirstGuess {
    /// An eighth of what the conditions vary is taken for noise: each x_0 was drawn once, with a noise of its own.
    private static let ridge = 0.13

    /// - Parameter samples: conditions, all of one size, and the x_0 sampled under each; at least one.
    package init(_ samples: [(condition: [Float], x0: [Float])]) {
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
        self.init(
            meanCondition: meanCondition,
            meanX0: meanX0,
            conditions: conditions.flatMap { $0 },
            coefficients: Self.solve(products, centred).flatMap { $0.map { Float($0) } }
        )
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
