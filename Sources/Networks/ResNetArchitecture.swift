import Compute

/// Shape of a ResNet (He et al. 2016) whose last two layers are replaced by a spatial softmax (Finn et al. 2016), as
/// LeRobot's diffusion policy encodes frames.
///
/// A frame [height, width, 3] goes through the ResNet's convolutions. A convolution with one tap makes a map of logits for each
/// keypoint; the mean of the map's positions, weighted by their softmax, is where the keypoint is expected. A linear layer and
/// a ReLU turn the positions into features.
public struct ResNetArchitecture: Sendable, Hashable {
    /// Which ResNet, by torchvision's names.
    public enum Backbone: String, Sendable, Hashable, CaseIterable {
        case resnet18, resnet34, resnet50, resnet101, resnet152

        /// Blocks in each of the four groups of blocks that work at one resolution.
        var blocks: [Int] {
            switch self {
            case .resnet18: [2, 2, 2, 2]
            case .resnet34, .resnet50: [3, 4, 6, 3]
            case .resnet101: [3, 4, 23, 3]
            case .resnet152: [3, 8, 36, 3]
            }
        }

        /// Whether a block narrows its channels to a quarter and widens them again.
        var hasBottlenecks: Bool {
            switch self {
            case .resnet18, .resnet34: false
            case .resnet50, .resnet101, .resnet152: true
            }
        }
    }

    /// Which ResNet.
    public let backbone: Backbone
    /// What normalises each convolution's output.
    public let norm: ImageNormKind
    /// Rows of a frame as the network takes it, at least 1.
    public let height: Int
    /// Positions in a row, at least 1.
    public let width: Int
    /// Keypoints of the spatial softmax, at least 1.
    public let keypoints: Int

    /// - Precondition: all numbers are at least 1.
    public init(backbone: Backbone, norm: ImageNormKind, height: Int, width: Int, keypoints: Int) {
        precondition(height >= 1 && width >= 1 && keypoints >= 1)
        self.backbone = backbone
        self.norm = norm
        self.height = height
        self.width = width
        self.keypoints = keypoints
    }

    /// Numbers that a frame becomes: two for each keypoint.
    public var featureCount: Int { 2 * keypoints }

    /// Floating-point operations of the convolutions for one frame, a multiplication and an addition counting as two, padding
    /// included.
    public var operationsPerFrame: Int { layers.reduce(0) { $0 + $1.operations } }

    /// Numbers in all parameters that are trained, and in the norms' running statistics.
    public var parameterCount: Int {
        parameters.reduce(0) { $0 + ($1.name == grid.name ? 0 : $1.count) }
    }

    /// Rows and positions of the keypoints' maps.
    public var mapSize: (height: Int, width: Int) {
        let map = layers[layers.count - 1].output
        return (map.height, map.width)
    }

    /// All parameters, in the order in which the network uses them.
    public var parameters: [NetworkParameter] {
        layers.flatMap(\.parameters) + [grid, linear.weight, linear.bias]
    }

    /// The points of the keypoints' maps, row by row: x and y in -1...1.
    var grid: NetworkParameter {
        NetworkParameter(name: "pool.pos_grid", shape: [mapSize.height * mapSize.width, 2])
    }

    /// The linear layer from positions to features.
    var linear: LinearShape { LinearShape(name: "out", inFeatures: featureCount, outFeatures: featureCount) }

    /// The layers up to the keypoints' logits. The norms' and the convolutions' names are those of torchvision's children.
    var layers: [ImageLayer] {
        var list = ImageLayerList(height: height, width: width, norm: norm)
        var values = list.convolution(
            "backbone.0",
            norm: "backbone.1",
            list.input,
            channels: 64,
            taps: 7,
            stride: 2
        )
        values = list.maximumPool(values)
        for (group, count) in backbone.blocks.enumerated() {
            for block in 0..<count {
                let name = "backbone.\(4 + group).\(block)"
                let channels = 64 << group
                let stride = group > 0 && block == 0 ? 2 : 1
                values =
                    backbone.hasBottlenecks
                    ? list.bottleneck(name, values, channels: channels, stride: stride)
                    : list.basicBlock(name, values, channels: channels, stride: stride)
            }
        }
        list.logits("pool.nets", values, count: keypoints)
        return list.layers
    }
}

/// Writes down a ResNet's layers in the order in which they run, and numbers what they write.
private struct ImageLayerList {
    private(set) var layers: [ImageLayer] = []
    let input: ImageActivation
    private let norm: ImageNormKind
    private var activationCount = 1

    init(height: Int, width: Int, norm: ImageNormKind) {
        self.input = ImageActivation(id: 0, channels: 3, height: height, width: width)
        self.norm = norm
    }

    /// - Parameter normName: the name of the norm's tensors.
    mutating func convolution(
        _ name: String,
        norm normName: String,
        _ input: ImageActivation,
        channels: Int,
        taps: Int,
        stride: Int,
        adding residual: ImageActivation? = nil,
        rectifies: Bool = true
    ) -> ImageActivation {
        let shape = ImageConvolutionShape(
            name: name,
            inChannels: input.channels,
            outChannels: channels,
            taps: taps,
            stride: stride,
            hasBias: false
        )
        return append(
            .convolution(shape),
            norm: ImageNormShape(name: normName, channels: channels, kind: norm),
            residual: residual,
            rectifies: rectifies,
            input,
            channels: channels,
            stride: stride
        )
    }

    mutating func maximumPool(_ input: ImageActivation) -> ImageActivation {
        append(
            .maximumPool,
            norm: nil,
            residual: nil,
            rectifies: false,
            input,
            channels: input.channels,
            stride: 2
        )
    }

    mutating func logits(_ name: String, _ input: ImageActivation, count: Int) {
        let shape = ImageConvolutionShape(
            name: name,
            inChannels: input.channels,
            outChannels: count,
            taps: 1,
            stride: 1,
            hasBias: true
        )
        _ = append(
            .convolution(shape),
            norm: nil,
            residual: nil,
            rectifies: false,
            input,
            channels: count,
            stride: 1
        )
    }

    /// Two convolutions with 3 taps, and a residual around them.
    mutating func basicBlock(
        _ name: String,
        _ input: ImageActivation,
        channels: Int,
        stride: Int
    ) -> ImageActivation {
        let inner = convolution(
            "\(name).conv1",
            norm: "\(name).bn1",
            input,
            channels: channels,
            taps: 3,
            stride: stride
        )
        let residual = shortcut(name, input, channels: channels, stride: stride)
        return convolution(
            "\(name).conv2",
            norm: "\(name).bn2",
            inner,
            channels: channels,
            taps: 3,
            stride: 1,
            adding: residual
        )
    }

    /// A convolution with 3 taps between two with 1, the last of which has 4 times as many channels; and a residual around
    /// them. The stride is the middle one's, as in torchvision.
    mutating func bottleneck(
        _ name: String,
        _ input: ImageActivation,
        channels: Int,
        stride: Int
    ) -> ImageActivation {
        let narrow = convolution(
            "\(name).conv1",
            norm: "\(name).bn1",
            input,
            channels: channels,
            taps: 1,
            stride: 1
        )
        let inner = convolution(
            "\(name).conv2",
            norm: "\(name).bn2",
            narrow,
            channels: channels,
            taps: 3,
            stride: stride
        )
        let residual = shortcut(name, input, channels: 4 * channels, stride: stride)
        return convolution(
            "\(name).conv3",
            norm: "\(name).bn3",
            inner,
            channels: 4 * channels,
            taps: 1,
            stride: 1,
            adding: residual
        )
    }

    /// What a block adds: its input, through a convolution with one tap if the shapes differ.
    private mutating func shortcut(
        _ name: String,
        _ input: ImageActivation,
        channels: Int,
        stride: Int
    ) -> ImageActivation {
        guard stride > 1 || input.channels != channels else { return input }
        return convolution(
            "\(name).downsample.0",
            norm: "\(name).downsample.1",
            input,
            channels: channels,
            taps: 1,
            stride: stride,
            rectifies: false
        )
    }

    private mutating func append(
        _ operation: ImageLayer.Operation,
        norm: ImageNormShape?,
        residual: ImageActivation?,
        rectifies: Bool,
        _ input: ImageActivation,
        channels: Int,
        stride: Int
    ) -> ImageActivation {
        let output = ImageActivation(
            id: activationCount,
            channels: channels,
            height: (input.height + stride - 1) / stride,
            width: (input.width + stride - 1) / stride
        )
        activationCount += 1
        layers.append(
            ImageLayer(
                operation: operation,
                norm: norm,
                residual: residual,
                rectifies: rectifies,
                input: input,
                output: output
            )
        )
        return output
    }
}
