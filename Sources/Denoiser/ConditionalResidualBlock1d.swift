/// A residual block of two convolutions, with the condition's FiLM between them:
/// `conv2(film(conv1(x))) + residual(x)`, where each convolution is followed by group normalisation and Mish.
final class ConditionalResidualBlock1d {
    let inChannels: Int
    let outChannels: Int
    /// Where this block's scales (if it has them) and then shifts start in a row of `FiLMConditioning`.
    private let filmOffset: Int
    private let hasScale: Bool
    private let conv1: Conv1d
    private let norm1: GroupNormMish
    private let conv2: Conv1d
    private let norm2: GroupNormMish
    /// 1-tap convolution where the number of channels changes; nil stands for the identity.
    private let residual: Conv1d?

    init<Failure: Error>(
        _ shape: ResidualBlockShape,
        architecture: UNet1DArchitecture,
        filmOffset: Int,
        parameter: (String) throws(Failure) -> [Float]
    ) throws(Failure) {
        self.inChannels = shape.inChannels
        self.outChannels = shape.outChannels
        self.filmOffset = filmOffset
        self.hasScale = architecture.useFiLMScaleModulation
        let name = shape.name
        self.conv1 = Conv1d(
            weight: try parameter("\(name).conv1.block.0.weight"),
            bias: try parameter("\(name).conv1.block.0.bias"),
            taps: architecture.kernelSize
        )
        self.norm1 = GroupNormMish(
            gain: try parameter("\(name).conv1.block.1.weight"),
            bias: try parameter("\(name).conv1.block.1.bias"),
            groups: architecture.nGroups
        )
        self.conv2 = Conv1d(
            weight: try parameter("\(name).conv2.block.0.weight"),
            bias: try parameter("\(name).conv2.block.0.bias"),
            taps: architecture.kernelSize
        )
        self.norm2 = GroupNormMish(
            gain: try parameter("\(name).conv2.block.1.weight"),
            bias: try parameter("\(name).conv2.block.1.bias"),
            groups: architecture.nGroups
        )
        if inChannels == outChannels {
            self.residual = nil
        } else {
            self.residual = Conv1d(
                weight: try parameter("\(name).residual_conv.weight"),
                bias: try parameter("\(name).residual_conv.bias"),
                taps: 1
            )
        }
    }

    /// Floats of window scratch that a call needs for each sample of the given length.
    func columnCount(length: Int) -> Int {
        max(conv1.columnCount(length: length), conv2.columnCount(length: length))
    }

    /// Maps `input` [batch, length, inChannels] to `output` [batch, length, outChannels].
    ///
    /// - Parameters:
    ///   - film: [batch, filmStride], the rows of `FiLMConditioning`.
    ///   - hidden: scratch of `batch * length * outChannels` floats.
    ///   - columns: scratch of `batch * columnCount(length:)` floats.
    func callAsFunction(
        _ input: UnsafePointer<Float>,
        batch: Int,
        length: Int,
        film: UnsafePointer<Float>,
        filmStride: Int,
        hidden: UnsafeMutablePointer<Float>,
        columns: UnsafeMutablePointer<Float>,
        into output: UnsafeMutablePointer<Float>
    ) {
        let sampleCount = length * outChannels
        conv1(input, batch: batch, length: length, columns: columns, into: hidden)
        for sample in 0..<batch {
            let values = film + sample * filmStride + filmOffset
            norm1(
                hidden + sample * sampleCount,
                length: length,
                scale: hasScale ? values : nil,
                shift: hasScale ? values + outChannels : values
            )
        }
        conv2(hidden, batch: batch, length: length, columns: columns, into: output)
        for sample in 0..<batch {
            norm2(output + sample * sampleCount, length: length)
        }
        if residual != nil {
            residual!(input, batch: batch, length: length, columns: columns, into: output, adding: true)
        } else {
            for index in 0..<(batch * sampleCount) { output[index] += input[index] }
        }
    }
}
