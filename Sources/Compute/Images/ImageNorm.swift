import CKernels

/// What a layer makes of a convolution's sums before it adds a residual: for each channel, `sum * scale + shift`.
///
/// Group normalisation finds scale and shift in the sums. For batch normalisation by running statistics they are constants,
/// and the scale is part of the weights.
final class ImageNorm {
    /// Whether scale and shift depend on the sums.
    let isGrouped: Bool
    /// [channels], padded to whole vectors.
    private let gain: FloatBuffer
    private let bias: FloatBuffer

    /// Group normalisation, a vector of channels being a group.
    init(gain: [Float], bias: [Float]) {
        precondition(ImageNormShape.groupWidth == Int(dn_lanes), "a group is a vector")
        self.isGrouped = true
        self.gain = Self.padded(gain)
        self.bias = Self.padded(bias)
    }

    /// The sums and a number for each channel.
    init(shift: [Float]) {
        self.isGrouped = false
        self.gain = Self.padded(shift.map { _ in 1 })
        self.bias = Self.padded(shift)
    }

    private static func padded(_ values: [Float]) -> FloatBuffer {
        FloatBuffer(values + Array(repeating: 0, count: paddedChannels(values.count) - values.count))
    }

    /// The scale and shift of a vector of channels that do not depend on the sums.
    func constants(vector: Int) -> (scale: UnsafePointer<Float>, shift: UnsafePointer<Float>) {
        let first = vector * Int(dn_lanes)
        return (UnsafePointer(gain.pointer + first), UnsafePointer(bias.pointer + first))
    }

    /// Writes the scale and shift of a group with these moments (Wu and He 2018, equation 1), [lanes] each.
    func write(
        vector: Int,
        mean: Float,
        variance: Float,
        scale: UnsafeMutablePointer<Float>,
        shift: UnsafeMutablePointer<Float>
    ) {
        let inverse = 1 / (variance + ImageNormShape.epsilon).squareRoot()
        let first = vector * Int(dn_lanes)
        for lane in 0..<Int(dn_lanes) {
            scale[lane] = gain.pointer[first + lane] * inverse
            shift[lane] = bias.pointer[first + lane] - mean * scale[lane]
        }
    }
}

extension ImageNormShape {
    /// The scale and shift of batch normalisation by running statistics (Ioffe and Szegedy 2015, algorithm 2).
    static func folded(
        gain: [Float],
        bias: [Float],
        mean: [Float],
        variance: [Float]
    ) -> (scale: [Float], shift: [Float]) {
        let scale = zip(gain, variance).map { $0 / ($1 + epsilon).squareRoot() }
        return (scale, gain.indices.map { bias[$0] - mean[$0] * scale[$0] })
    }
}
