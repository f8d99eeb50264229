import Compute
import Foundation

/// The environment variable that says which kernels compute, for tests and measurements of those that this processor would
/// not choose by itself.
enum WantedBackend {
    static let variable = "DENOISED_KERNELS"

    /// The backend that the environment names; nil if it names none.
    ///
    /// A value that is empty counts as none.
    ///
    /// - Throws: `Failure` if there is no such backend, or this processor does not support it.
    static func read() throws -> Backend? {
        guard let name = ProcessInfo.processInfo.environment[variable], !name.isEmpty else { return nil }
        do {
            return try Backend(named: name)
        } catch {
            throw Failure.input("\(variable): \(error)")
        }
    }
}

extension PrecisionChoice {
    /// The kernel that computes in this precision, on the backend that the environment names or else on the best one.
    ///
    /// - Throws: `Failure` if there is no such kernel on this processor.
    func kernel() throws -> Kernel {
        guard let backend = try WantedBackend.read() else { return try bestKernel() }
        let kernel: Kernel? =
            switch self {
            case .f32: Kernel(backend, precision: .f32)
            case .bf16: Kernel(backend, precision: .bf16)
            case .int8: Kernel(backend, precision: .int8)
            case .auto: Kernel(backend, precision: .int8) ?? Kernel(backend, precision: .f32)
            }
        guard let kernel else {
            let expected = backend.precisions.map(\.rawValue).joined(separator: ", ")
            throw Failure.input(
                "--precision is \(rawValue), expected \(expected) or auto: \(WantedBackend.variable) names \(backend), "
                    + "which computes in no other"
            )
        }
        return kernel
    }

    private func bestKernel() throws -> Kernel {
        let kernel: Kernel? =
            switch self {
            case .f32: .exact
            case .bf16: Kernel(best: .bf16)
            case .int8: Kernel(best: .int8)
            case .auto: .fastest
            }
        guard let kernel else {
            throw Failure.input(
                "--precision \(rawValue) needs a processor with AVX2, expected f32 or auto here"
            )
        }
        return kernel
    }
}

extension Kernel {
    /// What commands take for each precision: on the backend that the environment names or else on the best one.
    ///
    /// - Throws: `Failure` if the environment names a backend that is none of this processor's.
    static func forEachPrecision() throws -> [Kernel] {
        guard let backend = try WantedBackend.read() else {
            return Precision.allCases.compactMap(Kernel.init(best:))
        }
        return Precision.allCases.compactMap { Kernel(backend, precision: $0) }
    }
}
