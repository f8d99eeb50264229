/// Zero-filled floats on a cache-line boundary, freed with their owner.
///
/// This is the one place where the module's numbers live. Layers read and write them through the pointer, inside this
/// module only; sizes are fixed when the network is built.
struct FloatBuffer: ~Copyable {
    let pointer: UnsafeMutablePointer<Float>
    let count: Int

    init(count: Int) {
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: max(count, 1) * MemoryLayout<Float>.stride,
            alignment: 64
        )
        self.pointer = bytes.initializeMemory(as: Float.self, repeating: 0, count: max(count, 1))
        self.count = count
    }

    init(_ values: [Float]) {
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
