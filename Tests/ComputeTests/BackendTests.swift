import Testing

@testable import Compute

@Suite("A backend")
struct BackendTests {
    @Test("is found by its name", arguments: Backend.available)
    func named(backend: Backend) throws {
        #expect(try Backend(named: backend.name) == backend)
    }

    @Test(
        "of no such name is refused with the names that there are",
        arguments: ["avx9", "AVX2", "", "avx512 "]
    )
    func unknown(name: String) {
        let error = #expect(throws: BackendError.self) { try Backend(named: name) }
        #expect(error == .unknown(name: name))
        let names = Backend.available.map(\.name).joined(separator: ", ")
        #expect(error?.description == "\"\(name)\" is no set of kernels, expected one of \(names)")
    }

    @Test("that this processor lacks is refused, with what is missing", arguments: InstructionSet.all)
    func unsupported(instructionSet: InstructionSet) throws {
        guard !instructionSet.isSupported else {
            #expect(instructionSet.missingFeatures.isEmpty)
            return
        }
        let error = #expect(throws: BackendError.self) { try Backend(named: instructionSet.name) }
        #expect(error == .unsupported(instructionSet))
        for feature in instructionSet.missingFeatures {
            #expect(try #require(error).description.contains(feature))
        }
        #expect(Precision.allCases.allSatisfy { Kernel(.packed(instructionSet), precision: $0) == nil })
    }

    @Test("has OpenBLAS as the last resort, in single precision")
    func openBLAS() {
        #expect(Backend.available.last == .openBLAS)
        #expect(Backend.openBLAS.precisions == [.f32])
        #expect(Kernel(.openBLAS, precision: .bf16) == nil)
        #expect(Kernel(.openBLAS, precision: .f32)?.description.hasPrefix("f32 on OpenBLAS ") == true)
    }

    /// Calibrations are kept under this text.
    @Test("and a precision make a kernel's description", arguments: InstructionSet.supported)
    func descriptions(instructionSet: InstructionSet) {
        for precision in instructionSet.precisions {
            let kernel = Kernel(.packed(instructionSet), precision: precision)
            #expect(kernel?.description == "\(precision.rawValue) on \(instructionSet.name)")
        }
    }

    @Test("is the first one that has the precision, by default")
    func best() {
        for precision in Precision.allCases {
            let first = Backend.available.first { $0.precisions.contains(precision) }
            #expect(Kernel(best: precision)?.backend == first)
        }
        #expect(Kernel.exact == Kernel(best: .f32))
        #expect(Kernel.fastest == Kernel(best: .int8) ?? .exact)
    }
}
