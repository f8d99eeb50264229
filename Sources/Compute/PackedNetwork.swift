import CKernels
import Clocks
import Stalls

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
    private let isa: InstructionSet
    private let stages: [PackedStage]
    private let memory: PackedActivations
    private let orders: PositionOrders
    /// What the network reads, and the packed rows of the stages that read it.
    private let input: Activation
    private let inputRows: [PackedRows]
    /// What the network gives, and its address.
    private let output: Activation
    private let result: UnsafePointer<Float>
    private var team: ThreadTeam?
    private var job: Job?

    /// Arguments of the forward pass in progress.
    private struct Job {
        let batch: Int
        let film: UnsafePointer<Float>
        let filmStride: Int
    }

    /// - Parameters:
    ///   - layers: at least one; all convolutions, and what works on their outputs in place.
    ///   - stallWatch: watches the passes that have a time.
    /// - Throws: what `parameter` throws.
    init<Failure: Error>(
        layers: [Layer],
        engine: Engine,
        maximumBatch: Int,
        stallWatch: StallWatch?,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        let plan = engine.plan(layers)
        let memory = PackedActivations(
            plan: plan,
            maximumBatch: maximumBatch,
            integerParts: engine.isQuantized ? engine.threads : 0
        )
        let builder = PackedNetworkBuilder(plan: plan, engine: engine, memory: memory)
        self.isa = engine.isa
        self.stages = try builder.stages(parameter: parameter)
        self.memory = memory
        self.orders = PositionOrders(lengths: plan.resampledLengths, maximumBatch: maximumBatch)
        self.input = plan.input
        self.inputRows = builder.destinations(of: plan.input)
        self.output = plan.output
        self.result = UnsafePointer(memory.output(of: plan.writer(of: plan.output)))
        self.team = ThreadTeam(
            count: engine.threads,
            stageCount: stages.count,
            stallWatch: stallWatch,
            work: { [unowned self] stage, part in self.run(stage: stage, part: part) }
        )
    }

    deinit { team?.stop() }

    /// Bytes of weights a forward pass reads.
    var weightBytes: Int { stages.reduce(0) { $0 + $1.weightBytes } }

    /// The network's output for `batch` samples.
    ///
    /// - Parameters:
    ///   - samples: [batch, length, channels] of the network's input.
    ///   - film: [batch, filmStride], readable a vector beyond its end.
    ///   - instant: when to give up; nil: it takes the time it takes.
    ///   - interruption: gives up when it is asked for.
    ///   - outputs: [batch, length, channels] of the network's output.
    /// - Returns: whether there is an output.
    func forward(
        _ samples: UnsafePointer<Float>,
        batch: Int,
        film: UnsafePointer<Float>,
        filmStride: Int,
        until instant: MonotonicTime?,
        unless interruption: Interruption?,
        into outputs: UnsafeMutablePointer<Float>
    ) -> Bool {
        job = Job(batch: batch, film: film, filmStride: filmStride)
        orders.prepare(batch: batch)
        load(samples, batch: batch)
        guard team?.run(until: instant, unless: interruption) ?? false else { return false }
        store(into: outputs, batch: batch)
        return true
    }

    /// Gives the cores of the other threads free until the next pass.
    func rest() { team?.rest() }

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

    /// Lays the samples out by position, as floats for an identity residual and packed for the stages that read them.
    private func load(_ samples: UnsafePointer<Float>, batch: Int) {
        let channels = input.channels
        let stride = paddedChannels(channels)
        let values = memory.input
        for sample in 0..<batch {
            for time in 0..<input.length {
                let source = samples + (sample * input.length + time) * channels
                (values + (time * batch + sample) * stride).update(from: source, count: channels)
            }
        }
        for rows in inputRows {
            pack(
                values,
                channels: 0..<channels,
                stride: stride,
                positions: input.length * batch,
                to: rows,
                batch: batch,
                orders: orders,
                isa: isa
            )
        }
    }

    private func store(into outputs: UnsafeMutablePointer<Float>, batch: Int) {
        let channels = output.channels
        let stride = paddedChannels(channels)
        for sample in 0..<batch {
            for time in 0..<output.length {
                let source = result + (time * batch + sample) * stride
                let destination = outputs + (sample * output.length + time) * channels
                destination.update(from: source, count: channels)
            }
        }
    }
}
