import Glibc

/// Memory for packed weights: on huge pages if the system gives them, and touched when it is made, so that no forward pass
/// meets a page fault.
///
/// A forward pass streams all weights once. With 4 KiB pages it would translate tens of thousands of addresses on the way.
/// 2 MiB pages avoid that, and let the processor prefetch across what would be page ends.
struct WeightMemory: ~Copyable {
    let pointer: UnsafeMutablePointer<UInt32>
    private let byteCount: Int

    private static let hugePage = 2 << 20

    /// - Parameters:
    ///   - cellCount: 4-byte cells, all zero at first.
    ///   - isLocked: keeps the pages in memory; where the system refuses (`RLIMIT_MEMLOCK`) they stay as they are.
    init(cellCount: Int, isLocked: Bool = false) {
        let bytes = max(cellCount * MemoryLayout<UInt32>.stride, 1)
        let byteCount = (bytes + Self.hugePage - 1) / Self.hugePage * Self.hugePage
        var raw: UnsafeMutableRawPointer?
        guard posix_memalign(&raw, Self.hugePage, byteCount) == 0, let raw else {
            preconditionFailure("no memory for \(byteCount) bytes of weights")
        }
        madvise(raw, byteCount, MADV_HUGEPAGE)
        memset(raw, 0, byteCount)
        if isLocked { mlock(raw, byteCount) }
        self.pointer = raw.bindMemory(to: UInt32.self, capacity: byteCount / 4)
        self.byteCount = byteCount
    }

    deinit {
        munlock(pointer, byteCount)
        free(pointer)
    }
}
