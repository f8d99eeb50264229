/// The network on BLAS: a matrix product for each convolution, plain loops for the rest. It runs on every processor, and
/// what it computes is what the packed kernels are tested against.
///
/// Activations are [batch, time, channels].
final class BLASNetwork {
    private let operations: [BLASOperation]
    /// All activations, sized for the largest batch. Those that are not needed at the same time share memory.
    private let activations: FloatBuffer
    /// The input of one convolution, laid out as rows: what each output reads.
    private let columns: FloatBuffer
    private let input: UnsafeMutablePointer<Float>
    private let inputCount: Int
    private let output: UnsafePointer<Float>
    private let outputCount: Int

    /// - Parameter layers: at least one.
    /// - Throws: what `parameter` throws.
    init<Failure: Error>(
        layers: [Layer],
        maximumBatch: Int,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        let plan = MemoryPlan(
            layers.lifetimes.map { activation, moments in
                MemoryPlan.Value(count: maximumBatch * activation.count, moments: moments)
            }
        )
        let activations = FloatBuffer(count: plan.count)
        let base = activations.pointer
        var operations: [BLASOperation] = []
        for layer in layers {
            operations.append(
                BLASOperation(
                    layer: layer,
                    work: try BLASOperation.Work(layer.operation, parameter: parameter),
                    inputs: layer.inputs.map { UnsafePointer(base + plan.offsets[$0.id]) },
                    output: base + plan.offsets[layer.output.id]
                )
            )
        }
        self.operations = operations
        self.activations = activations
        self.columns = FloatBuffer(count: maximumBatch * (operations.map(\.columnCount).max() ?? 0))
        self.input = base + plan.offsets[layers.input.id]
        self.inputCount = layers.input.count
        self.output = UnsafePointer(base + plan.offsets[layers.output.id])
        self.outputCount = layers.output.count
    }

    /// The network's output for `batch` samples.
    ///
    /// - Parameters:
    ///   - samples: [batch, length, channels] of the network's input.
    ///   - film: [batch, filmStride].
    ///   - outputs: [batch, length, channels] of the network's output.
    func forward(
        _ samples: UnsafePointer<Float>,
        batch: Int,
        film: UnsafePointer<Float>,
        filmStride: Int,
        into outputs: UnsafeMutablePointer<Float>
    ) {
        input.update(from: samples, count: batch * inputCount)
        for operation in operations {
            operation.run(batch: batch, film: film, filmStride: filmStride, columns: columns.pointer)
        }
        outputs.update(from: output, count: batch * outputCount)
    }
}

extension [Layer] {
    /// The activations by their numbers, and the layers from the first to the last that needs them. The network's input is
    /// needed from before the first layer on, its output until after the last.
    fileprivate var lifetimes: [(activation: Activation, moments: ClosedRange<Int>)] {
        var result = [(activation: input, moments: -1...0)]
        for (moment, layer) in enumerated() {
            for activation in layer.inputs + [layer.output] {
                if activation.id == result.count { result.append((activation, moment...moment)) }
                result[activation.id].moments = result[activation.id].moments.lowerBound...moment
            }
        }
        result[output.id].moments = result[output.id].moments.lowerBound...count
        return result
    }
}

/// One layer on BLAS, and the memory that it reads and writes.
private struct BLASOperation {
    /// What a layer computes, with its weights.
    enum Work {
        case convolution(Conv1d)
        case addedConvolution(Conv1d)
        case transposedConvolution(ConvTranspose1d)
        case groupNormMish(GroupNormMish)
        case modulation(FiLMShape)
        case addition
        case concatenation
    }

    let layer: Layer
    let work: Work
    let inputs: [UnsafePointer<Float>]
    let output: UnsafeMutablePointer<Float>

    /// Floats that its laid-out input needs for each sample.
    var columnCount: Int {
        let length = layer.inputs[0].length
        return switch work {
        case .convolution(let layer), .addedConvolution(let layer): layer.columnCount(length: length)
        case .transposedConvolution(let layer): layer.columnCount(length: length)
        case .groupNormMish, .modulation, .addition, .concatenation: 0
        }
    }

    /// - Parameters:
    ///   - film: [batch, filmStride].
    ///   - columns: scratch of `batch * columnCount` floats.
    func run(
        batch: Int,
        film: UnsafePointer<Float>,
        filmStride: Int,
        columns: UnsafeMutablePointer<Float>
    ) {
        let input = inputs[0]
        let length = layer.inputs[0].length
        let count = layer.output.count
        switch work {
        case .convolution(let convolution):
            convolution(input, batch: batch, length: length, columns: columns, into: output)
        case .addedConvolution(let convolution):
            convolution(input, batch: batch, length: length, columns: columns, into: output, adding: true)
        case .transposedConvolution(let convolution):
            convolution(input, batch: batch, length: length, columns: columns, into: output)
        case .groupNormMish(let norm):
            for sample in 0..<batch { norm(output + sample * count, length: length) }
        case .modulation(let shape):
            for sample in 0..<batch {
                shape.apply(film + sample * filmStride, to: output + sample * count, length: length)
            }
        case .addition:
            for index in 0..<(batch * count) { output[index] += input[index] }
        case .concatenation:
            concatenate(rows: batch * length)
        }
    }

    /// Each row of the output is that row of every input, one after the other.
    private func concatenate(rows: Int) {
        var first = output
        for (input, activation) in zip(inputs, layer.inputs) {
            for row in 0..<rows {
                (first + row * layer.output.channels).update(
                    from: input + row * activation.channels,
                    count: activation.channels
                )
            }
            first += activation.channels
        }
    }
}

extension BLASOperation.Work {
    init<Failure: Error>(
        _ operation: Layer.Operation,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        switch operation {
        case .convolution(let shape) where shape.sampling == .doubling:
            self = .transposedConvolution(
                ConvTranspose1d(weight: try parameter(shape.weight), bias: try parameter(shape.bias))
            )
        case .convolution(let shape):
            self = .convolution(try Conv1d(shape, parameter: parameter))
        case .addedConvolution(let shape):
            self = .addedConvolution(try Conv1d(shape, parameter: parameter))
        case .groupNormMish(let shape):
            self = .groupNormMish(
                GroupNormMish(
                    gain: try parameter(shape.gain),
                    bias: try parameter(shape.bias),
                    groups: shape.groups
                )
            )
        case .modulation(let shape): self = .modulation(shape)
        case .addition: self = .addition
        case .concatenation: self = .concatenation
        }
    }
}

extension Conv1d {
    fileprivate convenience init<Failure: Error>(
        _ shape: ConvolutionShape,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        self.init(
            weight: try parameter(shape.weight),
            bias: try parameter(shape.bias),
            taps: shape.taps,
            stride: shape.sampling == .halving ? 2 : 1
        )
    }
}
