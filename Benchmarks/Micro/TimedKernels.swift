import CKernels
import Compute
import Foundation

/// The kernels that are timed: those that `DENOISED_KERNELS` names, as for the daemon, or else the preferred ones.
///
/// `@unchecked Sendable`: the table is a constant of the program.
struct TimedKernels: @unchecked Sendable {
    let table: UnsafePointer<dn_kernels>

    /// The packed kernels; nil if this processor supports none, or OpenBLAS is named.
    init?() {
        var next = dn_all_kernels()
        while let table = next?.pointee {
            if Self.wanted.map({ $0.name == String(cString: table.pointee.name) }) ?? dn_supports(table) {
                self.table = table
                return
            }
            next = next.map { $0 + 1 }
        }
        return nil
    }

    /// The network's kernel in each precision that it has.
    static var ofNetwork: [Kernel] {
        Precision.allCases.compactMap { precision in
            if let wanted { Kernel(wanted, precision: precision) } else { Kernel(best: precision) }
        }
    }

    /// The backend that the environment names; nil if it names none.
    private static let wanted: Backend? = {
        let variable = "DENOISED_KERNELS"
        guard let name = ProcessInfo.processInfo.environment[variable], !name.isEmpty else { return nil }
        do {
            return try Backend(named: name)
        } catch {
            preconditionFailure("\(variable): \(error)")
        }
    }()
}
