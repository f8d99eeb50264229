/// An activation of a network: what some layers write and others read, [length, channels] for each sample.
package struct Activation: Sendable, Hashable {
    /// Number of activations that are written before it; 0 is the network's input.
    package let id: Int
    package let channels: Int
    /// Times.
    package let length: Int

    /// Numbers in it for each sample.
    package var count: Int { channels * length }
}

/// One layer of a network: what it computes, which activations it reads and which one it writes.
///
/// A list of layers in the order in which they run is all that an engine needs to know of a network's topology.
package struct Layer: Sendable, Hashable {
    /// What a layer computes.
    package enum Operation: Sendable, Hashable {
        /// A convolution in time.
        case convolution(ConvolutionShape)
        /// A convolution in time whose result is added to the output, which holds another layer's result.
        case addedConvolution(ConvolutionShape)
        /// Group normalisation (Wu and He 2018, equation 1) and then Mish, in place.
        case groupNormMish(GroupNormShape)
        /// FiLM: scales and shifts each channel as the condition says (Perez et al. 2018, equation 2), in place.
        case modulation(FiLMShape)
        /// Adds the input to the output, which holds another layer's result.
        case addition
        /// The channels of each input, one after the other.
        case concatenation
    }

    package let operation: Operation
    /// What it reads. Only a concatenation reads several.
    package let inputs: [Activation]
    /// What it writes. A layer that works in place reads it as well.
    package let output: Activation

    /// Its parameters, in PyTorch's order.
    package var parameters: [NetworkParameter] {
        switch operation {
        case .convolution(let shape), .addedConvolution(let shape): [shape.weight, shape.bias]
        case .groupNormMish(let shape): [shape.gain, shape.bias]
        case .modulation(let shape): [shape.linear.weight, shape.linear.bias]
        case .addition, .concatenation: []
        }
    }

    /// The convolution that it is, if it is one.
    package var convolution: ConvolutionShape? {
        switch operation {
        case .convolution(let shape), .addedConvolution(let shape): shape
        case .groupNormMish, .modulation, .addition, .concatenation: nil
        }
    }
}

/// One tensor of a network's parameters.
public struct NetworkParameter: Sendable, Hashable {
    /// Its name, relative to the network (`down_modules.0.0.conv1.block.0.weight`).
    public let name: String
    /// Its shape as PyTorch stores it: convolutions [out, in, taps], transposed convolutions [in, out, taps],
    /// linear layers [out, in], all others [channels].
    public let shape: [Int]

    package init(name: String, shape: [Int]) {
        self.name = name
        self.shape = shape
    }

    /// Numbers in it.
    public var count: Int { shape.reduce(1, *) }
}

/// A linear layer: the name of its tensors, and its numbers of features.
package struct LinearShape: Sendable, Hashable {
    package let name: String
    package let inFeatures: Int
    package let outFeatures: Int

    package init(name: String, inFeatures: Int, outFeatures: Int) {
        self.name = name
        self.inFeatures = inFeatures
        self.outFeatures = outFeatures
    }

    package var weight: NetworkParameter {
        NetworkParameter(name: "\(name).weight", shape: [outFeatures, inFeatures])
    }
    package var bias: NetworkParameter { NetworkParameter(name: "\(name).bias", shape: [outFeatures]) }
}

/// A convolution in time: the name of its tensors, its channels, and what becomes of the length.
package struct ConvolutionShape: Sendable, Hashable {
    /// What becomes of the length.
    package enum Sampling: Sendable, Hashable {
        /// Stays as it is; so many taps, an odd number, with padding `taps / 2`.
        case same(taps: Int)
        /// Is halved: 3 taps, stride 2, padding 1.
        case halving
        /// Is doubled: a transposed convolution, 4 taps, stride 2, padding 1.
        case doubling
    }

    package let name: String
    package let inChannels: Int
    package let outChannels: Int
    package let sampling: Sampling
    /// Times of the input.
    package let length: Int

    package var taps: Int {
        switch sampling {
        case .same(let taps): taps
        case .halving: 3
        case .doubling: 4
        }
    }

    /// Times of the output.
    package var outLength: Int {
        switch sampling {
        case .same: length
        case .halving: length / 2
        case .doubling: 2 * length
        }
    }

    /// [outChannels, inChannels, taps], or [inChannels, outChannels, taps] if it doubles the length.
    package var weight: NetworkParameter {
        let channels = sampling == .doubling ? [inChannels, outChannels] : [outChannels, inChannels]
        return NetworkParameter(name: "\(name).weight", shape: channels + [taps])
    }
    package var bias: NetworkParameter { NetworkParameter(name: "\(name).bias", shape: [outChannels]) }

    /// Floating-point operations for one sample, a multiplication and an addition counting as two, padding included.
    package var operations: Int {
        // A transposed convolution takes each input through all its taps.
        let times = sampling == .doubling ? length : outLength
        return 2 * times * taps * inChannels * outChannels
    }
}

/// A group normalisation: the name of its tensors, its channels and groups of channels.
package struct GroupNormShape: Sendable, Hashable {
    package let name: String
    package let channels: Int
    /// Divides `channels`.
    package let groups: Int

    package var gain: NetworkParameter { NetworkParameter(name: "\(name).weight", shape: [channels]) }
    package var bias: NetworkParameter { NetworkParameter(name: "\(name).bias", shape: [channels]) }
}

/// FiLM of one activation: the linear layer that turns timestep and condition into its numbers, and where they are.
package struct FiLMShape: Sendable, Hashable {
    /// From [timestep embedding, observation condition] to scales, if there are any, and shifts.
    package let linear: LinearShape
    package let channels: Int
    /// Whether it scales each channel before it shifts it.
    package let hasScale: Bool
    /// Where its numbers start among those of all layers together, as `FiLMConditioning` computes them.
    package let offset: Int
}

extension [Layer] {
    /// What the network reads: the first layer reads it, and nothing else.
    package var input: Activation { self[0].inputs[0] }

    /// What the network gives: the last layer writes it.
    package var output: Activation { self[count - 1].output }
}
