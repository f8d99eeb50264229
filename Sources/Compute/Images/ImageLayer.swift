/// An activation of an image network: [channels, height, width] for each frame.
package struct ImageActivation: Sendable, Hashable {
    /// Number of activations that are written before it; 0 is the network's input.
    package let id: Int
    package let channels: Int
    package let height: Int
    package let width: Int

    package init(id: Int, channels: Int, height: Int, width: Int) {
        self.id = id
        self.channels = channels
        self.height = height
        self.width = width
    }
}

/// One layer of an image network: what it computes, what it reads and what it writes.
///
/// A list of layers in the order in which they run is all that an engine needs to know of a network's topology.
package struct ImageLayer: Sendable, Hashable {
    /// What a layer computes first.
    package enum Operation: Sendable, Hashable {
        case convolution(ImageConvolutionShape)
        /// The largest of 3 by 3 positions, with stride 2 and a padding of 1 that is never the largest.
        case maximumPool
    }

    package let operation: Operation
    /// Works on the operation's result; nil: nothing does.
    package let norm: ImageNormShape?
    /// Is added to the norm's result.
    package let residual: ImageActivation?
    /// Whether what is below zero becomes zero in the end.
    package let rectifies: Bool
    package let input: ImageActivation
    package let output: ImageActivation

    package init(
        operation: Operation,
        norm: ImageNormShape?,
        residual: ImageActivation?,
        rectifies: Bool,
        input: ImageActivation,
        output: ImageActivation
    ) {
        self.operation = operation
        self.norm = norm
        self.residual = residual
        self.rectifies = rectifies
        self.input = input
        self.output = output
    }

    /// Its parameters, in PyTorch's order.
    package var parameters: [NetworkParameter] {
        (convolution.map { $0.hasBias ? [$0.weight, $0.bias] : [$0.weight] } ?? []) + (norm?.parameters ?? [])
    }

    /// The convolution that it begins with, if it begins with one.
    package var convolution: ImageConvolutionShape? {
        switch operation {
        case .convolution(let shape): shape
        case .maximumPool: nil
        }
    }

    /// Floating-point operations of its convolution for one frame, a multiplication and an addition counting as two, padding
    /// included.
    package var operations: Int {
        guard let convolution else { return 0 }
        return 2 * output.height * output.width * convolution.weight.count
    }
}

/// A convolution in the plane, with padding `taps / 2`: the name of its tensors, its channels, its taps.
package struct ImageConvolutionShape: Sendable, Hashable {
    package let name: String
    package let inChannels: Int
    package let outChannels: Int
    /// Taps in each direction: 1, 3 or 7.
    package let taps: Int
    /// 1 or 2.
    package let stride: Int
    package let hasBias: Bool

    package init(name: String, inChannels: Int, outChannels: Int, taps: Int, stride: Int, hasBias: Bool) {
        self.name = name
        self.inChannels = inChannels
        self.outChannels = outChannels
        self.taps = taps
        self.stride = stride
        self.hasBias = hasBias
    }

    /// [outChannels, inChannels, taps, taps]
    package var weight: NetworkParameter {
        NetworkParameter(name: "\(name).weight", shape: [outChannels, inChannels, taps, taps])
    }
    package var bias: NetworkParameter { NetworkParameter(name: "\(name).bias", shape: [outChannels]) }
}

/// A normalisation of an image network's activation: the name of its tensors, its channels, and which one it is.
package struct ImageNormShape: Sendable, Hashable {
    package let name: String
    package let channels: Int
    package let kind: ImageNormKind

    package init(name: String, channels: Int, kind: ImageNormKind) {
        self.name = name
        self.channels = channels
        self.kind = kind
    }

    /// Added to every variance (PyTorch's default).
    static let epsilon: Float = 1e-5
    /// Channels in a group, as LeRobot groups them.
    static let groupWidth = 16

    package var gain: NetworkParameter { NetworkParameter(name: "\(name).weight", shape: [channels]) }
    package var bias: NetworkParameter { NetworkParameter(name: "\(name).bias", shape: [channels]) }
    package var runningMean: NetworkParameter {
        NetworkParameter(name: "\(name).running_mean", shape: [channels])
    }
    package var runningVariance: NetworkParameter {
        NetworkParameter(name: "\(name).running_var", shape: [channels])
    }

    package var parameters: [NetworkParameter] {
        kind == .batch ? [gain, bias, runningMean, runningVariance] : [gain, bias]
    }
}

/// What normalises a convolution's output in an image network.
public enum ImageNormKind: String, Sendable, Hashable, CaseIterable {
    /// Group normalisation, 16 channels to a group.
    case group
    /// Batch normalisation by the running mean and variance of training.
    case batch
}
