import CKernels

/// Instruction set that the packed kernels were compiled for.
///
/// Which ones exist is CKernels' list of tables; this is a table's handle.
///
/// `@unchecked Sendable`: tables are constants of the program.
public struct InstructionSet: @unchecked Sendable, Hashable, CustomStringConvertible {
    let table: UnsafePointer<dn_kernels>

    /// Every instruction set that was compiled in, the preferred one first; none on an architecture without packed kernels.
    public static let all: [InstructionSet] = {
        guard var next = dn_all_kernels() else { return [] }
        var found: [InstructionSet] = []
        while let table = next.pointee {
            found.append(InstructionSet(table: table))
            next += 1
        }
        return found
    }()

    /// Those of `all` that this processor and its operating system support.
    public static let supported = all.filter(\.isSupported)

    /// As reports print it: `avx2`, `avx512-bf16`.
    public var name: String { String(cString: table.pointee.name) }

    /// Its name.
    public var description: String { name }

    /// Whether this processor and its operating system have all features that it needs.
    public var isSupported: Bool { table.pointee.features & ~Self.processorFeatures == 0 }

    /// Features that it needs, named as in /proc/cpuinfo.
    public var features: [String] { Self.names(of: table.pointee.features) }

    /// Features that it needs and this processor lacks, or whose registers the operating system does not save.
    public var missingFeatures: [String] {
        Self.names(of: table.pointee.features & ~Self.processorFeatures)
    }

    /// The precisions in which it is of use. In others it would compute as an instruction set with fewer features does.
    public var precisions: [Precision] {
        Precision.allCases.filter { table.pointee.formats & (1 << $0.format.rawValue) != 0 }
    }

    /// Channels of a cell of integers: 2 of 16 bits, or 4 of 8 or 7.
    var integerChannels: Int { Int(table.pointee.integer_channels) }

    /// Bits of the integers that inputs become, with their sign if they have one.
    var inputBits: Int {
        integerChannels == 2 ? 16 : Int32.bitWidth - table.pointee.largest_input.leadingZeroBitCount
    }

    /// Whether it sums products with integers of 7 bits in 16 bits, which limits groups of weights.
    var hasGroups: Bool { table.pointee.has_groups }

    /// Output channels that a convolution should take at once, in vectors of `dn_lanes`.
    var blockVectors: Int { Int(table.pointee.block_vectors) }

    /// Whether it multiplies bf16 in one instruction.
    var multipliesBF16: Bool { table.pointee.multiplies_bf16 }

    /// Asked for once: a virtual machine's host answers for the processor, which takes time.
    private static let processorFeatures = dn_processor_features()

    private static func names(of features: UInt32) -> [String] {
        (0..<UInt32.bitWidth).compactMap { bit in
            let feature: UInt32 = 1 << bit
            guard features & feature != 0, let name = dn_feature_name(dn_feature(feature)) else { return nil }
            return String(cString: name)
        }
    }
}

extension Precision {
    /// Number format of a layer's input in this precision, unless the layer is small.
    fileprivate var format: dn_format {
        switch self {
        case .f32: dn_f32
        case .bf16: dn_bf16
        case .int8: dn_integers
        }
    }
}
