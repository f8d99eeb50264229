#if _endian(big)
    #error("array data is little-endian on the wire and is read and written in place")
#endif

/// Arrays of numbers in the form that `openpi_client.msgpack_numpy` gives to NumPy arrays: a map of `__ndarray__`
/// (true), `data` (the elements in row-major order), `dtype` (NumPy's type string) and `shape`, its keys packed as `bin`.
enum NumericArray {
    /// Packs `values` as a `<f4` array of the given shape.
    static func encode(_ values: [Float], shape: [Int], to encoder: borrowing MessagePackEncoder) {
        encoder.map(4)
        encoder.binary("__ndarray__")
        encoder.bool(true)
        encoder.binary("data")
        values.withUnsafeBytes { encoder.binary($0) }
        encoder.binary("dtype")
        encoder.string("<f4")
        encoder.binary("shape")
        encoder.array(shape.count)
        for extent in shape { encoder.unsigned(UInt64(extent)) }
    }

    /// The elements as 32-bit floats, and the shape. A plain MessagePack array of numbers reads as an array of rank 1.
    /// - Throws: ``MessageError`` for a data type other than `<f4`, `<f8` and the integers of 1 to 8 bytes, for data
    ///   that does not fill the shape, and for an element that is not finite as a 32-bit float.
    static func decode(
        _ value: MessagePackValue,
        field: String
    ) throws(MessageError) -> (elements: [Float], shape: [Int]) {
        switch value {
        case .array(let numbers):
            var elements: [Float] = []
            elements.reserveCapacity(numbers.count)
            for (index, number) in numbers.enumerated() {
                guard let double = number.number else {
                    throw MessageError(
                        .wrongType,
                        field: field,
                        "element \(index) is \(number.summary), expected a number"
                    )
                }
                elements.append(try finite(double, index: index, field: field))
            }
            return (elements, [elements.count])
        case .map(let map):
            return try decode(map, field: field)
        default:
            throw MessageError(
                .wrongType,
                field: field,
                "found \(value.summary), expected an array: a map of __ndarray__, data, dtype and shape, or a list of numbers"
            )
        }
    }

    private static func decode(
        _ map: MessagePackMap,
        field: String
    ) throws(MessageError) -> ([Float], [Int]) {
        let reader = FieldReader(map, path: field)
        guard try reader.bool("__ndarray__") else {
            throw MessageError(.badArray, field: "\(field).__ndarray__", "found false, expected true")
        }
        return (
            try floats(
                data: reader.binary("data"),
                dtype: reader.string("dtype"),
                shape: reader.shape("shape"),
                field: field
            ),
            try reader.shape("shape")
        )
    }

    /// The elements of little-endian `data` as 32-bit floats. Nothing is allocated before `data` is known to fill `shape`.
    static func floats(
        data: [UInt8],
        dtype: String,
        shape: [Int],
        field: String
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
                field: "\(field).dtype",
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
