import CKernels

/// What computes: the instruction set, the precision, the threads.
struct Engine {
    let isa: InstructionSet
    let precision: Precision
    let threads: Int
    let locksWeights: Bool
    /// Which layers are filtered, in single precision.
    var filtering = Filtering.none

    /// Whether the weights of layers whose inputs are bf16 become integers of 8 bits.
    var isQuantized: Bool { precision == .int8 }

    /// The stages of a packed pass through some layers.
    func plan(_ layers: [Layer]) -> PackedPlan {
        PackedPlan(
            layers: layers,
            filtering: precision == .f32 ? filtering : .none,
            format: format(weights:)
        )
    }

    /// Number format of a layer's inputs, and of its weights if they are not quantized, by the size of its weights at one
    /// tap.
    ///
    /// Fewer bits save time if reading weights takes it. The weights of a small layer stay in the cache, so it keeps single
    /// precision.
    func format(weights: Int) -> dn_format {
        precision == .f32 || weights < 4096 ? dn_f32 : dn_bf16
    }
}
