import Safetensors
import StrictJSON

/// The statistics of one feature and the rule by which they normalise it.
struct NormalizationStatistics: Sendable, Hashable {
    enum Values: Sendable, Hashable {
        case identity(count: Int)
        case meanStd(mean: [Double], std: [Double])
        case minMax(min: [Double], max: [Double])
    }

    /// What happens to a dimension whose minimum and maximum are the same.
    enum ZeroRange: Sendable, Hashable {
        /// Its range is taken to be epsilon, in both directions. LeRobot since 0.4, `NormalizerProcessorStep`.
        case isEpsilon
        /// Epsilon is added to every range, when normalising only. LeRobot before 0.4, `Normalize`.
        case hasEpsilonAdded
    }

    let values: Values
    let epsilon: Double
    let zeroRange: ZeroRange

    static func identity(count: Int) -> NormalizationStatistics {
        NormalizationStatistics(values: .identity(count: count), epsilon: 0, zeroRange: .isEpsilon)
    }

    func normalizingRange(min: Double, max: Double) -> Double {
        switch zeroRange {
        case .isEpsilon: max == min ? epsilon : max - min
        case .hasEpsilonAdded: max - min + epsilon
        }
    }

    func unnormalizingRange(min: Double, max: Double) -> Double {
        switch zeroRange {
        case .isEpsilon: max == min ? epsilon : max - min
        case .hasEpsilonAdded: max - min
        }
    }
}

/// Where statistics are stored, which differs between LeRobot's layouts.
struct StatisticsSource {
    let tensors: SafetensorsCheckpoint
    let epsilon: Double
    let zeroRange: NormalizationStatistics.ZeroRange
    /// The tensor that holds a statistic (`min`, `max`, `mean` or `std`) of a feature.
    let tensorName: (_ feature: String, _ statistic: String) -> String

    /// Reads and checks what a mode needs.
    ///
    /// - Parameter shape: [count], or of a picture's three colours [3, 1, 1].
    /// - Throws: `PolicyError` for a tensor that is missing, has another shape, or holds numbers that cannot be statistics.
    func statistics(
        of feature: String,
        mode: NormalizationMode,
        shape: [Int]
    ) throws(PolicyError) -> NormalizationStatistics {
        let values: NormalizationStatistics.Values
        switch mode {
        case .identity: return .identity(count: shape.reduce(1, *))
        case .quantiles, .quantile10:
            throw PolicyError(
                tensors.name,
                feature,
                found: "normalisation by \(mode.rawValue), not supported yet",
                expected: "MIN_MAX, MEAN_STD or IDENTITY"
            )
        case .minMax:
            let min = try read("min", of: feature, shape: shape)
            let max = try read("max", of: feature, shape: shape)
            if let index = min.indices.first(where: { max[$0] < min[$0] }) {
                throw PolicyError(
                    tensors.name,
                    "tensor \(tensorName(feature, "max").quoted)",
                    found: "\(max[index]) at index \(index), less than the minimum \(min[index])",
                    expected: "at least the minimum"
                )
            }
            values = .minMax(min: min, max: max)
        case .meanStd:
            let mean = try read("mean", of: feature, shape: shape)
            let std = try read("std", of: feature, shape: shape)
            if let index = std.firstIndex(where: { $0 < 0 }) {
                throw PolicyError(
                    tensors.name,
                    "tensor \(tensorName(feature, "std").quoted)",
                    found: "\(std[index]) at index \(index)",
                    expected: "at least 0"
                )
            }
            values = .meanStd(mean: mean, std: std)
        }
        return NormalizationStatistics(values: values, epsilon: epsilon, zeroRange: zeroRange)
    }

    private func read(
        _ statistic: String,
        of feature: String,
        shape expected: [Int]
    ) throws(PolicyError) -> [Double] {
        let tensor = tensorName(feature, statistic)
        let field = "tensor \(tensor.quoted)"
        guard tensors.contains(tensor) else {
            throw PolicyError(
                tensors.name,
                field,
                found: "missing",
                expected: "the statistics of \(feature), shape \(expected)"
            )
        }
        let (shape, numbers) = try withPolicyError { () throws(SafetensorsError) in
            (try tensors.description(of: tensor).shape, try tensors.doubles(tensor))
        }
        guard shape == expected else {
            throw PolicyError(tensors.name, field, found: "shape \(shape)", expected: "shape \(expected)")
        }
        if let index = numbers.firstIndex(where: { !$0.isFinite }) {
            throw PolicyError(
                tensors.name,
                field,
                found: "\(numbers[index]) at index \(index)",
                expected: "finite numbers (statistics that were never set are infinite)"
            )
        }
        return numbers
    }
}
