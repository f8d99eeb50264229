import CKernels

/// The activations of a packed forward pass, sized for the largest batch. Those that are not needed at the same time share
/// memory.
final class PackedActivations {
    /// The packed rows that each stage reads.
    private let cells: CellBuffer
    private let rowOffsets: [Int]
    /// The rows that filtered stages read.
    private let filteredOffsets: [Int]
    /// The network's input, then what each stage writes, then each stage's shortcut.
    private let floats: FloatBuffer
    private let floatOffsets: [Int]
    /// Each filtered stage's products.
    private let productOffsets: [Int]
    private let stageCount: Int
    /// Each part's input as integers, one after the other.
    private let integerRows: CellBuffer
    private let integerScales: FloatBuffer
    private let integerOffsets: FloatBuffer
    private let integerParts: Int

    /// - Parameter integerParts: the parts of a stage that need their input as integers.
    init(plan: PackedPlan, maximumBatch: Int, integerParts: Int) {
        let rows = MemoryPlan(
            plan.packedRowValues(maximumBatch: maximumBatch)
                + plan.filteredRowValues(maximumBatch: maximumBatch)
        )
        let floatValues = plan.floatValues(maximumBatch: maximumBatch)
        let values = MemoryPlan(floatValues + plan.productValues(maximumBatch: maximumBatch))
        self.cells = CellBuffer(count: rows.count)
        self.rowOffsets = Array(rows.offsets[..<plan.stages.count])
        self.filteredOffsets = Array(rows.offsets[plan.stages.count...])
        self.floats = FloatBuffer(count: values.count)
        self.floatOffsets = Array(values.offsets[..<floatValues.count])
        self.productOffsets = Array(values.offsets[floatValues.count...])
        self.stageCount = plan.stages.count

        var integers = 0
        var scales = 0
        for stage in plan.stages where stage.format == dn_bf16 {
            let rowStride = packedRowStride(length: stage.source.length, batch: maximumBatch)
            // An odd last pair takes a row of fours as well.
            integers = max(integers, (stage.rows + 1) * rowStride)
            scales = max(scales, IntegerInput.scaleRows(channels: 2 * stage.rows) * rowStride)
        }
        self.integerRows = CellBuffer(count: integerParts * integers)
        self.integerScales = FloatBuffer(count: integerParts * scales)
        self.integerOffsets = FloatBuffer(count: integerParts * scales)
        self.integerParts = integerParts
    }

    /// The packed rows that a stage reads.
    func rows(readBy stage: Int) -> UnsafeMutablePointer<UInt32> { cells.pointer + rowOffsets[stage] }

    /// The rows that a filtered stage reads: each has the columns of every product.
    func filteredRows(readBy stage: Int) -> UnsafeMutablePointer<UInt32> {
        cells.pointer + filteredOffsets[stage]
    }

    /// A filtered stage's products, [columns of all products, paddedChannels].
    func products(of stage: Int) -> UnsafeMutablePointer<Float> { floats.pointer + productOffsets[stage] }

    /// The network's input, [length * batch, paddedChannels].
    var input: UnsafeMutablePointer<Float> { floats.pointer + floatOffsets[0] }

    /// What a stage writes, [length * batch, paddedChannels].
    func output(of stage: Int) -> UnsafeMutablePointer<Float> { floats.pointer + floatOffsets[1 + stage] }

    /// What a stage's shortcut writes, [length * batch, paddedChannels].
    func shortcut(of stage: Int) -> UnsafeMutablePointer<Float> {
        floats.pointer + floatOffsets[1 + stageCount + stage]
    }

    /// Room for a part's input as integers; nil if no stage needs it.
    func integers(part: Int) -> IntegerInput? {
        guard part < integerParts else { return nil }
        return IntegerInput(
            cells: integerRows.pointer + part * (integerRows.count / integerParts),
            scales: integerScales.pointer + part * (integerScales.count / integerParts),
            offsets: integerOffsets.pointer + part * (integerOffsets.count / integerParts)
        )
    }
}

/// The moments at which memory is needed are the stages by their numbers; before them, at -1, the samples are laid out, and
/// after them, at `stages.count`, the result is read.
extension PackedPlan {
    /// The stage that writes an activation, or -1 for the network's input.
    func writer(of activation: Activation) -> Int {
        stages.firstIndex { $0.output == activation } ?? -1
    }

    /// The packed rows that each stage reads, from the first stage that writes any of them on.
    fileprivate func packedRowValues(maximumBatch: Int) -> [MemoryPlan.Value] {
        stages.enumerated().map { index, stage in
            let rowStride = packedRowStride(length: stage.source.length, batch: maximumBatch)
            return MemoryPlan.Value(
                count: stage.readsInput ? stage.rows * rowStride : 0,
                moments: firstWriter(for: stage)...index
            )
        }
    }

    /// The rows of columns that each filtered stage reads.
    fileprivate func filteredRowValues(maximumBatch: Int) -> [MemoryPlan.Value] {
        stages.enumerated().map { index, stage in
            let rowStride = packedRowStride(length: stage.filteredLength, batch: maximumBatch)
            return MemoryPlan.Value(
                count: stage.filter == nil ? 0 : stage.rows * rowStride,
                moments: firstWriter(for: stage)...index
            )
        }
    }

    /// Each filtered stage's products.
    fileprivate func productValues(maximumBatch: Int) -> [MemoryPlan.Value] {
        stages.enumerated().map { index, stage in
            let row = paddedChannels(stage.output.channels)
            return MemoryPlan.Value(count: stage.filteredLength * row * maximumBatch, moments: index...index)
        }
    }

    private func firstWriter(for stage: Stage) -> Int { stage.inputs.map(writer).min() ?? -1 }

    /// The network's input, what each stage writes, and what each stage's shortcut writes, as long as a stage may add them.
    fileprivate func floatValues(maximumBatch: Int) -> [MemoryPlan.Value] {
        var lastUse: [Activation: Int] = [output: stages.count]
        var lastShortcutUse: [Int: Int] = [:]
        for (index, stage) in stages.enumerated() {
            switch stage.residual {
            case .activation(let activation): lastUse[activation] = index
            case .shortcut(let reader): lastShortcutUse[reader] = index
            case nil: break
            }
        }
        func value(_ activation: Activation, from first: Int, to last: Int?) -> MemoryPlan.Value {
            let row = paddedChannels(activation.channels)
            return MemoryPlan.Value(
                count: activation.length * row * maximumBatch,
                moments: first...(last ?? first)
            )
        }
        let outputs = stages.enumerated().map { index, stage in
            value(stage.output, from: index, to: lastUse[stage.output])
        }
        let shortcuts = stages.enumerated().map { index, stage in
            stage.shortcut == nil
                ? MemoryPlan.Value(count: 0, moments: index...index)
                : value(stage.output, from: index, to: lastShortcutUse[index])
        }
        return [value(input, from: -1, to: lastUse[input])] + outputs + shortcuts
    }
}

extension PackedPlan.Stage {
    /// Columns of all products of a sample; 0 if the stage is not filtered.
    var filteredLength: Int {
        filter.map { $0.products * $0.tiles(covering: source.length) } ?? 0
    }
}
