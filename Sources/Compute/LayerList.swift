/// Writes down a network's layers in the order in which they run, and numbers what they write.
///
/// Each method takes the activation that a layer reads and returns the one that it writes.
package struct LayerList {
    package private(set) var layers: [Layer] = []
    /// FiLM numbers of all layers so far.
    package private(set) var filmCount = 0
    /// What the network reads.
    package let input: Activation
    private var activationCount = 1

    package init(channels: Int, length: Int) {
        self.input = Activation(id: 0, channels: channels, length: length)
    }

    package mutating func convolution(
        _ name: String,
        _ input: Activation,
        outChannels: Int,
        _ sampling: ConvolutionShape.Sampling
    ) -> Activation {
        let shape = ConvolutionShape(
            name: name,
            inChannels: input.channels,
            outChannels: outChannels,
            sampling: sampling,
            length: input.length
        )
        let output = activation(channels: outChannels, length: shape.outLength)
        layers.append(Layer(operation: .convolution(shape), inputs: [input], output: output))
        return output
    }

    package mutating func groupNormMish(_ name: String, _ values: Activation, groups: Int) {
        let shape = GroupNormShape(name: name, channels: values.channels, groups: groups)
        layers.append(Layer(operation: .groupNormMish(shape), inputs: [values], output: values))
    }

    /// - Parameter inFeatures: numbers of the timestep's embedding and the condition together.
    package mutating func modulation(_ name: String, _ values: Activation, inFeatures: Int, hasScale: Bool) {
        let count = values.channels * (hasScale ? 2 : 1)
        let shape = FiLMShape(
            linear: LinearShape(name: name, inFeatures: inFeatures, outFeatures: count),
            channels: values.channels,
            hasScale: hasScale,
            offset: filmCount
        )
        filmCount += count
        layers.append(Layer(operation: .modulation(shape), inputs: [values], output: values))
    }

    /// Adds `input` to `output`: as it is if it has as many channels, or else through a convolution with one tap.
    package mutating func residual(_ name: String, of input: Activation, to output: Activation) {
        guard input.channels != output.channels else {
            layers.append(Layer(operation: .addition, inputs: [input], output: output))
            return
        }
        let shape = ConvolutionShape(
            name: name,
            inChannels: input.channels,
            outChannels: output.channels,
            sampling: .same(taps: 1),
            length: input.length
        )
        layers.append(Layer(operation: .addedConvolution(shape), inputs: [input], output: output))
    }

    /// - Parameter inputs: activations of the same length.
    package mutating func concatenation(_ inputs: [Activation]) -> Activation {
        let output = activation(
            channels: inputs.reduce(0) { $0 + $1.channels },
            length: inputs[0].length
        )
        layers.append(Layer(operation: .concatenation, inputs: inputs, output: output))
        return output
    }

    private mutating func activation(channels: Int, length: Int) -> Activation {
        defer { activationCount += 1 }
        return Activation(id: activationCount, channels: channels, length: length)
    }
}
