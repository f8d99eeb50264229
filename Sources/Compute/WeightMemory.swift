import CKernels
import Glibc

/// Memory for packed weights: on huge pages if the system gives them, and touched when it is made, so that no forward pass
/// meets a page fault.
///
/// A forward pass streams all weights once. With 4 KiB pages it would translate tens of thousands of addresses on the way.
/// 2 MiB pages avoid that, and let the processor prefetch across what would be page ends.
///
/// Under AddressSanitizer the memory ends with the last cell, so that it sees an access beyond. On whole huge pages, up to
/// 2 MiB of such accesses would be within the allocation. Kernels read no weight beyond the last one; they only prefetch.
struct WeightMemory: ~Copyable {
    let pointer: UnsafeMutablePointer<UInt32>
    private let byteCount: Int

    private static let hugePage = 2 << 20
    private static let cacheLine = 64

    /// - Parameters:
    ///   - cellCount: 4-byte cells, all zero at first.
    ///   - isLocked: keeps the pages in memory; if the system refuses (`RLIMIT_MEMLOCK`) they stay as they are.
    init(cellCount: Int, isLocked: Bool = false) {
        let isExact = dn_has_address_sanitizer()
        let bytes = max(cellCount * MemoryLayout<UInt32>.stride, 1)
        let byteCount = isExact ? bytes : (bytes + Self.hugePage - 1) / Self.hugePage * Self.hugePage
        var raw: UnsafeMutableRawPointer?
        let alignment = isExact ? Self.cacheLine : Self.hugePage
        guard posix_memalign(&raw, alignment, byteCount) == 0, let raw else {
            preconditionFailure("no memory for \(byteCount) bytes of weights")
        }
        if !isExact { madvise(raw, byteCount, MADV_HUGEPAGE) }
        memset(raw, 0, byteCount)
        if isLocked { mlock(raw, byteCount) }
        self.pointer = raw.bindMemory(to: UInt32.self, capacity: cellCount)
        self.byteCount = byteCount
    }

    deinit {
        munlock(pointer, byteCount)
        free(pointer)
    }
}
