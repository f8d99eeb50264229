/// Zero-filled numbers on a cache-line boundary, freed with their owner.
///
/// This is where the module's activations and plain weights live. Layers read and write them through the pointer, inside
/// this module only; sizes are fixed when the network is built.
struct NumberBuffer<Element: BitwiseCopyable & AdditiveArithmetic>: ~Copyable {
    let pointer: UnsafeMutablePointer<Element>
    let count: Int

    init(count: Int) {
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: max(count, 1) * MemoryLayout<Element>.stride,
            alignment: 64
        )
        self.pointer = bytes.initializeMemory(as: Element.self, repeating: .zero, count: max(count, 1))
        self.count = count
    }

    init(_ values: [Element]) {
        self.init(count: values.count)
        values.withUnsafeBufferPointer { source in
            if let base = source.baseAddress {
                pointer.update(from: base, count: source.count)
            }
        }
    }

    deinit {
        UnsafeMutableRawPointer(pointer).deallocate()
    }
}

typealias FloatBuffer = NumberBuffer<Float>

/// The 4-byte cells of packed activations: a float each, or a pair of bf16.
typealias CellBuffer = NumberBuffer<UInt32>
