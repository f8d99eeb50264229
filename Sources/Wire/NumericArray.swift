import ForeignText
import Robotics

#if _endian(big)
    #error("array data is little-endian on the wire and is read and written in place")
#endif

/// Arrays of numbers. They are written in the form that `openpi_client.msgpack_numpy` gives to NumPy arrays: a map of
/// `__ndarray__` (true), `data` (the elements in row-major order), `dtype` (NumPy's type string) and `shape`.
///
/// They are read in that form, in that of PyPI's `msgpack_numpy` (`nd`, `type`, `kind`, `shape`, `data`), and as lists, which may
/// hold numbers, NumPy scalars, or lists and arrays of one shape.
package enum NumericArray {
    /// Packs `values` as a `<f4` array of the given shape.
    package static func encode(
        _ values: [Float],
        shape: [Int],
        keys: ArrayKeys = .binary,
        to encoder: borrowing MessagePackEncoder
    ) {
        encode(values, dtype: "<f4", shape: shape, keys: keys, to: encoder)
    }

    /// Packs bytes as a `|u1` array of the given shape.
    static func encode(
        _ bytes: [UInt8],
        shape: [Int],
        keys: ArrayKeys,
        to encoder: borrowing MessagePackEncoder
    ) {
        encode(bytes, dtype: "|u1", shape: shape, keys: keys, to: encoder)
    }

    private static func encode<Element: BitwiseCopyable>(
        _ values: [Element],
        dtype: StaticString,
        shape: [Int],
        keys: ArrayKeys,
        to encoder: borrowing MessagePackEncoder
    ) {
        encoder.map(4)
        encoder.key("__ndarray__", as: keys)
        encoder.bool(true)
        encoder.key("data", as: keys)
        values.withUnsafeBytes { encoder.binary($0) }
        encoder.key("dtype", as: keys)
        encoder.string(dtype)
        encoder.key("shape", as: keys)
        encoder.array(shape.count)
        for extent in shape { encoder.unsigned(UInt64(extent)) }
    }

    /// The elements as 32-bit floats in row-major order, and the shape.
    /// - Throws: `MessageError` for a value that is no array, for a data type other than `<f4`, `<f8` and the integers of 1 to
    ///   8 bytes, for data that does not fill the shape, for lists of different shapes in one list, and for an element that is
    ///   not finite as a 32-bit float.
    package static func decode(
        _ value: MessagePackValue,
        field: String
    ) throws(MessageError) -> (elements: [Float], shape: [Int]) {
        switch value {
        case .array(let list) where list.first.map(isArray) ?? false:
            return try decode(rows: list, field: field)
        case .array(let list): return try decode(numbers: list, field: field)
        case .map(let map) where !NumPyScalar.isScalar(map): return try decode(map, field: field)
        default:
            let found =
                if case .map = value { "a NumPy scalar" } else { value.summary }
            throw MessageError(
                .wrongType,
                field: field,
                "found \(found), expected an array: a map of __ndarray__, data, dtype and shape, or a list of numbers"
            )
        }
    }

    /// Whether an element of a list is an array itself.
    private static func isArray(_ value: MessagePackValue) -> Bool {
        switch value {
        case .array: true
        case .map(let map): !NumPyScalar.isScalar(map)
        default: false
        }
    }

    private static func decode(
        numbers list: [MessagePackValue],
        field: String
    ) throws(MessageError) -> ([Float], [Int]) {
        var elements: [Float] = []
        elements.reserveCapacity(list.count)
        for (index, value) in list.enumerated() {
            let element =
                if case .map = value { try NumPyScalar.unwrap(value, field: "\(field)[\(index)]") } else {
                    value
                }
            guard let number = element.number else {
                throw MessageError(
                    .wrongType,
                    field: field,
                    "element \(index) is \(element.summary), expected a number"
                )
            }
            elements.append(try finite(number, index: index, field: field))
        }
        return (elements, [elements.count])
    }

    private static func decode(
        rows list: [MessagePackValue],
        field: String
    ) throws(MessageError) -> ([Float], [Int]) {
        var elements: [Float] = []
        var rowShape: [Int] = []
        for (index, value) in list.enumerated() {
            let row = try decode(value, field: "\(field)[\(index)]")
            guard index == 0 || row.shape == rowShape else {
                throw MessageError(
                    .badArray,
                    field: "\(field)[\(index)]",
                    "found shape \(row.shape), expected \(rowShape), which \(field)[0] has"
                )
            }
            rowShape = row.shape
            elements += row.elements
        }
        return (elements, [list.count] + rowShape)
    }

    private static func decode(
        _ map: MessagePackMap,
        field: String
    ) throws(MessageError) -> ([Float], [Int]) {
        let parts = try Parts(map, field: field)
        let elements = try floats(
            data: parts.data,
            dtype: parts.dtype,
            shape: parts.shape,
            field: field,
            typeName: parts.typeName
        )
        return (elements, parts.shape)
    }

    /// Whether a map is in one of the forms of an array.
    package static func isArray(_ map: MessagePackMap) -> Bool {
        map["__ndarray__"] != nil || map["nd"] != nil
    }

    /// What the map of an array holds.
    package struct Parts {
        /// The elements' bytes.
        package let data: [UInt8]
        /// NumPy's type string.
        package let dtype: String
        package let shape: [Int]
        /// The field that `dtype` comes from.
        package let typeName: String

        /// - Throws: `MessageError` for a field that is missing or of another type, and for a marker that is false.
        package init(_ map: MessagePackMap, field: String) throws(MessageError) {
            let reader = FieldReader(map, path: field)
            let isOfMessagePackNumPy = map["nd"] != nil && map["__ndarray__"] == nil
            let marker = isOfMessagePackNumPy ? "nd" : "__ndarray__"
            guard try reader.bool(marker) else {
                throw MessageError(.badArray, field: reader.path(of: marker), "found false, expected true")
            }
            shape = try reader.shape("shape")
            typeName = isOfMessagePackNumPy ? "type" : "dtype"
            data = try reader.binary("data")
            dtype = try reader.string(typeName)
        }
    }

    /// The elements of little-endian `data` as 32-bit floats. Nothing is allocated before `data` is known to fill `shape`.
    ///
    /// - Parameter typeName: the field that `dtype` comes from, for errors.
    package static func floats(
        data: [UInt8],
        dtype: String,
        shape: [Int],
        field: String,
        typeName: String = "dtype"
    ) throws(MessageError) -> [Float] {
        var count = 1
        for extent in shape {
            // Extents are bounded by the data below; the product itself must not overflow on the way there.
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            count = overflow ? .max : product
        }
        func elements<Element: BitwiseCopyable>(
            _ type: Element.Type,
            _ convert: (Element) -> Double
        ) throws(MessageError) -> [Float] {
            let width = MemoryLayout<Element>.size
            guard data.count / width == count, data.count % width == 0 else {
                throw MessageError(
                    .badArray,
                    field: "\(field).data",
                    "\(data.count) bytes; shape \(shape) of \(dtype) needs \(width) bytes for each element"
                )
            }
            var result: [Float] = []
            result.reserveCapacity(count)
            for index in 0..<count {
                let element = data.withUnsafeBytes {
                    $0.loadUnaligned(fromByteOffset: index * width, as: Element.self)
                }
                result.append(try finite(convert(element), index: index, field: field))
            }
            return result
        }
        switch dtype {
        case "<f4": return try elements(Float.self) { Double($0) }
        case "<f8": return try elements(Double.self) { $0 }
        case "|i1": return try elements(Int8.self) { Double($0) }
        case "<i2": return try elements(Int16.self) { Double($0) }
        case "<i4": return try elements(Int32.self) { Double($0) }
        case "<i8": return try elements(Int64.self) { Double($0) }
        case "|u1": return try elements(UInt8.self) { Double($0) }
        case "<u2": return try elements(UInt16.self) { Double($0) }
        case "<u4": return try elements(UInt32.self) { Double($0) }
        case "<u8": return try elements(UInt64.self) { Double($0) }
        default:
            throw MessageError(
                .badArray,
                field: "\(field).\(typeName)",
                "found \"\(printable(dtype, limit: 32))\", expected <f4, <f8, |i1, <i2, <i4, <i8, |u1, <u2, <u4 or <u8"
            )
        }
    }

    private static func finite(_ value: Double, index: Int, field: String) throws(MessageError) -> Float {
        let float = Float(value)
        guard float.isFinite else {
            throw MessageError(
                .notFinite,
                field: field,
                "element \(index) is \(value), expected a finite 32-bit float"
            )
        }
        return float
    }
}
