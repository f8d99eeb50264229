import CKernels
import Glibc

/// Memory that the kernels work on: 4-byte cells, aligned to huge pages as the denoiser's weights are.
final class Cells {
    let count: Int
    let pointer: UnsafeMutablePointer<UInt32>

    /// The same memory as floats.
    var floats: UnsafeMutablePointer<Float> {
        UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: Float.self)
    }

    /// Cells that all hold `pattern`; 0x3c00_3c00 is a small normal number as a float and as a pair of bf16.
    init(count: Int, pattern: UInt32 = 0x3c00_3c00) {
        let hugePage = 2 << 20
        let bytes = (count * MemoryLayout<UInt32>.stride + hugePage - 1) / hugePage * hugePage
        guard let memory = aligned_alloc(hugePage, bytes) else {
            preconditionFailure("no memory for \(bytes) bytes")
        }
        madvise(memory, bytes, MADV_HUGEPAGE)
        self.count = count
        self.pointer = memory.bindMemory(to: UInt32.self, capacity: bytes / 4)
        pointer.initialize(repeating: pattern, count: bytes / 4)
    }

    /// Floats that differ from each other, of about unit scale.
    convenience init(varied count: Int) {
        self.init(count: count)
        for index in 0..<count { floats[index] = sinf(Float(index)) }
    }

    deinit { free(pointer) }
}

/// `count` up to whole vectors.
func padded(_ count: Int) -> Int {
    let lanes = Int(dn_lanes)
    return (count + lanes - 1) / lanes * lanes
}

/// Cells between the packed rows of an activation: an odd number of cache lines, as the denoiser lays them out.
func packedRowStride(positions: Int) -> Int {
    let lanes = Int(dn_lanes)
    return (padded(positions) / lanes | 1) * lanes
}

/// What weights and inputs hold, under the name it has in a benchmark.
let formats: [(name: String, format: dn_format)] = [("f32", dn_f32), ("bf16", dn_bf16)]
