/// Number format of weights and products.
public enum Precision: String, Sendable, Hashable, CaseIterable {
    /// Single precision throughout.
    case f32
    /// Weights and the convolutions' inputs rounded to bfloat16, sums in single precision.
    case bf16
    /// Weights rounded to 8-bit integers with a scale for each output channel. Inputs become integers too, with a scale for
    /// each position: of 8 bits if the processor multiplies bytes four at a time, of 7 if it has AVX2 alone, else of 16.
    case int8
}

/// Code path of the network: a backend and a precision.
public struct Kernel: Sendable, Hashable, CustomStringConvertible {
    /// Library, and instruction set, of the convolutions.
    public let backend: Backend
    /// Number format of weights and products.
    public let precision: Precision
    /// Which layers in time are computed by minimal filtering, in single precision on packed kernels.
    public let filtering: Filtering

    /// The best kernel on this processor in single precision.
    public static let exact = Kernel(best: .f32) ?? Kernel(backend: .openBLAS, precision: .f32)

    /// The kernel that samples fastest on this processor: 8-bit integers if there are packed kernels, else single precision.
    public static let fastest = Kernel(best: .int8) ?? exact

    /// The best kernel of a precision, or nil if this processor has none.
    public init?(best precision: Precision) {
        let candidates = Backend.available.lazy.compactMap { Kernel($0, precision: precision) }
        guard let first = candidates.first else { return nil }
        self = first
    }

    private init(backend: Backend, precision: Precision, filtering: Filtering = .none) {
        self.backend = backend
        self.precision = precision
        self.filtering = filtering
    }

    /// Bits of the integers that a convolution's inputs become; nil: they stay floats.
    public var inputBits: Int? {
        guard case .packed(let instructionSet) = backend, precision == .int8 else { return nil }
        return instructionSet.inputBits
    }

    /// The same kernel with other layers filtered.
    public func filtered(_ filtering: Filtering) -> Kernel {
        Kernel(backend: backend, precision: precision, filtering: filtering)
    }

    /// The kernel of a backend in a precision, or nil if this processor lacks the backend or the backend the precision.
    public init?(_ backend: Backend, precision: Precision) {
        guard backend.precisions.contains(precision), Backend.available.contains(backend) else { return nil }
        self.init(backend: backend, precision: precision)
    }

    /// Bytes that filtered layers' weights take beyond those of their taps.
    package func filteringBytes(_ layers: [Layer]) -> Int {
        engine(threads: 1, locksWeights: false)?.plan(layers).filteringBytes ?? 0
    }

    /// Precision and instruction set, or BLAS library, for reports, and for which batch layers are filtered, if any are.
    /// Recordings and calibrations name kernels so, too.
    public var description: String {
        let engine =
            switch backend {
            case .packed(let instructionSet): instructionSet.name
            case .openBLAS: Self.openBLASDescription
            }
        return "\(precision.rawValue) on \(engine)\(filteringDescription)"
    }

    private var filteringDescription: String {
        guard case .packed = backend, precision == .f32, filtering.batch > 0 else { return "" }
        let memory = filtering.memory == Filtering.standardMemory ? "" : " in \(filtering.memory >> 20) MiB"
        return " filtered for \(filtering.batch)\(memory)"
    }

    func engine(threads: Int, locksWeights: Bool) -> Engine? {
        guard case .packed(let instructionSet) = backend else { return nil }
        return Engine(
            isa: instructionSet,
            precision: precision,
            threads: threads,
            locksWeights: locksWeights,
            filtering: filtering
        )
    }
}
