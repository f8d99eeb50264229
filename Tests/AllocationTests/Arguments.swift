import Compute
import Foundation

/// A bundle that the repository has.
enum ShippedBundle: String, Codable, CaseIterable {
    /// FiLM with scales, weights in single precision.
    case processors = "Tests/PolicyTests/Fixtures/processors"
    /// FiLM without scales, weights in bf16.
    case environmentUnmapped = "Tests/PolicyTests/Fixtures/environment-unmapped"
    /// The trained policy.
    case pushT = "policies/pusht"

    var directory: URL {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return root.appendingPathComponent(rawValue)
    }
}

/// A kernel, in a form that another process can be handed.
struct KernelName: Codable, CustomStringConvertible {
    let backend: String
    let precision: String
    /// For which batch layers are filtered; nil: the standard.
    var filteringBatch: Int?

    /// The best of this processor in each precision, and OpenBLAS.
    static let tested =
        Set(
            Precision.allCases.compactMap(Kernel.init(best:))
                + [Kernel(.openBLAS, precision: .f32)].compactMap(\.self)
        ).map { KernelName(backend: $0.backend.name, precision: $0.precision.rawValue) }
        + [Kernel(best: .f32)].compactMap(\.self).map {
            KernelName(backend: $0.backend.name, precision: $0.precision.rawValue, filteringBatch: 1024)
        }

    /// The kernel, or nil where this processor lacks it.
    var kernel: Kernel? {
        guard let backend = try? Backend(named: backend), let precision = Precision(rawValue: precision)
        else {
            return nil
        }
        let kernel = Kernel(backend, precision: precision)
        return filteringBatch.map { kernel?.filtered(Filtering(batch: $0)) } ?? kernel
    }

    var description: String { "\(precision) on \(backend)\(filteringBatch == nil ? "" : " filtered")" }
}
