import CKernels

/// The network on the packed kernels: a list of stages, worked through by a team of threads.
///
/// Activations exist in two forms. A convolution writes floats [position, channel], on which normalisation, FiLM and the
/// residual work in place. The next convolution reads packed rows [channel (pair), position]. A position is a (time,
/// sample) pair, sample fastest. So a tap is one range of positions, whatever the batch, and ranges that meet only padding
/// are skipped.
///
/// `@unchecked Sendable`: the team's threads work on disjoint channels of a stage, and only while `forward` waits for
/// them, which the owner calls from one thread at a time.
final class PackedNetwork: @unchecked Sendable {
    private let architecture: UNet1DArchitecture
    private let isa: dn_isa
    private let stages: [PackedStage]
    private let memory: PackedActivations
    private let orders: PositionOrders
    /// Address of the last stage's result.
    private let result: UnsafePointer<Float>
    private var team: ThreadTeam?
    private var job: Job?

    /// Arguments of the forward pass in progress.
    private struct Job {
        let batch: Int
        let film: UnsafePointer<Float>
        let filmStride: Int
    }

    init<Failure: Error>(
        architecture: UNet1DArchitecture,
        engine: Engine,
        maximumBatch: Int,
        parameter: (String) throws(Failure) -> [Float]
    ) throws(Failure) {
        let memory = PackedActivations(
            architecture: architecture,
            maximumBatch: maximumBatch,
            integerParts: engine.isQuantized ? engine.threads : 0
        )
        var builder = PackedNetworkBuilder(architecture: architecture, engine: engine, memory: memory)
        try builder.build(parameter: parameter)
        self.architecture = architecture
        self.isa = engine.isa
        self.stages = builder.stages
        self.memory = memory
        self.orders = PositionOrders(lengths: architecture.encoder.map(\.length), maximumBatch: maximumBatch)
        self.result = UnsafePointer(builder.stream)
        self.team = ThreadTeam(
            count: engine.threads,
            stageCount: stages.count,
            work: { [unowned self] stage, part in self.run(stage: stage, part: part) }
        )
    }

    deinit { team?.stop() }

    /// Bytes of weights a forward pass reads.
    var weightBytes: Int { stages.reduce(0) { $0 + $1.weightBytes } }

    /// The network's output for `batch` samples.
    ///
    /// - Parameters:
    ///   - samples: [batch, horizon, actionDim].
    ///   - film: [batch, filmStride], readable a vector beyond its end.
    ///   - instant: when to give up; nil: it takes the time it takes.
    ///   - outputs: [batch, horizon, actionDim].
    /// - Returns: whether there is an output.
    func forward(
        _ samples: UnsafePointer<Float>,
        batch: Int,
        film: UnsafePointer<Float>,
        filmStride: Int,
        until instant: ContinuousClock.Instant?,
        into outputs: UnsafeMutablePointer<Float>
    ) -> Bool {
        job = Job(batch: batch, film: film, filmStride: filmStride)
        orders.prepare(batch: batch)
        load(samples, batch: batch)
        guard team?.run(until: instant) ?? false else { return false }
        store(into: outputs, batch: batch)
        return true
    }

    /// Gives the cores of the other threads free until the next pass.
    func rest() { team?.rest() }

    /// As of `UNet1D`.
    func whenHeldUp(_ action: @escaping @Sendable () -> Void) { team?.heldUp = action }

    private func run(stage: Int, part: Int) {
        guard let job else { return }
        stages[stage].run(
            part: part,
            batch: job.batch,
            film: job.film,
            filmStride: job.filmStride,
            orders: orders,
            integers: memory.integers(part: part)
        )
    }

    /// Lays the samples out by position, as floats for an identity residual and packed for the first stage.
    private func load(_ samples: UnsafePointer<Float>, batch: Int) {
        let channels = architecture.actionDim
        let stride = paddedChannels(channels)
        let values = memory.streamA.pointer
        for sample in 0..<batch {
            for time in 0..<architecture.horizon {
                let source = samples + (sample * architecture.horizon + time) * channels
                (values + (time * batch + sample) * stride).update(from: source, count: channels)
            }
        }
        pack(
            values,
            channels: 0..<channels,
            stride: stride,
            positions: architecture.horizon * batch,
            to: PackedRows(cells: memory.packedA.pointer, length: architecture.horizon, format: dn_f32),
            batch: batch,
            orders: orders,
            isa: isa
        )
    }

    private func store(into outputs: UnsafeMutablePointer<Float>, batch: Int) {
        let channels = architecture.actionDim
        for sample in 0..<batch {
            for time in 0..<architecture.horizon {
                let source = result + (time * batch + sample) * paddedChannels(channels)
                let destination = outputs + (sample * architecture.horizon + time) * channels
                destination.update(from: source, count: channels)
            }
        }
    }
}

/// The activations of a packed forward pass, sized for the largest batch and for single precision.
final class PackedActivations {
    /// Packed rows, used alternately as a layer's input and output.
    let packedA: CellBuffer
    let packedB: CellBuffer
    /// Floats, used alternately as a block's input and output.
    let streamA: FloatBuffer
    let streamB: FloatBuffer
    /// Between a block's two convolutions.
    let hidden: FloatBuffer
    /// Residual that a block adds to its output.
    let residual: FloatBuffer
    /// The packed inputs of the decoder, level by level: what comes up, and below it what was skipped.
    private let joinedRows: CellBuffer
    private let joinedOffsets: [Int]
    /// Each part's input as integers, one after the other.
    private let integerRows: CellBuffer
    private let integerScales: FloatBuffer
    private let integerOffsets: FloatBuffer
    private let integerParts: Int

    /// - Parameter integerParts: the parts of a stage that need their input as integers.
    init(architecture: UNet1DArchitecture, maximumBatch: Int, integerParts: Int) {
        let levels = architecture.encoder
        let widths = levels.map(\.second.outChannels)
        // Resampling puts the channels of one level next to the length of another, hence the widest of the neighbours.
        var widest = max(architecture.actionDim, widths[0])
        var floats = architecture.horizon * paddedChannels(widest)
        var cells = widest * packedRowStride(length: architecture.horizon, batch: maximumBatch)
        var offsets: [Int] = []
        var joined = 0
        var integers = 0
        var scales = 0
        for (level, shape) in levels.enumerated() {
            widest = widths[max(level - 1, 0)...min(level + 1, levels.count - 1)].max() ?? widest
            let rowStride = packedRowStride(length: shape.length, batch: maximumBatch)
            floats = max(floats, shape.length * paddedChannels(widest))
            cells = max(cells, widest * rowStride)
            offsets.append(joined)
            // The finest level's encoder output skips nowhere.
            if level > 0 { joined += 2 * widths[level] * rowStride }
            let pairs = max((widest + 1) / 2, 2 * ((widths[level] + 1) / 2))
            // An odd last pair takes a row of fours as well.
            integers = max(integers, (pairs + 1) * rowStride)
            scales = max(scales, IntegerInput.scaleRows(channels: 2 * pairs) * rowStride)
        }
        self.packedA = CellBuffer(count: cells)
        self.packedB = CellBuffer(count: cells)
        self.streamA = FloatBuffer(count: floats * maximumBatch)
        self.streamB = FloatBuffer(count: floats * maximumBatch)
        self.hidden = FloatBuffer(count: floats * maximumBatch)
        self.residual = FloatBuffer(count: floats * maximumBatch)
        self.joinedRows = CellBuffer(count: joined)
        self.joinedOffsets = offsets
        self.integerRows = CellBuffer(count: integerParts * integers)
        self.integerScales = FloatBuffer(count: integerParts * scales)
        self.integerOffsets = FloatBuffer(count: integerParts * scales)
        self.integerParts = integerParts
    }

    /// Room for a part's input as integers; nil where no stage needs it.
    func integers(part: Int) -> IntegerInput? {
        guard part < integerParts else { return nil }
        return IntegerInput(
            cells: integerRows.pointer + part * (integerRows.count / integerParts),
            scales: integerScales.pointer + part * (integerScales.count / integerParts),
            offsets: integerOffsets.pointer + part * (integerOffsets.count / integerParts)
        )
    }

    /// The decoder's packed input at a level other than the finest.
    func joined(_ level: Int) -> UnsafeMutablePointer<UInt32> { joinedRows.pointer + joinedOffsets[level] }
}
