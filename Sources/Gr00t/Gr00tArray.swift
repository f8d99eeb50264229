import Robotics
import Wire

/// An array of numbers as clients of a GR00T policy server pack it.
public struct Gr00tArray: Sendable, Hashable {
    /// How an array is packed. A client gets its actions in the form of its observations.
    public enum Form: Sendable, Hashable {
        /// A map of `__ndarray_class__` (true) and `as_npy`, the bytes of a `.npy` file: Isaac-GR00T N1.5
        /// and N1.6.
        case npy
        /// A map of `nd` (true), `type`, `kind`, `shape` and `data`, as the Python package msgpack_numpy packs: later
        /// versions of Isaac-GR00T.
        case messagePackNumPy
    }

    /// The elements in row-major order, all finite.
    public var elements: [Float]
    /// The extents.
    public var shape: [Int]
    /// How it came, or is to go.
    public var form: Form

    /// An array.
    public init(elements: [Float], shape: [Int], form: Form = .npy) {
        self.elements = elements
        self.shape = shape
        self.form = form
    }

    /// The longest array whose numbers are unpacked, in bytes with its header.
    private static let longestBytes = 1 << 19

    /// Whether a map is an array, and not a map of further names.
    static func isArray(_ map: MessagePackMap) -> Bool {
        map["__ndarray_class__"] != nil || map["nd"] != nil && map["data"] != nil
    }

    /// - Throws: `MessageError` for a value that is no such array, for a data type other than `<f4`, `<f8` and the
    ///   integers of 1 to 8 bytes, for more than 512 KiB, for data that does not fill the shape, and for a number that
    ///   is not finite.
    init(_ value: MessagePackValue, field: String) throws(MessageError) {
        let packed = try Gr00tPackedArray(value, field: field, longestBytes: Self.longestBytes)
        form = packed.form
        shape = packed.shape
        elements = try NumericArray.floats(
            data: Array(packed.data),
            dtype: packed.dtype,
            shape: packed.shape,
            field: packed.field,
            typeName: packed.typeName
        )
    }

    func encode(to encoder: borrowing MessagePackEncoder) {
        switch form {
        case .npy:
            encoder.map(2)
            encoder.string("__ndarray_class__")
            encoder.bool(true)
            encoder.string("as_npy")
            NPYArray.encode(elements, shape: shape).withUnsafeBytes { encoder.binary($0) }
        case .messagePackNumPy:
            encoder.map(5)
            encoder.binary("nd")
            encoder.bool(true)
            encoder.binary("type")
            encoder.string("<f4")
            encoder.binary("kind")
            encoder.binary("")
            encoder.binary("shape")
            encoder.array(shape.count)
            for extent in shape { encoder.unsigned(UInt64(extent)) }
            encoder.binary("data")
            elements.withUnsafeBytes { encoder.binary($0) }
        }
    }
}
