import Files
import Foundation

/// Writes safetensors files. The same tensors always give the same bytes.
public enum SafetensorsWriter {
    /// A tensor to write: its elements, row-major, and its shape.
    public enum Tensor: Sendable, Hashable {
        case f32([Float], shape: [Int])
        case f64([Double], shape: [Int])
        /// Written as BF16, rounded to nearest, ties to even.
        case bf16([Float], shape: [Int])
        case i64([Int64], shape: [Int])
        case u8([UInt8], shape: [Int])
    }

    /// Writes a file in one step: readers see the old file or the whole new one. A device or a pipe is written to as
    /// it is.
    ///
    /// - Parameters:
    ///   - tensors: by name.
    ///   - metadata: strings for the header's `__metadata__`.
    ///   - url: of the file.
    /// - Throws: `SafetensorsError` for a shape that does not match its elements, a reserved name, or a file that
    ///   cannot be written.
    public static func write(
        _ tensors: [String: Tensor],
        metadata: [String: String] = [:],
        to url: URL
    ) throws(SafetensorsError) {
        let bytes = try encode(tensors, metadata: metadata, file: url.lastPathComponent)
        do {
            try Data(bytes).writeWhole(to: url)
        } catch {
            throw SafetensorsError(
                .inputOutput,
                file: url.lastPathComponent,
                found: "cannot be written (\(error.systemReason))",
                expected: "a file name in a folder that can be written to"
            )
        }
    }

    /// The bytes of a file with these tensors.
    ///
    /// Wide elements come first and names are sorted among elements of one width, so that every tensor is aligned
    /// to its element without holes, which the format forbids.
    ///
    /// - Throws: `SafetensorsError` for a shape that does not match its elements or a reserved name.
    public static func encode(
        _ tensors: [String: Tensor],
        metadata: [String: String] = [:],
        file: String = "safetensors"
    ) throws(SafetensorsError) -> [UInt8] {
        for (name, tensor) in tensors { try check(name, tensor, file: file) }
        let layouts = inOrder(
            tensors.map {
                SafetensorsStream.Layout(name: $0.key, dtype: $0.value.dtype, shape: $0.value.shape)
            }
        )
        var bytes = try header(layouts, metadata: metadata, file: file)
        bytes.reserveCapacity(bytes.count + tensors.values.reduce(0) { $0 + $1.count * $1.dtype.byteCount })
        for layout in layouts { tensors[layout.name]?.append(to: &bytes) }
        return bytes
    }

    /// Tensors in the order in which their bytes follow: wide elements first, so that every tensor is aligned to its element, and
    /// by name among elements of one width.
    static func inOrder(_ layouts: [SafetensorsStream.Layout]) -> [SafetensorsStream.Layout] {
        layouts.sorted { ($1.dtype.byteCount, $0.name) < ($0.dtype.byteCount, $1.name) }
    }

    /// What comes before the bytes of tensors in this order.
    static func header(
        _ layouts: [SafetensorsStream.Layout],
        metadata: [String: String],
        file: String
    ) throws(SafetensorsError) -> [UInt8] {
        var members: [String] = []
        if !metadata.isEmpty {
            let strings = metadata.sorted { $0.key < $1.key }.map { "\(json($0.key)):\(json($0.value))" }
            members.append("\"__metadata__\":{\(strings.joined(separator: ","))}")
        }
        var offset = 0
        for layout in layouts {
            try check(layout.name, layout.shape, count: product(layout.shape) ?? -1, file: file)
            let end = offset + (product(layout.shape) ?? 0) * layout.dtype.byteCount
            let shape = layout.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(json(layout.name)):{\"dtype\":\"\(layout.dtype.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(offset),\(end)]}"
            )
            offset = end
        }
        var header = Array("{\(members.joined(separator: ","))}".utf8)
        header.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - header.count % 8) % 8))
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(UInt64(header.count))
        return bytes + header
    }

    private static func check(_ name: String, _ tensor: Tensor, file: String) throws(SafetensorsError) {
        try check(name, tensor.shape, count: tensor.count, file: file)
    }

    private static func check(
        _ name: String,
        _ shape: [Int],
        count: Int,
        file: String
    ) throws(SafetensorsError) {
        guard name != "__metadata__" else {
            throw SafetensorsError(
                .headerSyntax,
                file: file,
                tensor: name,
                found: "a reserved name",
                expected: "another name"
            )
        }
        guard shape.allSatisfy({ $0 >= 0 }), shape.count <= SafetensorsHeader.maximumRank,
            product(shape) == count
        else {
            throw SafetensorsError(
                .shape,
                file: file,
                tensor: name,
                found: "\(count) elements for shape \(shape)",
                expected: "as many as the shape's product"
            )
        }
    }

    private static func json(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension SafetensorsWriter.Tensor {
    fileprivate var dtype: DType {
        switch self {
        case .f32: .f32
        case .f64: .f64
        case .bf16: .bf16
        case .i64: .i64
        case .u8: .u8
        }
    }

    fileprivate var shape: [Int] {
        switch self {
        case .f32(_, let shape), .f64(_, let shape), .bf16(_, let shape), .i64(_, let shape),
            .u8(_, let shape):
            shape
        }
    }

    fileprivate var count: Int {
        switch self {
        case .f32(let values, _), .bf16(let values, _): values.count
        case .f64(let values, _): values.count
        case .i64(let values, _): values.count
        case .u8(let values, _): values.count
        }
    }

    fileprivate func append(to bytes: inout [UInt8]) {
        switch self {
        case .f32(let values, _): for value in values { bytes.appendLittleEndian(value.bitPattern) }
        case .f64(let values, _): for value in values { bytes.appendLittleEndian(value.bitPattern) }
        case .bf16(let values, _): for value in values { bytes.appendLittleEndian(value.bfloat16Bits) }
        case .i64(let values, _): for value in values { bytes.appendLittleEndian(value) }
        case .u8(let values, _): bytes += values
        }
    }
}

extension Float {
    /// The nearest BF16, ties to even; a NaN stays one.
    fileprivate var bfloat16Bits: UInt16 {
        if isNaN { return UInt16(truncatingIfNeeded: bitPattern >> 16) | 0x0040 }
        return UInt16(truncatingIfNeeded: (bitPattern &+ 0x7FFF &+ (bitPattern >> 16 & 1)) >> 16)
    }
}

extension [UInt8] {
    fileprivate mutating func appendLittleEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}
