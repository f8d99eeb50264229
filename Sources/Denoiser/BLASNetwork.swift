/// The network on BLAS: a matrix product for each convolution, plain loops for the rest. It runs on every processor, and
/// what it computes is what the packed kernels are tested against.
///
/// Activations are [batch, time, channels].
final class BLASNetwork {
    private let architecture: UNet1DArchitecture
    private let encoder: [Resolution]
    private let bottom: [ConditionalResidualBlock1d]
    private let decoder: [Resolution]
    private let finalConvolution: Conv1d
    private let finalNorm: GroupNormMish
    private let outputConvolution: Conv1d
    private let workspace: Workspace

    init<Failure: Error>(
        architecture: UNet1DArchitecture,
        maximumBatch: Int,
        parameter value: (String) throws(Failure) -> [Float]
    ) throws(Failure) {
        let shapes = architecture.residualBlocks
        let filmCounts = shapes.map { $0.outChannels * architecture.filmValuesPerChannel }
        var blocks: [ConditionalResidualBlock1d] = []
        for (index, shape) in shapes.enumerated() {
            blocks.append(
                try ConditionalResidualBlock1d(
                    shape,
                    architecture: architecture,
                    filmOffset: filmCounts[..<index].reduce(0, +),
                    parameter: value
                )
            )
        }

        var next = blocks.makeIterator()
        func nextBlock() -> ConditionalResidualBlock1d {
            guard let block = next.next() else {
                preconditionFailure("fewer blocks than the architecture has")
            }
            return block
        }
        var encoder: [Resolution] = []
        for shape in architecture.encoder {
            let resolution = Resolution(first: nextBlock(), second: nextBlock(), length: shape.length)
            if let name = shape.resample {
                resolution.downsample = Conv1d(
                    weight: try value("\(name).weight"),
                    bias: try value("\(name).bias"),
                    taps: 3,
                    stride: 2
                )
            }
            encoder.append(resolution)
        }
        let bottom = architecture.bottom.map { _ in nextBlock() }
        var decoder: [Resolution] = []
        for shape in architecture.decoder {
            let resolution = Resolution(first: nextBlock(), second: nextBlock(), length: shape.length)
            if let name = shape.resample {
                resolution.upsample = ConvTranspose1d(
                    weight: try value("\(name).weight"),
                    bias: try value("\(name).bias")
                )
            }
            decoder.append(resolution)
        }

        self.architecture = architecture
        self.encoder = encoder
        self.bottom = bottom
        self.decoder = decoder
        self.finalConvolution = Conv1d(
            weight: try value("final_conv.0.block.0.weight"),
            bias: try value("final_conv.0.block.0.bias"),
            taps: architecture.kernelSize
        )
        self.finalNorm = GroupNormMish(
            gain: try value("final_conv.0.block.1.weight"),
            bias: try value("final_conv.0.block.1.bias"),
            groups: UNet1DArchitecture.finalGroups
        )
        self.outputConvolution = Conv1d(
            weight: try value("final_conv.1.weight"),
            bias: try value("final_conv.1.bias"),
            taps: 1
        )
        self.workspace = Workspace(
            architecture: architecture,
            columnCount: max(
                (encoder + decoder).map(\.columnCount).max() ?? 0,
                bottom.map { $0.columnCount(length: encoder[encoder.count - 1].length) }.max() ?? 0,
                finalConvolution.columnCount(length: architecture.horizon)
            ),
            maximumBatch: maximumBatch
        )
    }

    /// The network's output for `batch` samples.
    ///
    /// - Parameters:
    ///   - samples: [batch, horizon, actionDim].
    ///   - film: [batch, filmStride].
    ///   - outputs: [batch, horizon, actionDim].
    func forward(
        _ samples: UnsafePointer<Float>,
        batch: Int,
        film: UnsafePointer<Float>,
        filmStride: Int,
        into outputs: UnsafeMutablePointer<Float>
    ) {
        let x = workspace.current.pointer
        let y = workspace.next.pointer
        let columns = workspace.columns.pointer

        func run(
            _ block: ConditionalResidualBlock1d,
            _ input: UnsafePointer<Float>,
            length: Int,
            into output: UnsafeMutablePointer<Float>
        ) {
            block(
                input,
                batch: batch,
                length: length,
                film: film,
                filmStride: filmStride,
                hidden: workspace.hidden.pointer,
                columns: columns,
                into: output
            )
        }

        x.update(from: samples, count: batch * architecture.sampleCount)
        for (level, resolution) in encoder.enumerated() {
            let skip = workspace.skip(level)
            run(resolution.first, x, length: resolution.length, into: y)
            run(resolution.second, y, length: resolution.length, into: skip)
            if resolution.downsample != nil {
                resolution.downsample!(
                    skip,
                    batch: batch,
                    length: resolution.length,
                    columns: columns,
                    into: x
                )
            } else {
                x.update(from: skip, count: batch * resolution.outputCount)
            }
        }

        let coarsest = encoder[encoder.count - 1].length
        run(bottom[0], x, length: coarsest, into: y)
        run(bottom[1], y, length: coarsest, into: x)

        for (index, resolution) in decoder.enumerated() {
            let level = encoder.count - 1 - index
            concatenateChannels(
                x,
                workspace.skip(level),
                rows: batch * resolution.length,
                channels: encoder[level].second.outChannels,
                into: y
            )
            run(resolution.first, y, length: resolution.length, into: x)
            run(resolution.second, x, length: resolution.length, into: y)
            if resolution.upsample != nil {
                resolution.upsample!(y, batch: batch, length: resolution.length, columns: columns, into: x)
            }
        }

        finalConvolution(x, batch: batch, length: architecture.horizon, columns: columns, into: y)
        for sample in 0..<batch {
            finalNorm(
                y + sample * architecture.horizon * finalConvolution.outChannels,
                length: architecture.horizon
            )
        }
        outputConvolution(y, batch: batch, length: architecture.horizon, columns: columns, into: outputs)
    }
}

/// `output` [rows, 2 * channels] holds each row of `first` [rows, channels] followed by that of `second`.
private func concatenateChannels(
    _ first: UnsafePointer<Float>,
    _ second: UnsafePointer<Float>,
    rows: Int,
    channels: Int,
    into output: UnsafeMutablePointer<Float>
) {
    for row in 0..<rows {
        (output + 2 * row * channels).update(from: first + row * channels, count: channels)
        (output + (2 * row + 1) * channels).update(from: second + row * channels, count: channels)
    }
}

/// Two residual blocks at one resolution and what leads to the next one.
private final class Resolution {
    let first: ConditionalResidualBlock1d
    let second: ConditionalResidualBlock1d
    let length: Int
    var downsample: Conv1d?
    var upsample: ConvTranspose1d?

    init(first: ConditionalResidualBlock1d, second: ConditionalResidualBlock1d, length: Int) {
        self.first = first
        self.second = second
        self.length = length
    }

    /// Floats of the second block's output for one sample.
    var outputCount: Int { length * second.outChannels }

    /// Floats of window scratch for one sample.
    var columnCount: Int {
        var count = max(first.columnCount(length: length), second.columnCount(length: length))
        if downsample != nil { count = max(count, downsample!.columnCount(length: length)) }
        if upsample != nil { count = max(count, upsample!.columnCount(length: length)) }
        return count
    }
}

/// The activations of a forward pass, sized for the largest batch.
private struct Workspace: ~Copyable {
    let current: FloatBuffer
    let next: FloatBuffer
    let hidden: FloatBuffer
    let columns: FloatBuffer
    private let skips: FloatBuffer
    private let skipOffsets: [Int]

    init(architecture: UNet1DArchitecture, columnCount: Int, maximumBatch: Int) {
        // The widest row any resolution holds is the decoder's input: what comes up next to what was skipped.
        let largest = architecture.encoder.map { 2 * $0.length * $0.second.outChannels }.max() ?? 0
        let perSample = max(largest, architecture.sampleCount)
        self.current = FloatBuffer(count: maximumBatch * perSample)
        self.next = FloatBuffer(count: maximumBatch * perSample)
        self.hidden = FloatBuffer(count: maximumBatch * perSample)
        self.columns = FloatBuffer(count: maximumBatch * columnCount)
        var offsets: [Int] = []
        var total = 0
        for resolution in architecture.encoder {
            offsets.append(total)
            total += maximumBatch * resolution.length * resolution.second.outChannels
        }
        self.skips = FloatBuffer(count: total)
        self.skipOffsets = offsets
    }

    /// The encoder's output at a resolution, [batch, length, channels].
    func skip(_ level: Int) -> UnsafeMutablePointer<Float> { skips.pointer + skipOffsets[level] }
}
