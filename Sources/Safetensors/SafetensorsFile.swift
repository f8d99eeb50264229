import Foundation

/// A memory-mapped safetensors file whose header has been checked.
///
/// The file is mapped as long as a copy of this value lives. Reading copies: no pointer into the mapping leaves
/// this module.
public struct SafetensorsFile: Sendable {
    /// Name of the file, without its folder.
    public let name: String
    /// The free-form strings of the header's `__metadata__`.
    public let metadata: [String: String]
    /// The tensors by name.
    public let tensors: [String: TensorDescription]

    private let mapping: MappedFile

    /// Opens and checks a file. Reads its header only.
    ///
    /// - Throws: `SafetensorsError` for a file that cannot be read or a header that breaks the format's rules.
    public init(contentsOf url: URL) throws(SafetensorsError) {
        mapping = try MappedFile(url)
        let header = try SafetensorsHeader(of: mapping)
        name = mapping.name
        metadata = header.metadata
        tensors = header.tensors
    }

    /// Names of the tensors, sorted.
    public var names: [String] { tensors.keys.sorted() }

    /// Whether there is a tensor of that name.
    public func contains(_ name: String) -> Bool { tensors[name] != nil }

    /// The tensor's dtype, shape and size.
    ///
    /// - Throws: `SafetensorsError` if there is no tensor of that name.
    public func description(of tensor: String) throws(SafetensorsError) -> TensorDescription {
        guard let description = tensors[tensor] else {
            throw SafetensorsError(
                .missingTensor,
                file: name,
                tensor: tensor,
                found: "no such tensor",
                expected: tensors.isEmpty
                    ? "a file with tensors" : "one of the file's \(tensors.count) tensors"
            )
        }
        return description
    }

    /// The tensor's dimensions, outermost first.
    ///
    /// - Throws: `SafetensorsError` if there is no tensor of that name.
    public func shape(of tensor: String) throws(SafetensorsError) -> [Int] {
        try description(of: tensor).shape
    }

    /// The tensor's element type.
    ///
    /// - Throws: `SafetensorsError` if there is no tensor of that name.
    public func dtype(of tensor: String) throws(SafetensorsError) -> DType {
        try description(of: tensor).dtype
    }

    /// The elements of an F64, F32, F16 or BF16 tensor, row-major; F64 is rounded to the nearest `Float`.
    ///
    /// - Throws: `SafetensorsError` for an unknown name or another dtype.
    public func floats(_ tensor: String) throws(SafetensorsError) -> [Float] {
        let description = try description(of: tensor)
        var values = [Float](repeating: 0, count: description.elementCount)
        var span = values.mutableSpan
        try copy(tensor, into: &span)
        return values
    }

    /// Copies the elements of an F64, F32, F16 or BF16 tensor, row-major, without other storage in between.
    ///
    /// - Throws: `SafetensorsError` for an unknown name, another dtype, or a destination of another size.
    public func copy(_ tensor: String, into destination: inout MutableSpan<Float>) throws(SafetensorsError) {
        let description = try description(of: tensor)
        guard destination.count == description.elementCount else {
            throw SafetensorsError(
                .mismatch,
                file: name,
                tensor: tensor,
                found: "\(description.elementCount) elements of shape \(description.shape)",
                expected: "\(destination.count)"
            )
        }
        try checkIsFloatingPoint(tensor, description)
        // A closure cannot capture an inout span, so the destination's bytes are reached from outside in.
        try destination.withUnsafeMutableBufferPointer { buffer throws(SafetensorsError) in
            try mapping.withBytes(in: description.bytes) { bytes throws(SafetensorsError) in
                bytes.convert(from: description.dtype, into: buffer)
            }
        }
    }

    /// The elements of a U8 tensor, row-major.
    ///
    /// - Throws: `SafetensorsError` for an unknown name or another dtype.
    public func bytes(_ tensor: String) throws(SafetensorsError) -> [UInt8] {
        let description = try description(of: tensor)
        guard description.dtype == .u8 else {
            throw SafetensorsError(
                .mismatch,
                file: name,
                tensor: tensor,
                found: "dtype \(description.dtype.rawValue)",
                expected: "U8"
            )
        }
        return try mapping.withBytes(in: description.bytes) { bytes throws(SafetensorsError) in
            Array(bytes.elements(UInt8.self))
        }
    }

    /// The elements of an F64, F32, F16 or BF16 tensor, row-major, without loss.
    ///
    /// - Throws: `SafetensorsError` for an unknown name or another dtype.
    public func doubles(_ tensor: String) throws(SafetensorsError) -> [Double] {
        let description = try description(of: tensor)
        try checkIsFloatingPoint(tensor, description)
        guard description.dtype == .f64 else { return try floats(tensor).map(Double.init) }
        return try mapping.withBytes(in: description.bytes) { bytes throws(SafetensorsError) in
            bytes.elements(UInt64.self).map(Double.init(bitPattern:))
        }
    }

    /// The elements of an I64, I32, I16, I8, U32, U16, U8 or BOOL tensor, row-major.
    ///
    /// - Throws: `SafetensorsError` for an unknown name or another dtype.
    public func integers(_ tensor: String) throws(SafetensorsError) -> [Int] {
        let description = try description(of: tensor)
        return try mapping.withBytes(in: description.bytes) { bytes throws(SafetensorsError) in
            switch description.dtype {
            case .i64: return bytes.elements(Int64.self).map(Int.init)
            case .i32: return bytes.elements(Int32.self).map(Int.init)
            case .i16: return bytes.elements(Int16.self).map(Int.init)
            case .i8: return bytes.elements(Int8.self).map(Int.init)
            case .u32: return bytes.elements(UInt32.self).map(Int.init)
            case .u16: return bytes.elements(UInt16.self).map(Int.init)
            case .u8, .bool: return bytes.elements(UInt8.self).map(Int.init)
            case .f64, .f32, .f16, .bf16, .f8e5m2, .f8e4m3, .f8e8m0, .c64, .u64:
                throw SafetensorsError(
                    .mismatch,
                    file: name,
                    tensor: tensor,
                    found: "dtype \(description.dtype.rawValue)",
                    expected: "an integer dtype of at most 63 bits"
                )
            }
        }
    }

    /// Calls `body` with the tensor's bytes as they lie in the file: row-major, little-endian, not necessarily
    /// aligned to the element.
    ///
    /// - Throws: `SafetensorsError` for an unknown name, and what `body` throws.
    public func withBytes<Result>(
        of tensor: String,
        _ body: (RawSpan) throws(SafetensorsError) -> Result
    ) throws(SafetensorsError) -> Result {
        try mapping.withBytes(in: try description(of: tensor).bytes, body)
    }

    private func checkIsFloatingPoint(
        _ tensor: String,
        _ description: TensorDescription
    ) throws(SafetensorsError) {
        guard [.f64, .f32, .f16, .bf16].contains(description.dtype) else {
            throw SafetensorsError(
                .mismatch,
                file: name,
                tensor: tensor,
                found: "dtype \(description.dtype.rawValue)",
                expected: "F64, F32, F16 or BF16"
            )
        }
    }
}

extension RawSpan {
    /// The bytes as little-endian integers. Loads need no alignment: the format promises none.
    fileprivate func elements<Element: FixedWidthInteger & BitwiseCopyable>(_ type: Element.Type) -> [Element]
    {
        withUnsafeBytes { bytes in
            let size = MemoryLayout<Element>.size
            return (0..<bytes.count / size).map {
                Element(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * size, as: Element.self))
            }
        }
    }

    /// Converts a floating-point dtype; `destination` has one element for each of the source's.
    fileprivate func convert(from dtype: DType, into destination: UnsafeMutableBufferPointer<Float>) {
        withUnsafeBytes { source in
            switch dtype {
            case .f32:
                for index in destination.indices {
                    let bits = source.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
                    destination[index] = Float(bitPattern: UInt32(littleEndian: bits))
                }
            case .bf16:
                for index in destination.indices {
                    let bits = source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
                    destination[index] = Float(bitPattern: UInt32(UInt16(littleEndian: bits)) << 16)
                }
            case .f16:
                for index in destination.indices {
                    let bits = source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)
                    destination[index] = Float(Float16(bitPattern: UInt16(littleEndian: bits)))
                }
            case .f64:
                for index in destination.indices {
                    let bits = source.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
                    destination[index] = Float(Double(bitPattern: UInt64(littleEndian: bits)))
                }
            default: preconditionFailure("not a floating-point dtype: \(dtype)")
            }
        }
    }
}
