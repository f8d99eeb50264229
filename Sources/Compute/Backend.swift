/// Library that computes the network's convolutions.
public enum Backend: Sendable, Hashable, CustomStringConvertible {
    /// The packed kernels, on an instruction set.
    case packed(InstructionSet)
    /// OpenBLAS, on any processor, in single precision only.
    case openBLAS

    /// The backends of this processor, the preferred one first.
    public static let available = InstructionSet.supported.map(Backend.packed) + [.openBLAS]

    /// As `init(named:)` takes it: an instruction set's name, or `openblas`.
    public var name: String {
        switch self {
        case .packed(let instructionSet): instructionSet.name
        case .openBLAS: Self.openBLASName
        }
    }

    /// Its name.
    public var description: String { name }

    /// The precisions in which it computes.
    public var precisions: [Precision] {
        switch self {
        case .packed(let instructionSet): instructionSet.precisions
        case .openBLAS: [.f32]
        }
    }

    /// The backend of a name.
    ///
    /// - Throws: `BackendError` if there is none of that name, or this processor does not support it.
    public init(named name: String) throws(BackendError) {
        if name == Self.openBLASName {
            self = .openBLAS
            return
        }
        guard let instructionSet = InstructionSet.all.first(where: { $0.name == name }) else {
            throw .unknown(name: name)
        }
        guard instructionSet.isSupported else { throw .unsupported(instructionSet) }
        self = .packed(instructionSet)
    }

    private static let openBLASName = "openblas"
}

/// Why there is no backend of a name.
public enum BackendError: Error, Hashable, CustomStringConvertible {
    /// Nothing that was compiled in has this name.
    case unknown(name: String)
    /// This processor lacks features that the instruction set needs.
    case unsupported(InstructionSet)

    /// The name, what is wrong with it, and the names that this processor supports.
    public var description: String {
        let expected = "expected one of \(Backend.available.map(\.name).joined(separator: ", "))"
        switch self {
        case .unknown(let name):
            return "\"\(name)\" is no set of kernels, \(expected)"
        case .unsupported(let instructionSet):
            let missing = instructionSet.missingFeatures.joined(separator: ", ")
            return "\"\(instructionSet)\" needs what this processor lacks (\(missing)), \(expected)"
        }
    }
}
