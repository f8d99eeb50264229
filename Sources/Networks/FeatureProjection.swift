import Compute

/// The end of an encoder: the linear layer and the ReLU that turn a frame's keypoints into features.
package struct FeatureProjection {
    /// [features, features]
    private let weight: [Float]
    private let bias: [Float]
    /// A frame's keypoints.
    private var points: [Float]

    /// - Parameter parameter: the values of one of the architecture's parameters, as many as its shape says.
    /// - Throws: what `parameter` throws.
    package init<Failure: Error>(
        _ architecture: ResNetArchitecture,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        weight = try parameter(architecture.linear.weight)
        bias = try parameter(architecture.linear.bias)
        points = [Float](repeating: 0, count: bias.count)
    }

    /// Numbers of a frame: two for each keypoint, and as many features.
    package var count: Int { bias.count }

    /// Turns rows of keypoints, x first and both in -1...1, into features, in place. Allocates nothing.
    package mutating func apply(to rows: inout MutableSpan<Float>) {
        for first in stride(from: 0, to: rows.count, by: count) {
            for index in 0..<count { points[index] = rows[first + index] }
            for feature in 0..<count {
                var sum = bias[feature]
                for index in 0..<count { sum += weight[feature * count + index] * points[index] }
                // What is not a number stays so.
                rows[first + feature] = sum < 0 ? 0 : sum
            }
        }
    }
}
