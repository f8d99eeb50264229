import CKernels
import Clocks

/// What this machine can do at most, measured: the two limits that a forward pass runs against.
public struct Roofline: Sendable, Hashable {
    /// Bytes a second that all threads together read from memory, in 10^9.
    public let gbPerS: Double
    /// Operations a second in single precision, a multiplication and an addition counting as two, in 10^9.
    public let gflopsF32: Double
    /// Likewise in bf16; 0 if the processor does not multiply it.
    public let gflopsBF16: Double
    /// Likewise with weights of 8 bits and inputs of as many as the instruction set takes.
    public let gflopsInt8: Double

    /// The least time in which a forward pass can be done, in milliseconds: its weights read once, or its operations
    /// carried out, whichever takes longer.
    public func milliseconds(weightBytes: Int, operations: Int, precision: Precision) -> Double {
        let peak =
            switch precision {
            case .f32: gflopsF32
            case .bf16: gflopsBF16 > 0 ? gflopsBF16 : gflopsF32
            case .int8: gflopsInt8
            }
        return max(Double(weightBytes) / gbPerS, Double(operations) / peak) / 1e6
    }

    /// Measures the limits with the packed kernels' own loads and multiplications; takes about a second.
    ///
    /// - Parameters:
    ///   - threads: how many run at once, at least 1.
    ///   - instructionSet: a supported one; by default the preferred one.
    /// - Returns: nil if there are no packed kernels for this processor.
    public static func measure(
        threads: Int,
        on instructionSet: InstructionSet? = InstructionSet.supported.first
    ) -> Roofline? {
        guard let instructionSet, instructionSet.isSupported else { return nil }
        let meter = Meter(instructionSet: instructionSet, threads: threads)
        defer { meter.stop() }
        return Roofline(
            gbPerS: meter.best(of: 7, .read),
            gflopsF32: meter.best(of: 5, .multiply(dn_f32)),
            gflopsBF16: instructionSet.multipliesBF16 ? meter.best(of: 5, .multiply(dn_bf16)) : 0,
            gflopsInt8: meter.best(of: 5, .multiply(dn_integers))
        )
    }
}

/// Runs one kind of work on all threads at once.
///
/// `@unchecked Sendable`: `work` changes only between runs, and each thread has a cell of its own.
private final class Meter: @unchecked Sendable {
    enum Work {
        case read
        case multiply(dn_format)
    }

    private static let bytesPerThread = 128 << 20
    private static let rounds: Int64 = 20_000

    private let instructionSet: InstructionSet
    private let threads: Int
    private let memory: WeightMemory
    /// [threads], a cache line apart.
    private let amounts: NumberBuffer<Double>
    private var work = Work.read
    private var team: ThreadTeam?

    init(instructionSet: InstructionSet, threads: Int) {
        self.instructionSet = instructionSet
        self.threads = threads
        self.memory = WeightMemory(cellCount: threads * Self.bytesPerThread / 4)
        self.amounts = NumberBuffer(count: threads * 8)
        self.team = ThreadTeam(
            count: threads,
            stageCount: 1,
            work: { [unowned self] _, part in self.run(part) }
        )
    }

    func stop() { team?.stop() }

    /// The largest rate of several runs, in 10^9 a second.
    func best(of runs: Int, _ work: Work) -> Double {
        self.work = work
        return (0..<runs).map { _ in
            let begun = MonotonicTime.now()
            team?.run()
            let elapsed = MonotonicTime.now().nanoseconds(since: begun)
            let amount = (0..<threads).reduce(0) { $0 + amounts.pointer[$1 * 8] }
            return amount / Double(elapsed)
        }.max() ?? 0
    }

    private func run(_ part: Int) {
        var sink: Float = 0
        switch work {
        case .read:
            let first = memory.pointer + part * Self.bytesPerThread / 4
            sink = dn_read(instructionSet.table, first, Int64(Self.bytesPerThread))
            amounts.pointer[part * 8] = Double(Self.bytesPerThread)
        case .multiply(let format):
            amounts.pointer[part * 8] = Double(dn_multiply(instructionSet.table, format, Self.rounds, &sink))
        }
        withExtendedLifetime(sink) {}
    }
}
