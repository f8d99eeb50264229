import Foundation

/// The image network on BLAS: a matrix product for each convolution, plain loops for the rest. It runs on every processor, and
/// what it computes is what the packed kernels are tested against.
///
/// Activations are [height, width, channels]. A frame at a time.
final class BLASImageNetwork {
    private struct Operation {
        let layer: ImageLayer
        /// [outChannels, taps, taps, inChannels]; empty for a pool.
        let weight: FloatBufferBox
        let bias: [Float]
        let norm: Norm?
    }

    /// Group normalisation with a gain and a bias, or batch normalisation as a scale and a shift.
    private final class Norm {
        let channels: Int
        let isGrouped: Bool
        let gain: FloatBuffer
        let bias: FloatBuffer

        init<Failure: Error>(
            _ shape: ImageNormShape,
            parameter: (NetworkParameter) throws(Failure) -> [Float]
        ) throws(Failure) {
            channels = shape.channels
            isGrouped = shape.kind == .group
            var numbers = (gain: try parameter(shape.gain), bias: try parameter(shape.bias))
            if shape.kind == .batch {
                let folded = ImageNormShape.folded(
                    gain: numbers.gain,
                    bias: numbers.bias,
                    mean: try parameter(shape.runningMean),
                    variance: try parameter(shape.runningVariance)
                )
                numbers = (folded.scale, folded.shift)
            }
            gain = FloatBuffer(numbers.gain)
            bias = FloatBuffer(numbers.bias)
        }
    }

    private let operations: [Operation]
    private let activations: [FloatBufferBox]
    private let columns: FloatBuffer
    /// Of the group normalisation at hand, [channels].
    private let scales: FloatBuffer
    private let shifts: FloatBuffer
    private let grid: [Float]
    private let result: FloatBuffer

    /// A buffer that can be an element of an array.
    private final class FloatBufferBox {
        let buffer: FloatBuffer
        init(_ buffer: consuming FloatBuffer) { self.buffer = buffer }
        var pointer: UnsafeMutablePointer<Float> { buffer.pointer }
    }

    /// - Throws: what `parameter` throws.
    init<Failure: Error>(
        layers: [ImageLayer],
        grid: NetworkParameter,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        var operations: [Operation] = []
        for layer in layers {
            var weight: [Float] = []
            var bias: [Float] = []
            if let shape = layer.convolution {
                weight = Self.channelsLast(try parameter(shape.weight), shape)
                bias = shape.hasBias ? try parameter(shape.bias) : []
            }
            var norm: Norm?
            if let shape = layer.norm { norm = try Norm(shape, parameter: parameter) }
            operations.append(
                Operation(layer: layer, weight: FloatBufferBox(FloatBuffer(weight)), bias: bias, norm: norm)
            )
        }
        self.operations = operations
        self.activations = ([layers[0].input] + layers.map(\.output)).map {
            FloatBufferBox(FloatBuffer(count: $0.channels * $0.height * $0.width))
        }
        self.columns = FloatBuffer(
            count: layers.map { layer in
                (layer.convolution?.weight.count ?? 0) / layer.output.channels * layer.output.height
                    * layer.output.width
            }.max() ?? 0
        )
        let channels = layers.map(\.output.channels).max() ?? 0
        self.scales = FloatBuffer(count: channels)
        self.shifts = FloatBuffer(count: channels)
        self.grid = try parameter(grid)
        self.result = FloatBuffer(count: 2 * layers[layers.count - 1].output.channels)
    }

    /// [out, in, taps, taps] as [out, taps, taps, in].
    private static func channelsLast(_ weight: [Float], _ shape: ImageConvolutionShape) -> [Float] {
        let area = shape.taps * shape.taps
        return (0..<shape.outChannels).flatMap { out in
            (0..<area).flatMap { tap in
                (0..<shape.inChannels).map { weight[(out * shape.inChannels + $0) * area + tap] }
            }
        }
    }

    /// The expected positions of a frame's keypoints, [keypoints, 2], x first; valid until the next call.
    ///
    /// - Parameter frame: [height, width, 3].
    func points(of frame: UnsafePointer<Float>) -> UnsafePointer<Float> {
        let input = operations[0].layer.input
        activations[0].pointer.update(from: frame, count: input.channels * input.height * input.width)
        for operation in operations { run(operation) }
        locate()
        return UnsafePointer(result.pointer)
    }

    private func run(_ operation: Operation) {
        let layer = operation.layer
        let input = UnsafePointer(activations[layer.input.id].pointer)
        let output = activations[layer.output.id].pointer
        let positions = layer.output.height * layer.output.width
        let channels = layer.output.channels
        switch layer.operation {
        case .maximumPool: pool(input, layer, into: output)
        case .convolution(let shape):
            let depth = shape.taps * shape.taps * shape.inChannels
            unroll(input, layer, shape)
            multiply(
                input: columns.pointer,
                inputStride: depth,
                weight: operation.weight.pointer,
                output: output,
                outputStride: channels,
                rows: positions,
                columns: channels,
                depth: depth,
                addingTo: 0
            )
        }
        for position in 0..<positions {
            for (channel, value) in operation.bias.enumerated() {
                output[position * channels + channel] += value
            }
        }
        if let norm = operation.norm { normalize(output, positions: positions, norm) }
        let residual = layer.residual.map { UnsafePointer(activations[$0.id].pointer) }
        for index in 0..<positions * channels {
            let value = output[index] + (residual?[index] ?? 0)
            output[index] = layer.rectifies && value < 0 ? 0 : value
        }
    }

    /// Copies the inputs of each output position side by side, zeros outside.
    private func unroll(_ input: UnsafePointer<Float>, _ layer: ImageLayer, _ shape: ImageConvolutionShape) {
        let channels = shape.inChannels
        var target = columns.pointer
        for row in 0..<layer.output.height {
            for position in 0..<layer.output.width {
                for y in 0..<shape.taps {
                    for x in 0..<shape.taps {
                        let (sourceRow, source) = (
                            row * shape.stride + y - shape.taps / 2,
                            position * shape.stride + x - shape.taps / 2
                        )
                        if (0..<layer.input.height).contains(sourceRow),
                            (0..<layer.input.width).contains(source)
                        {
                            let first = (sourceRow * layer.input.width + source) * channels
                            target.update(from: input + first, count: channels)
                        } else {
                            target.update(repeating: 0, count: channels)
                        }
                        target += channels
                    }
                }
            }
        }
    }

    private func pool(
        _ input: UnsafePointer<Float>,
        _ layer: ImageLayer,
        into output: UnsafeMutablePointer<Float>
    ) {
        let channels = layer.input.channels
        for row in 0..<layer.output.height {
            for position in 0..<layer.output.width {
                let target = output + (row * layer.output.width + position) * channels
                target.update(repeating: -.infinity, count: channels)
                for y in max(2 * row - 1, 0)...min(2 * row + 1, layer.input.height - 1) {
                    for x in max(2 * position - 1, 0)...min(2 * position + 1, layer.input.width - 1) {
                        let source = input + (y * layer.input.width + x) * channels
                        for channel in 0..<channels {
                            target[channel] = max(target[channel], source[channel])
                        }
                    }
                }
            }
        }
    }

    /// Scales and shifts each channel, as the group's moments say or as running statistics said.
    private func normalize(_ values: UnsafeMutablePointer<Float>, positions: Int, _ norm: Norm) {
        let channels = norm.channels
        if norm.isGrouped {
            let width = ImageNormShape.groupWidth
            for first in stride(from: 0, to: channels, by: width) {
                let group = first..<first + width
                let moments = moments(values, positions: positions, channels: channels, group: group)
                let inverse = 1 / (moments.variance + Double(ImageNormShape.epsilon)).squareRoot()
                for channel in group {
                    scales.pointer[channel] = Float(Double(norm.gain.pointer[channel]) * inverse)
                    shifts.pointer[channel] =
                        norm.bias.pointer[channel] - Float(moments.mean) * scales.pointer[channel]
                }
            }
        }
        let scale = norm.isGrouped ? scales.pointer : norm.gain.pointer
        let shift = norm.isGrouped ? shifts.pointer : norm.bias.pointer
        for position in 0..<positions {
            for channel in 0..<channels {
                let index = position * channels + channel
                values[index] = values[index] * scale[channel] + shift[channel]
            }
        }
    }

    private func moments(
        _ values: UnsafePointer<Float>,
        positions: Int,
        channels: Int,
        group: Range<Int>
    ) -> (mean: Double, variance: Double) {
        let count = Double(positions * group.count)
        func sum(_ term: (Double) -> Double) -> Double {
            (0..<positions).reduce(0) { sum, position in
                group.reduce(sum) { $0 + term(Double(values[position * channels + $1])) }
            }
        }
        let mean = sum { $0 } / count
        return (mean, sum { ($0 - mean) * ($0 - mean) } / count)
    }

    private func locate() {
        let map = operations[operations.count - 1].layer.output
        let logits = activations[map.id].pointer
        let positions = map.height * map.width
        for keypoint in 0..<map.channels {
            func logit(_ position: Int) -> Float { logits[position * map.channels + keypoint] }
            let largest = (0..<positions).reduce(-Float.infinity) { max($0, logit($1)) }
            var (sum, x, y): (Float, Float, Float) = (0, 0, 0)
            for position in 0..<positions {
                let weight = exp(logit(position) - largest)
                sum += weight
                x += weight * grid[2 * position]
                y += weight * grid[2 * position + 1]
            }
            result.pointer[2 * keypoint] = x / sum
            result.pointer[2 * keypoint + 1] = y / sum
        }
    }
}
