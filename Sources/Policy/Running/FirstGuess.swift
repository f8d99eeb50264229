/// What a chunk is likely to be by its observation alone: x_0 as a linear function of the condition.
///
/// A ridge regression (Hoerl and Kennard, *Ridge Regression*, 1970) on the samples of a calibration. With few samples c_i
/// of many features it is cheapest in its dual form: with the mean sample and condition taken off,
///
///     x_0(c) = mean x_0 + sum over i of  (c_i . c) a_i          (K + ridge tr(K) / S I) a = x_0,   K_ij = c_i . c_j
package struct FirstGuess: Codable, Hashable, Sendable {
    /// [conditionCount].
    package let meanCondition: [Float]
    /// [sampleSize].
    package let meanX0: [Float]
    /// c_i, [samples, conditionCount].
    package let conditions: [Float]
    /// a_i, [samples, sampleSize].
    package let coefficients: [Float]

    package init(meanCondition: [Float], meanX0: [Float], conditions: [Float], coefficients: [Float]) {
        self.meanCondition = meanCondition
        self.meanX0 = meanX0
        self.conditions = conditions
        self.coefficients = coefficients
    }

    /// The guess for a condition, [sampleSize].
    package func prediction(for condition: [Float]) -> [Float] {
        var x0 = meanX0
        predict(condition, into: &x0)
        return x0
    }

    /// Writes the guess for a condition. Allocates nothing.
    ///
    /// - Parameters:
    ///   - condition: [conditionCount].
    ///   - x0: receives it, in the elements from `first` on.
    ///   - first: the index of the first of its [sampleSize] elements.
    package func predict(_ condition: [Float], into x0: inout [Float], from first: Int = 0) {
        let conditionCount = meanCondition.count
        let sampleSize = meanX0.count
        for element in 0..<sampleSize { x0[first + element] = meanX0[element] }
        for sample in 0..<conditions.count / conditionCount {
            var product: Float = 0
            for feature in 0..<conditionCount {
                product +=
                    conditions[sample * conditionCount + feature]
                    * (condition[feature] - meanCondition[feature])
            }
            for element in 0..<sampleSize {
                x0[first + element] += product * coefficients[sample * sampleSize + element]
            }
        }
    }

    /// Whether all its arrays have the sizes given, and finite numbers.
    package func fits(conditionCount: Int, sampleSize: Int) -> Bool {
        meanCondition.count == conditionCount && meanX0.count == sampleSize
            && conditions.count.isMultiple(of: conditionCount)
            && coefficients.count == conditions.count / conditionCount * sampleSize
            && [meanCondition, meanX0, conditions, coefficients].allSatisfy { $0.allSatisfy(\.isFinite) }
    }
}
