import CKernels

/// A conditional 1D temporal UNet.
///
/// All memory is taken when the network is built; a forward pass allocates nothing, except within OpenBLAS where that runs
/// on several threads. One thread at a time may use it; it brings further threads itself.
public final class UNet1D {
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

    private let film: FiLMConditioning
    /// [maximumBatch, film.count], and a vector more, which kernels may read and ignore.
    private let filmRows: FloatBuffer
    private let network: Network

    private enum Network {
        case packed(PackedNetwork)
        case blas(BLASNetwork)
    }

    /// Builds the network and everything it needs for batches of up to `maximumBatch`.
    ///
    /// - Parameters:
    ///   - timesteps: the timesteps that `predict` will be asked for; their embeddings are computed here.
    ///   - maximumBatch: at least 1.
    ///   - maximumConditions: how many conditions are kept at once, at least 1.
    ///   - threads: threads a forward pass runs on, the caller's included; at least 1.
    ///   - kernel: what computes it; by default the best for this processor in single precision.
    ///   - locksWeights: keeps the weights in memory where the system allows it (`RLIMIT_MEMLOCK`).
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
        self.network = try Self.network(
            architecture.layers,
            engine: kernel.engine(threads: threads, locksWeights: locksWeights),
            threads: threads,
            maximumBatch: maximumBatch,
            parameter: value
        )
        self.film = try FiLMConditioning(
            architecture,
            timesteps: timesteps,
            maximumConditions: maximumConditions,
            parameter: value
        )
        self.filmRows = FloatBuffer(count: maximumBatch * film.count + Int(dn_lanes))
    }

    /// The layers on the engine, or on BLAS if there is none.
    private static func network<Failure: Error>(
        _ layers: [Layer],
        engine: Engine?,
        threads: Int,
        maximumBatch: Int,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) -> Network {
        // BLAS threads go on spinning after their work, on the cores that the packed kernels' threads need. Next to those,
        // BLAS only computes the timesteps' embeddings, when the network is built.
        setMatrixProductThreads(engine == nil ? threads : 1)
        guard let engine else {
            return .blas(
                try BLASNetwork(layers: layers, maximumBatch: maximumBatch, parameter: parameter)
            )
        }
        return .packed(
            try PackedNetwork(
                layers: layers,
                engine: engine,
                maximumBatch: maximumBatch,
                parameter: parameter
            )
        )
    }

    /// Bytes of convolution weights that a forward pass reads.
    public var weightBytes: Int {
        switch network {
        case .packed(let network): network.weightBytes
        case .blas: architecture.convolutionWeightCount * MemoryLayout<Float>.stride
        }
    }

    /// Sets the observation condition for the predictions that follow.
    ///
    /// - Parameters:
    ///   - condition: [conditionDim], normalised.
    ///   - index: which of the conditions that are kept, in 0..<`maximumConditions`.
    public func setCondition(_ condition: Span<Float>, at index: Int = 0) {
        precondition((0..<maximumConditions).contains(index), "condition \(index) of \(maximumConditions)")
        film.setCondition(condition, at: index)
    }

    /// The network's output for a batch of (sample, timestep) pairs under condition 0, as last set.
    ///
    /// - Parameters:
    ///   - samples: [batch, horizon, actionDim], with `batch` in 1...`maximumBatch`.
    ///   - batchTimesteps: [batch], each one of `timesteps`.
    ///   - outputs: [batch, horizon, actionDim].
    public func predict(
        samples: Span<Float>,
        timesteps batchTimesteps: Span<Int>,
        into outputs: inout MutableSpan<Float>
    ) {
        _ = predict(samples: samples, timesteps: batchTimesteps, until: nil, into: &outputs)
    }

    /// Predicts the outputs of (sample, timestep) pairs under condition 0, or gives up at `instant`.
    ///
    /// - Parameters:
    ///   - samples, batchTimesteps, outputs: as without a time; without an output, `outputs` is as it was.
    ///   - instant: when to give up, between two layers; nil: it takes the time it takes. On OpenBLAS it always does.
    /// - Returns: whether there is an output.
    public func predict(
        samples: Span<Float>,
        timesteps batchTimesteps: Span<Int>,
        until instant: ContinuousClock.Instant?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        let batch = batchTimesteps.count
        precondition((1...maximumBatch).contains(batch), "batch \(batch) is outside 1...\(maximumBatch)")
        for index in 0..<batch {
            film.write(
                timestep: batchTimesteps[index],
                condition: 0,
                into: filmRows.pointer + index * film.count
            )
        }
        return forward(samples, batch: batch, until: instant, into: &outputs)
    }

    /// The network's output for samples at the same timestep, sample i under condition i, as last set.
    ///
    /// - Parameters:
    ///   - samples: [batch, horizon, actionDim], with `batch` in 1...`maximumConditions` and at most `maximumBatch`.
    ///   - timestep: one of `timesteps`.
    ///   - outputs: [batch, horizon, actionDim].
    public func predict(samples: Span<Float>, timestep: Int, into outputs: inout MutableSpan<Float>) {
        _ = predict(samples: samples, timestep: timestep, until: nil, into: &outputs)
    }

    /// The network's output for samples at the same timestep, sample i under condition i, unless it would come too late.
    ///
    /// - Parameters:
    ///   - samples, timestep, outputs: as without a time; without an output, `outputs` is as it was.
    ///   - instant: when to give up, between two layers; nil: it takes the time it takes. On OpenBLAS it always does.
    /// - Returns: whether there is an output.
    public func predict(
        samples: Span<Float>,
        timestep: Int,
        until instant: ContinuousClock.Instant?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        let batch = samples.count / architecture.sampleCount
        let limit = min(maximumConditions, maximumBatch)
        precondition((1...limit).contains(batch), "batch \(batch) is outside 1...\(limit)")
        for index in 0..<batch {
            film.write(timestep: timestep, condition: index, into: filmRows.pointer + index * film.count)
        }
        return forward(samples, batch: batch, until: instant, into: &outputs)
    }

    /// Stops the worker threads from spinning; they wake on the next prediction. Without this call they spin for a moment
    /// after each prediction, because another usually follows.
    public func rest() {
        // OpenBLAS keeps threads of its own.
        if case .packed(let network) = network { network.rest() }
    }

    /// Sets a callback for when the deadline passes while a worker is descheduled inside a layer, so that the pass cannot
    /// be abandoned yet. Call it once, before the first prediction with a deadline.
    ///
    /// - Parameter action: called at most once for each prediction, on a thread that runs. Never called on OpenBLAS.
    public func whenHeldUp(_ action: @escaping @Sendable () -> Void) {
        if case .packed(let network) = network { network.whenHeldUp(action) }
    }

    private func forward(
        _ samples: Span<Float>,
        batch: Int,
        until instant: ContinuousClock.Instant?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        precondition(
            samples.count == batch * architecture.sampleCount,
            "samples are [batch, horizon, actionDim]"
        )
        precondition(outputs.count == samples.count, "outputs are [batch, horizon, actionDim]")
        return samples.withUnsafeBufferPointer { samples in
            outputs.withUnsafeMutableBufferPointer { outputs in
                guard let samples = samples.baseAddress, let outputs = outputs.baseAddress else {
                    return true
                }
                switch network {
                case .packed(let network):
                    return network.forward(
                        samples,
                        batch: batch,
                        film: filmRows.pointer,
                        filmStride: film.count,
                        until: instant,
                        into: outputs
                    )
                case .blas(let network):
                    network.forward(
                        samples,
                        batch: batch,
                        film: filmRows.pointer,
                        filmStride: film.count,
                        into: outputs
                    )
                    return true
                }
            }
        }
    }
}
