/// A stored property of a structure, at its offset: read and written without the calls that a key path makes, which take longer
/// than the packing of a number.
struct StoredProperty<Root, Value>: Sendable {
    /// In bytes, from the structure's start.
    private let offset: Int

    /// - Parameter path: leads through stored properties alone. Another one is a programming error.
    init(_ path: WritableKeyPath<Root, Value>) {
        guard let offset = MemoryLayout<Root>.offset(of: path) else {
            preconditionFailure("\(path) is no stored property")
        }
        self.offset = offset
    }

    func value(of root: borrowing Root) -> Value {
        withUnsafePointer(to: root) {
            UnsafeRawPointer($0).load(fromByteOffset: offset, as: Value.self)
        }
    }

    func set(_ value: Value, in root: inout Root) {
        withUnsafeMutablePointer(to: &root) {
            (UnsafeMutableRawPointer($0) + offset).assumingMemoryBound(to: Value.self).pointee = value
        }
    }
}
