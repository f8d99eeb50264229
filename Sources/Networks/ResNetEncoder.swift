import Compute

/// A ResNet with a spatial softmax, as LeRobot's diffusion policy has it.
///
/// All memory is taken when the network is built; a pass allocates nothing, except within OpenBLAS if that runs on several
/// threads.
public final class ResNetEncoder: ImageEncoder {
    /// Shape of the network.
    public let architecture: ResNetArchitecture
    /// The most frames that `encode` takes at once.
    public let maximumFrames: Int
    /// Instruction set and precision of every pass.
    public let kernel: Kernel

    private let engine: ImageEngine
    private var projection: FeatureProjection

    /// Builds the network and everything it needs.
    ///
    /// - Parameters:
    ///   - architecture: the shapes of the network.
    ///   - maximumFrames: at least 1.
    ///   - threads: threads that a pass runs on, the caller's included; at least 1.
    ///   - kernel: what computes it; by default the best for this processor in single precision. The first convolution and the
    ///     keypoints' logits are in single precision always.
    ///   - locksWeights: keeps the weights in memory if the system allows it (`RLIMIT_MEMLOCK`).
    ///   - parameter: the values of one of `architecture.parameters`, as many as its shape says.
    /// - Throws: what `parameter` throws.
    public init<Failure: Error>(
        architecture: ResNetArchitecture,
        maximumFrames: Int,
        threads: Int,
        kernel: Kernel = .exact,
        locksWeights: Bool = false,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        precondition(maximumFrames >= 1 && threads >= 1)
        func value(_ wanted: NetworkParameter) throws(Failure) -> [Float] {
            let values = try parameter(wanted)
            precondition(
                values.count == wanted.count,
                "\(wanted.name) \(wanted.shape) came with \(values.count) numbers"
            )
            return values
        }
        self.architecture = architecture
        self.maximumFrames = maximumFrames
        self.kernel = kernel
        self.engine = try ImageEngine(
            layers: architecture.layers,
            grid: architecture.grid,
            kernel: kernel,
            threads: threads,
            locksWeights: locksWeights,
            maximumFrames: maximumFrames,
            parameter: value
        )
        self.projection = try FeatureProjection(architecture, parameter: value)
    }

    /// Rows of a frame.
    public var height: Int { architecture.height }
    /// Positions in a row of a frame.
    public var width: Int { architecture.width }
    /// Numbers that a frame becomes.
    public var featureCount: Int { architecture.featureCount }
    /// Floating-point operations of the convolutions for one frame, a multiplication and an addition counting as two.
    public var operationsPerFrame: Int { architecture.operationsPerFrame }
    /// Bytes of convolution weights that a pass reads.
    public var weightBytes: Int { engine.weightBytes }

    /// Encodes frames, as `ImageEncoder.encode` says.
    @_lifetime(features: copy features)
    public func encode(_ frames: Span<Float>, into features: inout MutableSpan<Float>) {
        let count = features.count / featureCount
        precondition((1...maximumFrames).contains(count), "\(count) frames are outside 1...\(maximumFrames)")
        precondition(features.count == count * featureCount, "features are [frames, featureCount]")
        precondition(frames.count == count * height * width * 3, "frames are [frames, height, width, 3]")
        engine.locateKeypoints(frames, count: count, into: &features)
        projection.apply(to: &features)
    }

    /// Stops the worker threads from spinning, as `ImageEncoder.rest` says.
    public func rest() { engine.rest() }
}
