import StrictJSON

/// The checked header of a safetensors file.
///
/// Layout (the safetensors project's README, "Format"): the header's length N as 8 little-endian bytes, N bytes
/// of JSON that begin with `{` and may end in spaces, then the data. Each member but `__metadata__` names a tensor
/// and gives `dtype`, `shape` and `data_offsets` [begin, end) into the data. As in the reference implementation
/// the header takes at most 100 MB and the tensors cover the data exactly: no overlap, no hole.
struct SafetensorsHeader {
    static let maximumByteCount = 100_000_000
    /// No network layer needs more; keeps an absurd shape out of error messages and loops.
    static let maximumRank = 16

    var metadata: [String: String] = [:]
    var tensors: [String: TensorDescription] = [:]

    private let file: String
    private let dataStart: Int
    private let dataByteCount: Int

    init(of mapping: MappedFile) throws(SafetensorsError) {
        file = mapping.name
        guard mapping.byteCount >= 8 else {
            throw SafetensorsError(
                .headerLength,
                file: file,
                found: "the file has \(mapping.byteCount) bytes",
                expected: "at least the 8 bytes of the header's length"
            )
        }
        let length = try mapping.withBytes(in: 0..<8) { bytes throws(SafetensorsError) in
            UInt64(littleEndian: bytes.unsafeLoadUnaligned(as: UInt64.self))
        }
        let limit = min(mapping.byteCount - 8, Self.maximumByteCount)
        guard length >= 2, length <= UInt64(limit) else {
            throw SafetensorsError(
                .headerLength,
                file: file,
                found: "the header's length is \(length) bytes",
                expected: "2 to \(limit) in a file of \(mapping.byteCount) bytes"
            )
        }
        dataStart = 8 + Int(length)
        dataByteCount = mapping.byteCount - dataStart
        let text = try mapping.withBytes(in: 8..<dataStart) { bytes throws(SafetensorsError) in
            bytes.withUnsafeBytes { Array($0) }
        }
        try read(text)
        try checkCoverage()
    }

    private func syntaxError(_ found: String, tensor: String? = nil, expected: String) -> SafetensorsError {
        SafetensorsError(.headerSyntax, file: file, tensor: tensor, found: found, expected: expected)
    }

    private mutating func read(_ text: [UInt8]) throws(SafetensorsError) {
        guard text.first == UInt8(ascii: "{") else {
            throw syntaxError(
                "the header begins with byte \(text.first.map(String.init) ?? "none")",
                expected: "'{' (byte 123)"
            )
        }
        let root: JSONObject
        do throws(JSONSyntaxError) {
            guard case .object(let object) = try JSONValue(parsing: text) else {
                throw JSONSyntaxError(reason: .syntax, offset: 0, problem: "not an object")
            }
            root = object
        } catch {
            throw SafetensorsError(
                error.reason == .duplicateName ? .duplicateName : .headerSyntax,
                file: file,
                found: "\(error.problem) (byte \(error.offset) of the header)",
                expected: error.reason == .duplicateName ? "each name once" : "JSON"
            )
        }
        for (name, value) in root.members {
            if name == "__metadata__" {
                metadata = try readMetadata(value)
            } else {
                tensors[name] = try readTensor(name, value)
            }
        }
    }

    private func readMetadata(_ value: JSONValue) throws(SafetensorsError) -> [String: String] {
        guard case .object(let object) = value else {
            throw syntaxError("__metadata__ is \(value.summary)", expected: "an object of strings")
        }
        var metadata: [String: String] = [:]
        for (name, value) in object.members {
            guard case .string(let text) = value else {
                throw syntaxError("__metadata__ \(name.quoted) is \(value.summary)", expected: "a string")
            }
            metadata[name] = text
        }
        return metadata
    }

    private func readTensor(_ name: String, _ value: JSONValue) throws(SafetensorsError) -> TensorDescription
    {
        guard case .object(let object) = value else {
            throw syntaxError(
                value.summary,
                tensor: name,
                expected: "an object with dtype, shape and data_offsets"
            )
        }
        for (member, _) in object.members where !["dtype", "shape", "data_offsets"].contains(member) {
            throw syntaxError(
                "a member \(member.quoted)",
                tensor: name,
                expected: "dtype, shape and data_offsets only"
            )
        }
        let dtype = try readDType(object["dtype"], of: name)
        let shape = try readShape(object["shape"], of: name)
        guard case .array(let offsets)? = object["data_offsets"], offsets.count == 2,
            case .integer(let begin) = offsets[0], case .integer(let end) = offsets[1]
        else {
            throw SafetensorsError(
                .offsets,
                file: file,
                tensor: name,
                found: "data_offsets \(object["data_offsets"]?.summary ?? "missing")",
                expected: "two whole numbers"
            )
        }
        guard begin >= 0, begin <= end, end <= dataByteCount else {
            throw SafetensorsError(
                .offsets,
                file: file,
                tensor: name,
                found: "data_offsets [\(begin), \(end)]",
                expected: "0 <= begin <= end <= \(dataByteCount), the bytes of data in the file"
            )
        }
        guard let elementCount = product(shape),
            case let (byteCount, false) = elementCount.multipliedReportingOverflow(by: dtype.byteCount)
        else {
            throw SafetensorsError(
                .shape,
                file: file,
                tensor: name,
                found: "shape \(shape)",
                expected: "a size that fits in 63 bits"
            )
        }
        guard end - begin == byteCount else {
            throw SafetensorsError(
                .offsets,
                file: file,
                tensor: name,
                found: "data_offsets [\(begin), \(end)], which is \(end - begin) bytes",
                expected: "\(byteCount) bytes for \(dtype.rawValue) of shape \(shape)"
            )
        }
        return TensorDescription(
            dtype: dtype,
            shape: shape,
            elementCount: elementCount,
            bytes: dataStart + begin..<dataStart + end
        )
    }

    private func readDType(_ value: JSONValue?, of name: String) throws(SafetensorsError) -> DType {
        guard case .string(let text)? = value, let dtype = DType(rawValue: text) else {
            throw SafetensorsError(
                .unknownDType,
                file: file,
                tensor: name,
                found: "dtype \(value?.summary ?? "missing")",
                expected: "one of " + DType.allCases.map(\.rawValue).joined(separator: ", ")
            )
        }
        return dtype
    }

    private func readShape(_ value: JSONValue?, of name: String) throws(SafetensorsError) -> [Int] {
        func failure(_ expected: String) -> SafetensorsError {
            SafetensorsError(
                .shape,
                file: file,
                tensor: name,
                found: "shape \(value?.summary ?? "missing")",
                expected: expected
            )
        }
        guard case .array(let dimensions)? = value else { throw failure("a list of whole numbers") }
        guard dimensions.count <= Self.maximumRank else {
            throw failure("at most \(Self.maximumRank) dimensions")
        }
        var shape: [Int] = []
        for dimension in dimensions {
            guard case .integer(let count) = dimension, count >= 0 else {
                throw failure("whole numbers from 0 to \(Int.max)")
            }
            shape.append(count)
        }
        return shape
    }

    /// Every byte of the data belongs to exactly one tensor.
    private func checkCoverage() throws(SafetensorsError) {
        let inOrder = tensors.sorted {
            ($0.value.bytes.lowerBound, $0.value.bytes.upperBound, $0.key)
                < ($1.value.bytes.lowerBound, $1.value.bytes.upperBound, $1.key)
        }
        var covered = dataStart
        for (name, tensor) in inOrder {
            guard tensor.bytes.lowerBound == covered else {
                let begin = tensor.bytes.lowerBound - dataStart
                throw SafetensorsError(
                    tensor.bytes.lowerBound < covered ? .overlap : .hole,
                    file: file,
                    tensor: name,
                    found: "begins at byte \(begin) of the data",
                    expected: "\(covered - dataStart), where the tensor before it ends"
                )
            }
            covered = tensor.bytes.upperBound
        }
        guard covered == dataStart + dataByteCount else {
            throw SafetensorsError(
                .hole,
                file: file,
                found: "the last tensor ends at byte \(covered - dataStart) of the data",
                expected: "\(dataByteCount), where the file ends"
            )
        }
    }
}

/// Product of a shape's dimensions; nil if it does not fit in an `Int`.
func product(_ shape: [Int]) -> Int? {
    var product = 1
    for dimension in shape {
        guard case let (next, false) = product.multipliedReportingOverflow(by: dimension) else { return nil }
        product = next
    }
    return product
}
