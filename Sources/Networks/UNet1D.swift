import Clocks
import Compute
import Stalls

/// A conditional 1D temporal UNet.
///
/// All memory is taken when the network is built; a forward pass allocates nothing, except within OpenBLAS if that runs
/// on several threads. One thread at a time may use it; it brings further threads itself.
public final class UNet1D: Denoiser {
    /// Shape of the network.
    public let architecture: UNet1DArchitecture
    /// The largest batch `predict` takes.
    public let maximumBatch: Int
    /// Number of conditions that are kept at once: a batch may hold samples of several observations.
    public let maximumConditions: Int
    /// Timesteps that `predict` accepts.
    public let timesteps: [Int]
    /// Instruction set and precision used for every pass.
    public let kernel: Kernel
    /// Threads a forward pass runs on, the caller's included.
    public let threads: Int
    /// Predictions are given up, between two layers, while this is asked for; nil: by time alone. On OpenBLAS they always finish.
    public var interruption: Interruption?

    private let film: FiLMConditioning
    /// [maximumBatch]: condition 0 for every entry.
    private let firstCondition: [Int]
    private let engine: NetworkEngine

    /// Builds the network and everything it needs for batches of up to `maximumBatch`.
    ///
    /// - Parameters:
    ///   - architecture: the shapes of the network.
    ///   - timesteps: the timesteps that `predict` will be asked for; their embeddings are computed here.
    ///   - maximumBatch: at least 1.
    ///   - maximumConditions: how many conditions are kept at once, at least 1.
    ///   - threads: threads a forward pass runs on, the caller's included; at least 1.
    ///   - kernel: what computes it; by default the best for this processor in single precision.
    ///   - locksWeights: keeps the weights in memory if the system allows it (`RLIMIT_MEMLOCK`).
    ///   - stallWatch: watches the predictions that have a time; not on OpenBLAS.
    ///   - parameter: the values of one of `architecture.parameters`, as many as its shape says.
    /// - Throws: what `parameter` throws.
    public init<Failure: Error>(
        architecture: UNet1DArchitecture,
        timesteps: [Int],
        maximumBatch: Int,
        maximumConditions: Int = 1,
        threads: Int,
        kernel: Kernel = .exact,
        locksWeights: Bool = false,
        stallWatch: StallWatch? = nil,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        precondition(maximumBatch >= 1 && maximumConditions >= 1 && threads >= 1)
        func value(_ wanted: NetworkParameter) throws(Failure) -> [Float] {
            let values = try parameter(wanted)
            precondition(
                values.count == wanted.count,
                "\(wanted.name) \(wanted.shape) came with \(values.count) numbers"
            )
            return values
        }

        self.architecture = architecture
        self.maximumBatch = maximumBatch
        self.maximumConditions = maximumConditions
        self.timesteps = timesteps
        self.kernel = kernel
        self.threads = threads
        self.firstCondition = [Int](repeating: 0, count: maximumBatch)
        self.engine = try NetworkEngine(
            layers: architecture.layers,
            kernel: kernel,
            threads: threads,
            locksWeights: locksWeights,
            maximumBatch: maximumBatch,
            stallWatch: stallWatch,
            parameter: value
        )
        self.film = try FiLMConditioning(
            architecture,
            timesteps: timesteps,
            maximumBatch: maximumBatch,
            maximumConditions: maximumConditions,
            parameter: value
        )
    }

    /// Actions in one sample.
    public var horizon: Int { architecture.horizon }
    /// Numbers in one action.
    public var actionDim: Int { architecture.actionDim }
    /// Numbers in the condition, all observations of a history together.
    public var conditionDim: Int { architecture.conditionDim }
    /// Floating-point operations of the convolutions for one sample, a multiplication and an addition counting as two.
    public var operationsPerSample: Int { architecture.operationsPerSample }

    /// Bytes of convolution weights that a forward pass reads.
    public var weightBytes: Int { engine.weightBytes }

    /// Sets an observation condition for the predictions that follow.
    ///
    /// - Parameters:
    ///   - condition: [conditionDim], normalised.
    ///   - index: which of the conditions that are kept, in 0..<`maximumConditions`.
    public func setCondition(_ condition: Span<Float>, at index: Int) {
        precondition((0..<maximumConditions).contains(index), "condition \(index) of \(maximumConditions)")
        film.setCondition(condition, at: index)
    }

    /// Predicts the outputs of a batch, or gives up at `instant`, between two layers; on OpenBLAS it always finishes.
    ///
    /// - Parameters: as of `Denoiser.predict`.
    /// - Returns: whether there is an output.
    @_lifetime(outputs: copy outputs)
    public func predict(
        samples: Span<Float>,
        timesteps batchTimesteps: Span<Int>,
        conditions: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        let batch = batchTimesteps.count
        precondition((1...maximumBatch).contains(batch), "batch \(batch) is outside 1...\(maximumBatch)")
        precondition(conditions.count == batch, "\(conditions.count) conditions for a batch of \(batch)")
        for index in 0..<batch {
            let condition = conditions[index]
            precondition(
                (0..<maximumConditions).contains(condition),
                "condition \(condition) of \(maximumConditions)"
            )
            film.write(
                timestep: batchTimesteps[index],
                condition: condition,
                entry: index
            )
        }
        precondition(
            samples.count == batch * architecture.sampleSize,
            "samples are [batch, horizon, actionDim]"
        )
        precondition(outputs.count == samples.count, "outputs are [batch, horizon, actionDim]")
        return engine.forward(
            samples,
            batch: batch,
            film: film,
            until: instant,
            unless: interruption,
            into: &outputs
        )
    }

    /// The outputs of a batch under condition 0.
    ///
    /// - Parameters: as of `Denoiser.predict`.
    @_lifetime(outputs: copy outputs)
    public func predict(
        samples: Span<Float>,
        timesteps batchTimesteps: Span<Int>,
        into outputs: inout MutableSpan<Float>
    ) {
        let batch = batchTimesteps.count
        precondition(batch <= maximumBatch, "batch \(batch) is outside 1...\(maximumBatch)")
        let conditions = firstCondition
        _ = predict(
            samples: samples,
            timesteps: batchTimesteps,
            conditions: conditions.span.extracting(first: batch),
            until: nil,
            into: &outputs
        )
    }

    /// Stops the worker threads from spinning, as `Denoiser.rest` says.
    public func rest() { engine.rest() }
}
