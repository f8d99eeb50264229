/// The decoder's upsampling: a transposed 1D convolution with 4 taps, stride 2 and padding 1, which doubles the length.
///
/// Input time `i` reaches output time `2i - 1 + tap`, so an even output `2t` sees inputs `t - 1` and `t` through taps
/// 3 and 1, an odd output `2t + 1` sees `t` and `t + 1` through taps 2 and 0. Both are ordinary matrix products over
/// two neighbouring columns of the same rows of three inputs, and their results interleave.
final class ConvTranspose1d {
    private static let taps = 4

    private let channels: Int
    private let evenWeight: FloatBuffer
    private let oddWeight: FloatBuffer
    private let bias: FloatBuffer

    /// - Parameters:
    ///   - weight: PyTorch's [inChannels, outChannels, 4], as many in as out.
    ///   - bias: [channels].
    init(weight: [Float], bias: [Float]) {
        let channels = bias.count
        func select(_ first: Int, _ second: Int) -> [Float] {
            var result: [Float] = []
            result.reserveCapacity(2 * channels * channels)
            for out in 0..<channels {
                for tap in [first, second] {
                    for channel in 0..<channels {
                        result.append(weight[(channel * channels + out) * Self.taps + tap])
                    }
                }
            }
            return result
        }
        self.channels = channels
        self.evenWeight = FloatBuffer(select(3, 1))
        self.oddWeight = FloatBuffer(select(2, 0))
        self.bias = FloatBuffer(bias)
    }

    /// Floats of scratch that a call needs for each sample of the given length.
    func columnCount(length: Int) -> Int { length * 3 * channels }

    /// Maps `input` [batch, length, channels] to `output` [batch, 2 * length, channels].
    ///
    /// - Parameter columns: scratch of `batch * columnCount(length:)` floats.
    func callAsFunction(
        _ input: UnsafePointer<Float>,
        batch: Int,
        length: Int,
        columns: UnsafeMutablePointer<Float>,
        into output: UnsafeMutablePointer<Float>
    ) {
        for row in 0..<(batch * 2 * length) {
            (output + row * channels).update(from: bias.pointer, count: channels)
        }
        layOutWindows(
            of: input,
            batch: batch,
            length: length,
            channels: channels,
            taps: 3,
            stride: 1,
            into: columns
        )
        func product(
            columns: UnsafePointer<Float>,
            weight: UnsafePointer<Float>,
            output: UnsafeMutablePointer<Float>
        ) {
            multiply(
                input: columns,
                inputStride: 3 * channels,
                weight: weight,
                output: output,
                outputStride: 2 * channels,
                rows: batch * length,
                columns: channels,
                depth: 2 * channels,
                addingTo: 1
            )
        }
        product(columns: columns, weight: evenWeight.pointer, output: output)
        product(columns: columns + channels, weight: oddWeight.pointer, output: output + channels)
    }
}
