import CKernels

/// What computes: the instruction set, the precision, the threads.
struct Engine {
    let isa: dn_isa
    let precision: Precision
    let threads: Int
    let locksWeights: Bool

    /// Whether the weights of layers whose inputs are bf16 become integers of 8 bits.
    var isQuantized: Bool { precision == .int8 }

    /// What a layer's inputs hold, and its weights if they are not quantized, given its weights at one tap.
    ///
    /// Fewer bits save time where reading weights takes it. A small layer's weights stay in the cache, and it keeps
    /// single precision.
    func format(weights: Int) -> dn_format {
        precision == .f32 || weights < 4096 ? dn_f32 : dn_bf16
    }
}
