import Clocks
import Compute

/// A network that predicts what to take out of noisy samples, given a timestep and a condition.
///
/// This is all that is asked of a network around a sampler. What the output means is the policy's matter. A conformer
/// takes all memory when it is built; none of these methods allocates.
///
/// One thread at a time may use a denoiser; it brings further threads itself.
public protocol Denoiser: AnyObject {
    /// Rows of a sample: its length in time.
    var horizon: Int { get }
    /// Numbers in a row of a sample.
    var actionDim: Int { get }
    /// Numbers in a condition.
    var conditionDim: Int { get }
    /// Timesteps that `predict` accepts.
    var timesteps: [Int] { get }
    /// The largest batch that `predict` takes, at least 1.
    var maximumBatch: Int { get }
    /// Number of conditions that are kept at once, at least 1.
    var maximumConditions: Int { get }
    /// Instruction set and precision used for every pass.
    var kernel: Kernel { get }
    /// Threads a forward pass runs on, the caller's included.
    var threads: Int { get }
    /// Floating-point operations for one entry of a batch, a multiplication and an addition counting as two.
    var operationsPerSample: Int { get }
    /// Bytes of weights that a forward pass reads, whatever the batch.
    var weightBytes: Int { get }

    /// Sets a condition for the predictions that follow.
    ///
    /// - Parameters:
    ///   - condition: [conditionDim], normalised.
    ///   - index: which of the conditions that are kept, in 0..<`maximumConditions`.
    func setCondition(_ condition: Span<Float>, at index: Int)

    /// Predicts the outputs of a batch, or gives up when they would be late.
    ///
    /// An entry of a batch is a sample, its timestep and its condition; entries may share either. An output depends on its
    /// own entry alone.
    ///
    /// - Parameters:
    ///   - samples: [batch, horizon, actionDim], with `batch` in 1...`maximumBatch`.
    ///   - timesteps: [batch], each one of the denoiser's `timesteps`.
    ///   - conditions: [batch], the condition of each entry, in 0..<`maximumConditions`, as last set.
    ///   - instant: when to give up; nil: never. A denoiser that cannot give up always finishes.
    ///   - outputs: [batch, horizon, actionDim]; as it was if the prediction was given up.
    /// - Returns: whether there is an output.
    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        conditions: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool

    /// Stops the worker threads from spinning; they wake on the next prediction. Without this call they spin for a moment
    /// after each prediction, because another usually follows.
    func rest()
}

extension Denoiser {
    /// Numbers in one sample: `horizon * actionDim`.
    public var sampleSize: Int { horizon * actionDim }

    /// Sets condition 0, the only one of most denoisers.
    public func setCondition(_ condition: Span<Float>) { setCondition(condition, at: 0) }
}
