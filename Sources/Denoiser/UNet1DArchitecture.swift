/// The shape of a conditional 1D temporal UNet: everything that decides which parameters it has and what it computes.
///
/// The network is the one of Diffusion Policy (Chi et al. 2023, section III) as LeRobot writes it
/// (`DiffusionConditionalUnet1d`): two FiLM-conditioned residual blocks a resolution on the way down, two at the bottom,
/// two a resolution on the way up with a skip connection, halving and doubling the horizon in between.
public struct UNet1DArchitecture: Sendable, Hashable {
    /// Numbers in one action: the channels of the sample.
    public let actionDim: Int
    /// Actions in one sample: its length in time. A multiple of `2^(downDims.count - 1)`.
    public let horizon: Int
    /// Numbers in the observation condition, all observation steps together.
    public let conditionDim: Int
    /// Channels at each resolution, finest first.
    public let downDims: [Int]
    /// Taps of the residual blocks' convolutions; odd, so that the length stays as it is.
    public let kernelSize: Int
    /// Groups of the residual blocks' group normalisations; divides each of `downDims`.
    public let nGroups: Int
    /// Numbers in the timestep's embedding; even and at least 4.
    public let diffusionStepEmbedDim: Int
    /// Whether FiLM scales and shifts each channel; otherwise it only shifts.
    public let useFiLMScaleModulation: Bool

    /// Groups of the last group normalisation. LeRobot leaves it at its layer's default whatever `n_groups` says, so
    /// every checkpoint is trained with it.
    static let finalGroups = 8

    /// A checked architecture.
    ///
    /// - Throws: `ArchitectureError` with the field, its value and what was expected.
    public init(
        actionDim: Int,
        horizon: Int,
        conditionDim: Int,
        downDims: [Int],
        kernelSize: Int = 5,
        nGroups: Int = 8,
        diffusionStepEmbedDim: Int = 128,
        useFiLMScaleModulation: Bool = true
    ) throws(ArchitectureError) {
        func require(
            _ condition: Bool,
            _ field: String,
            _ value: some CustomStringConvertible,
            _ expected: String
        ) throws(ArchitectureError) {
            if !condition {
                throw ArchitectureError(field: field, value: value.description, expected: expected)
            }
        }
        try require((1...4096).contains(actionDim), "action_dim", actionDim, "1...4096")
        try require((1...65_536).contains(conditionDim), "condition_dim", conditionDim, "1...65536")
        try require((1...12).contains(downDims.count), "down_dims", downDims, "1 to 12 channel counts")
        try require(
            kernelSize % 2 == 1 && (1...63).contains(kernelSize),
            "kernel_size",
            kernelSize,
            "odd, 1...63"
        )
        try require(nGroups >= 1, "n_groups", nGroups, "at least 1")
        try require(
            downDims.allSatisfy { (1...16_384).contains($0) && $0 % nGroups == 0 },
            "down_dims",
            downDims,
            "each in 1...16384 and a multiple of n_groups (\(nGroups))"
        )
        try require(
            downDims[0] % Self.finalGroups == 0,
            "down_dims",
            downDims,
            "its first a multiple of \(Self.finalGroups), the groups of the last normalisation"
        )
        let coarsest = 1 << (downDims.count - 1)
        try require(
            (1...65_536).contains(horizon) && horizon % coarsest == 0,
            "horizon",
            horizon,
            "in 1...65536 and a multiple of \(coarsest), because down_dims has \(downDims.count) resolutions"
        )
        try require(
            diffusionStepEmbedDim % 2 == 0 && (4...16_384).contains(diffusionStepEmbedDim),
            "diffusion_step_embed_dim",
            diffusionStepEmbedDim,
            "even, 4...16384"
        )
        self.actionDim = actionDim
        self.horizon = horizon
        self.conditionDim = conditionDim
        self.downDims = downDims
        self.kernelSize = kernelSize
        self.nGroups = nGroups
        self.diffusionStepEmbedDim = diffusionStepEmbedDim
        self.useFiLMScaleModulation = useFiLMScaleModulation
    }

    /// Numbers in one sample: `horizon * actionDim`.
    public var sampleCount: Int { horizon * actionDim }
}

/// An architecture no network can have: which field, what it holds, what it should hold.
public struct ArchitectureError: Error, Hashable, CustomStringConvertible {
    /// The field, under the name it has in a policy's `config.json`.
    public let field: String
    /// The value found.
    public let value: String
    /// What was expected.
    public let expected: String

    /// One sentence for people.
    public var description: String { "\(field) is \(value), expected \(expected)" }
}

// MARK: - Blocks

/// One FiLM-conditioned residual block: where its parameters are and which channels it maps.
struct ResidualBlockShape {
    let name: String
    let inChannels: Int
    let outChannels: Int
}

/// One resolution of the encoder or the decoder.
struct ResolutionShape {
    let first: ResidualBlockShape
    let second: ResidualBlockShape
    /// The strided or transposed convolution behind the blocks, if the length changes here.
    let resample: String?
    /// Length in time at which the blocks run.
    let length: Int
}

extension UNet1DArchitecture {
    var encoder: [ResolutionShape] {
        downDims.indices.map { index in
            let name = "down_modules.\(index)"
            let inChannels = index == 0 ? actionDim : downDims[index - 1]
            return ResolutionShape(
                first: ResidualBlockShape(
                    name: "\(name).0",
                    inChannels: inChannels,
                    outChannels: downDims[index]
                ),
                second: ResidualBlockShape(
                    name: "\(name).1",
                    inChannels: downDims[index],
                    outChannels: downDims[index]
                ),
                resample: index == downDims.count - 1 ? nil : "\(name).2",
                length: horizon >> index
            )
        }
    }

    var bottom: [ResidualBlockShape] {
        (0..<2).map {
            ResidualBlockShape(
                name: "mid_modules.\($0)",
                inChannels: downDims[downDims.count - 1],
                outChannels: downDims[downDims.count - 1]
            )
        }
    }

    /// The decoder's resolutions, coarsest first. Its first blocks take the encoder's output of the same
    /// resolution next to their input, hence twice the channels.
    var decoder: [ResolutionShape] {
        (0..<(downDims.count - 1)).map { index in
            let name = "up_modules.\(index)"
            let level = downDims.count - 1 - index
            let outChannels = downDims[level - 1]
            return ResolutionShape(
                first: ResidualBlockShape(
                    name: "\(name).0",
                    inChannels: 2 * downDims[level],
                    outChannels: outChannels
                ),
                second: ResidualBlockShape(
                    name: "\(name).1",
                    inChannels: outChannels,
                    outChannels: outChannels
                ),
                resample: "\(name).2",
                length: horizon >> level
            )
        }
    }

    /// All residual blocks in the order in which a forward pass runs them.
    var residualBlocks: [ResidualBlockShape] {
        encoder.flatMap { [$0.first, $0.second] } + bottom + decoder.flatMap { [$0.first, $0.second] }
    }

    /// FiLM numbers a block takes for each of its output channels.
    var filmValuesPerChannel: Int { useFiLMScaleModulation ? 2 : 1 }
}

// MARK: - Size

extension UNet1DArchitecture {
    /// Weights of all convolutions: what a forward pass reads from memory, whatever the batch.
    public var convolutionWeightCount: Int {
        parameters.filter { $0.shape.count == 3 }.reduce(0) { $0 + $1.count }
    }

    /// Floating-point operations of the convolutions for one sample, a multiplication and an addition counting as two.
    public var operationsPerSample: Int {
        func block(_ shape: ResidualBlockShape, _ length: Int) -> Int {
            let residual = shape.inChannels == shape.outChannels ? 0 : shape.inChannels
            return length * shape.outChannels
                * ((shape.inChannels + shape.outChannels) * kernelSize + residual)
        }
        func resolution(_ shape: ResolutionShape) -> Int {
            block(shape.first, shape.length) + block(shape.second, shape.length)
        }
        func squared(_ shape: ResolutionShape) -> Int { shape.second.outChannels * shape.second.outChannels }

        var products = 0
        for shape in encoder {
            products += resolution(shape)
            if shape.resample != nil { products += shape.length / 2 * 3 * squared(shape) }
        }
        for shape in bottom { products += block(shape, horizon >> (downDims.count - 1)) }
        for shape in decoder {
            products += resolution(shape)
            if shape.resample != nil { products += shape.length * 4 * squared(shape) }
        }
        products += horizon * downDims[0] * (downDims[0] * kernelSize + actionDim)
        return 2 * products
    }
}
