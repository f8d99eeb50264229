import CKernels

/// Number format of weights and products.
public enum Precision: String, Sendable, Hashable, CaseIterable {
    /// Single precision throughout.
    case f32
    /// Weights and the convolutions' inputs rounded to bfloat16, sums in single precision.
    case bf16
    /// Weights rounded to 8-bit integers with a scale for each output channel. Inputs become integers too, with a scale for
    /// each position: of 8 bits where the processor multiplies bytes four at a time, of 16 elsewhere.
    case int8
}

/// Code path of the network: an instruction set (or OpenBLAS) and a precision.
public struct Kernel: Sendable, Hashable, CustomStringConvertible {
    /// Code path of the convolutions. `openBLAS` stands for the portable path and is no instruction set.
    public enum InstructionSet: String, Sendable, Hashable, CaseIterable {
        /// OpenBLAS, on any processor; single precision only.
        case openBLAS = "openblas"
        /// The packed kernels with AVX2 and FMA.
        case avx2
        /// Those with AVX-VNNI, the dot product of bytes, as well.
        case avx2VNNI = "avx2-vnni"
        /// The packed kernels with AVX-512.
        case avx512
        /// Those with its dot product of bytes as well.
        case avx512VNNI = "avx512-vnni"
        /// Those with its dot products of bytes and of bfloat16 as well.
        case avx512BF16 = "avx512-bf16"

        var isa: dn_isa {
            switch self {
            case .openBLAS: dn_isa_none
            case .avx2: dn_isa_avx2
            case .avx2VNNI: dn_isa_avx2_vnni
            case .avx512: dn_isa_avx512
            case .avx512VNNI: dn_isa_avx512_vnni
            case .avx512BF16: dn_isa_avx512_bf16
            }
        }
    }

    /// Code path of the convolutions.
    public let instructionSet: InstructionSet
    /// Number format of weights and products.
    public let precision: Precision

    /// The best kernel on this processor in single precision.
    public static let exact = Kernel(best: .f32) ?? Kernel(instructionSet: .openBLAS, precision: .f32)

    /// The kernel that samples fastest on this processor: 8-bit integers where there are packed kernels, else single
    /// precision.
    public static let fastest = Kernel(best: .int8) ?? exact

    /// The best kernel of a precision, or nil where this processor has none.
    public init?(best precision: Precision) {
        let candidates = Self.available.reversed().compactMap { Kernel($0, precision: precision) }
        guard let first = candidates.first else { return nil }
        self = first
    }

    private init(instructionSet: InstructionSet, precision: Precision) {
        self.instructionSet = instructionSet
        self.precision = precision
    }

    /// A kernel on a given instruction set, or nil where this processor lacks it or has it not in this precision.
    public init?(_ instructionSet: InstructionSet, precision: Precision) {
        let hasPrecision =
            switch instructionSet {
            case .openBLAS: precision == .f32
            case .avx2, .avx512: true
            // What these add is of no use to the other precisions.
            case .avx2VNNI, .avx512VNNI: precision == .int8
            case .avx512BF16: precision != .f32
            }
        guard hasPrecision, Self.available.contains(instructionSet) else { return nil }
        self.instructionSet = instructionSet
        self.precision = precision
    }

    /// The instruction sets of this processor, slowest first.
    public static var available: [InstructionSet] {
        InstructionSet.allCases.filter { dn_supports($0.isa) }
    }

    /// Precision and instruction set, for reports.
    public var description: String {
        let engine = instructionSet == .openBLAS ? Self.openBLASDescription : instructionSet.rawValue
        return "\(precision.rawValue) on \(engine)"
    }

    func engine(threads: Int, locksWeights: Bool) -> Engine? {
        guard instructionSet != .openBLAS else { return nil }
        return Engine(
            isa: instructionSet.isa,
            precision: precision,
            threads: threads,
            locksWeights: locksWeights
        )
    }
}
