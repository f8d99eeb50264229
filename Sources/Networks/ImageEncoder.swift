import Compute

/// A network that turns frames into the features that a policy is conditioned on.
///
/// A conformer takes the memory for activations when it is built. One thread at a time may use an encoder; it
/// brings further threads itself.
public protocol ImageEncoder: AnyObject {
    /// Rows of a frame.
    var height: Int { get }
    /// Positions in a row of a frame.
    var width: Int { get }
    /// Numbers that a frame becomes.
    var featureCount: Int { get }
    /// The most frames that `encode` takes at once, at least 1.
    var maximumFrames: Int { get }
    /// Instruction set and precision of every pass.
    var kernel: Kernel { get }
    /// Floating-point operations for one frame, a multiplication and an addition counting as two.
    var operationsPerFrame: Int { get }
    /// Bytes of weights that a pass reads, however many frames it takes.
    var weightBytes: Int { get }

    /// Encodes frames. What a frame becomes depends on it alone.
    ///
    /// - Parameters:
    ///   - frames: [frames, height, width, 3], normalised, with at most `maximumFrames` frames.
    ///   - features: [frames, featureCount].
    @_lifetime(features: copy features)
    func encode(_ frames: Span<Float>, into features: inout MutableSpan<Float>)

    /// Stops the worker threads from spinning; they wake for the next frame.
    func rest()
}
