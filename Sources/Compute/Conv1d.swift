/// A 1D convolution over [batch, time, channels], as a matrix product: what each output reads is laid out as one row.
final class Conv1d {
    private let inChannels: Int
    private let outChannels: Int
    private let taps: Int
    private let stride: Int
    private let weight: FloatBuffer
    private let bias: FloatBuffer

    /// - Parameters:
    ///   - weight: PyTorch's [outChannels, inChannels, taps].
    ///   - bias: [outChannels].
    ///   - taps: odd; the input is padded by `taps / 2` zeros at both ends.
    ///   - stride: the length that comes out is `(length - 1) / stride + 1`.
    init(weight: [Float], bias: [Float], taps: Int, stride: Int = 1) {
        self.outChannels = bias.count
        self.inChannels = weight.count / bias.count / taps
        self.taps = taps
        self.stride = stride
        self.weight = FloatBuffer(
            tapMajor(weight, outChannels: outChannels, inChannels: inChannels, taps: taps)
        )
        self.bias = FloatBuffer(bias)
    }

    /// Floats of scratch that a call needs for each sample of the given length.
    func columnCount(length: Int) -> Int {
        taps == 1 && stride == 1 ? 0 : ((length - 1) / stride + 1) * taps * inChannels
    }

    /// Convolves `input` [batch, length, inChannels].
    ///
    /// - Parameters:
    ///   - columns: scratch of `batch * columnCount(length:)` floats.
    ///   - output: [batch, outLength, outChannels].
    ///   - adding: adds to the output instead of overwriting it.
    func callAsFunction(
        _ input: UnsafePointer<Float>,
        batch: Int,
        length: Int,
        columns: UnsafeMutablePointer<Float>,
        into output: UnsafeMutablePointer<Float>,
        adding: Bool = false
    ) {
        let outLength = (length - 1) / stride + 1
        let rows = batch * outLength
        for row in 0..<rows {
            let values = output + row * outChannels
            if adding {
                for channel in 0..<outChannels { values[channel] += bias.pointer[channel] }
            } else {
                values.update(from: bias.pointer, count: outChannels)
            }
        }
        let isPointwise = taps == 1 && stride == 1
        if !isPointwise {
            layOutWindows(
                of: input,
                batch: batch,
                length: length,
                channels: inChannels,
                taps: taps,
                stride: stride,
                into: columns
            )
        }
        multiply(
            input: isPointwise ? input : UnsafePointer(columns),
            inputStride: taps * inChannels,
            weight: weight.pointer,
            output: output,
            outputStride: outChannels,
            rows: rows,
            columns: outChannels,
            depth: taps * inChannels,
            addingTo: 1
        )
    }
}

/// Writes, for each output time, the `taps` input rows that it sees, one after the other; zeros beyond the ends.
///
/// - Parameters:
///   - input: [batch, length, channels].
///   - columns: [batch, (length - 1) / stride + 1, taps, channels].
func layOutWindows(
    of input: UnsafePointer<Float>,
    batch: Int,
    length: Int,
    channels: Int,
    taps: Int,
    stride: Int,
    into columns: UnsafeMutablePointer<Float>
) {
    let outLength = (length - 1) / stride + 1
    var destination = columns
    for sample in 0..<batch {
        let source = input + sample * length * channels
        for outTime in 0..<outLength {
            for tap in 0..<taps {
                let time = outTime * stride + tap - taps / 2
                if time >= 0 && time < length {
                    destination.update(from: source + time * channels, count: channels)
                } else {
                    destination.update(repeating: 0, count: channels)
                }
                destination += channels
            }
        }
    }
}

/// PyTorch's [out, in, taps] as [out, taps, in], the order in which the inputs of one output follow each other.
private func tapMajor(_ weight: [Float], outChannels: Int, inChannels: Int, taps: Int) -> [Float] {
    var result = [Float](repeating: 0, count: weight.count)
    for out in 0..<outChannels {
        for channel in 0..<inChannels {
            for tap in 0..<taps {
                result[(out * taps + tap) * inChannels + channel] =
                    weight[(out * inChannels + channel) * taps + tap]
            }
        }
    }
    return result
}
