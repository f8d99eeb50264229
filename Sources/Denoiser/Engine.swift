import CKernels

/// What computes: the instruction set, the precision, the threads.
struct Engine {
    let isa: dn_isa
    let precision: Precision
    let threads: Int
    let locksWeights: Bool

    /// What a layer's weights and inputs hold, given its weights at one tap.
    ///
    /// bf16 saves time where reading weights takes it. A small layer's weights stay in the cache, and it keeps single
    /// precision.
    func format(weights: Int) -> dn_format {
        precision == .bf16 && weights >= 4096 ? dn_bf16 : dn_f32
    }
}
