import Robotics
import Wire

/// An array as it came: what is said of it, and its bytes, which are not copied.
struct Gr00tPackedArray {
    /// NumPy's type string.
    let dtype: String
    /// The extents.
    let shape: [Int]
    /// The elements in row-major order. Nobody has checked that they fill the shape.
    let data: ArraySlice<UInt8>
    /// How it was packed.
    let form: Gr00tArray.Form
    /// The path of what holds the type and the data, for errors.
    let field: String
    /// The field of ``dtype``, for errors.
    let typeName: String

    /// - Throws: `MessageError` for a value that is no such array, and for one that is longer than `longestBytes`.
    init(
        _ value: MessagePackValue,
        field path: String,
        longestBytes: Int = .max
    ) throws(MessageError) {
        guard case .map(let map) = value, Gr00tArray.isArray(map) else {
            throw MessageError(
                .wrongType,
                field: path,
                "found \(value.summary), expected an array: a map of __ndarray_class__ and as_npy"
            )
        }
        let reader = FieldReader(map, path: path)
        func bytes(_ name: String) throws(MessageError) -> [UInt8] {
            let bytes = try reader.binary(name)
            guard bytes.count <= longestBytes else {
                throw MessageError(
                    .tooLarge,
                    field: reader.path(of: name),
                    "\(bytes.count) bytes; at most \(longestBytes) are unpacked"
                )
            }
            return bytes
        }
        if map["__ndarray_class__"] != nil {
            (form, field, typeName) = (.npy, reader.path(of: "as_npy"), "dtype")
            (dtype, shape, data) = try NPYArray.parse(bytes("as_npy"), field: field)
        } else {
            (form, field, typeName) = (.messagePackNumPy, path, "type")
            guard try reader.bool("nd") else {
                throw MessageError(.badArray, field: path, "a NumPy scalar, expected an array")
            }
            shape = try reader.shape("shape")
            data = try bytes("data")[...]
            dtype = try reader.string("type")
        }
    }
}
