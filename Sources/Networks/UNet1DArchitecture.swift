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
    /// Numbers in the condition, all observations of a history together.
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
    public var sampleSize: Int { horizon * actionDim }
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
