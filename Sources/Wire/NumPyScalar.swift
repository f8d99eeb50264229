import ForeignText
import Robotics

/// NumPy's scalars, as Python packages pack them. One may stand in place of a number, a text or true or false:
///
/// - `openpi_client.msgpack_numpy`: a map of `__npgeneric__` (true), `data` (the value) and `dtype`.
/// - `msgpack_numpy`: a map of `nd` (false), `type` (NumPy's type string) and `data` (the bytes).
/// - An array without extents, in the form of either package.
package enum NumPyScalar {
    /// Whether a map is a scalar in one of these forms.
    package static func isScalar(_ map: MessagePackMap) -> Bool {
        map["__npgeneric__"] != nil || map["nd"] == .bool(false)
            || (map["__ndarray__"] != nil || map["nd"] != nil) && map["shape"] == .array([])
    }

    /// The value itself: of a scalar what it holds, of anything else the value as it is.
    /// - Throws: `MessageError` if a scalar lacks a field, has a type that is no number and no boolean, or has too few or too
    ///   many bytes.
    package static func unwrap(_ value: MessagePackValue, field: String) throws(MessageError)
        -> MessagePackValue
    {
        guard case .map(let map) = value, isScalar(map) else { return value }
        let reader = FieldReader(map, path: field)
        if map["__npgeneric__"] != nil {
            let data = try reader.value("data")
            switch data {
            case .map, .array, .binary, .null:
                throw MessageError(
                    .wrongType,
                    field: reader.path(of: "data"),
                    "found \(data.summary), expected the scalar's value"
                )
            default: return data
            }
        }
        let typeName = map["__ndarray__"] != nil ? "dtype" : "type"
        return try number(
            reader.binary("data"),
            dtype: reader.string(typeName),
            typeField: reader.path(of: typeName),
            dataField: reader.path(of: "data")
        )
    }

    /// The one element of little-endian `data`.
    private static func number(
        _ data: [UInt8],
        dtype: String,
        typeField: String,
        dataField: String
    ) throws(MessageError) -> MessagePackValue {
        func load<Number: BitwiseCopyable>(_ type: Number.Type) throws(MessageError) -> Number {
            guard data.count == MemoryLayout<Number>.size else {
                throw MessageError(
                    .badArray,
                    field: dataField,
                    "\(data.count) bytes; a scalar of \(dtype) has \(MemoryLayout<Number>.size)"
                )
            }
            return data.withUnsafeBytes { $0.loadUnaligned(as: Number.self) }
        }
        func integer<Number: FixedWidthInteger & BitwiseCopyable>(
            _ type: Number.Type
        ) throws(MessageError) -> MessagePackValue {
            let number = try load(type)
            return number < 0 ? .negative(Int64(number)) : .unsigned(UInt64(number))
        }
        switch dtype {
        case "<f4": return .float(Double(try load(Float.self)))
        case "<f8": return .float(try load(Double.self))
        case "|b1": return .bool(try load(UInt8.self) != 0)
        case "|i1": return try integer(Int8.self)
        case "<i2": return try integer(Int16.self)
        case "<i4": return try integer(Int32.self)
        case "<i8": return try integer(Int64.self)
        case "|u1": return try integer(UInt8.self)
        case "<u2": return try integer(UInt16.self)
        case "<u4": return try integer(UInt32.self)
        case "<u8": return try integer(UInt64.self)
        default:
            throw MessageError(
                .badArray,
                field: typeField,
                "found \"\(printable(dtype, limit: 32))\", expected <f4, <f8, |b1, or an integer of 1 to 8 bytes"
            )
        }
    }
}
