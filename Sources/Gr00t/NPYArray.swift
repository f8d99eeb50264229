import ForeignText
import Robotics
import Wire

/// Arrays of numbers in NumPy's file format, as `numpy.save` writes them.
///
/// The layout is that of NumPy's documentation, module `numpy.lib.format`: six bytes of magic, two of version, the header's
/// length, the header as a Python dictionary in text, the elements. The dictionary is read by a parser of exactly the form
/// that NumPy writes; nothing in it is evaluated.
enum NPYArray {
    private static let magic = [0x93] + Array("NUMPY".utf8)
    /// The longest header that is read, in bytes; NumPy's own are 118 bytes for an array of few dimensions.
    private static let longestHeader = 4096
    /// NumPy pads headers so that the elements begin at a multiple of this.
    private static let alignment = 64

    /// The file of a `<f4` array in row-major order, version 1.0.
    static func encode(_ values: [Float], shape: [Int]) -> [UInt8] {
        precondition(values.count == shape.reduce(1, *), "the values do not fill the shape")
        let extents = shape.count == 1 ? "\(shape[0])," : shape.map(String.init).joined(separator: ", ")
        var header = Array("{'descr': '<f4', 'fortran_order': False, 'shape': (\(extents)), }".utf8)
        let unpadded = magic.count + 4 + header.count + 1
        header += Array(repeating: UInt8(ascii: " "), count: (alignment - unpadded % alignment) % alignment)
        header.append(UInt8(ascii: "\n"))
        var bytes = magic + [1, 0, UInt8(header.count & 0xff), UInt8(header.count >> 8)] + header
        values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// The elements as 32-bit floats in row-major order, and the shape.
    /// - Throws: `MessageError` as ``parse(_:field:)``; `bad_array` also for a data type other than `<f4`, `<f8` and the
    ///   integers of 1 to 8 bytes, and for elements that do not fill the shape; `not_finite` for an element that is not
    ///   finite as a 32-bit float.
    static func decode(
        _ bytes: [UInt8],
        field: String
    ) throws(MessageError) -> (elements: [Float], shape: [Int]) {
        let (dtype, shape, data) = try parse(bytes, field: field)
        let elements = try NumericArray.floats(data: Array(data), dtype: dtype, shape: shape, field: field)
        return (elements, shape)
    }

    /// What the header says, and the bytes of the elements, which may not fill the shape.
    /// - Throws: `MessageError` `bad_array` for what is no such file, a version other than 1.0 and 2.0, and Fortran order.
    static func parse(
        _ bytes: [UInt8],
        field: String
    ) throws(MessageError) -> (dtype: String, shape: [Int], data: ArraySlice<UInt8>) {
        guard bytes.starts(with: magic), bytes.count >= magic.count + 2 else {
            throw MessageError(.badArray, field: field, "\(bytes.count) bytes that are no .npy file")
        }
        let (major, minor) = (bytes[magic.count], bytes[magic.count + 1])
        guard minor == 0, major == 1 || major == 2 else {
            throw MessageError(
                .badArray,
                field: field,
                "a .npy file of version \(major).\(minor), expected 1.0 or 2.0"
            )
        }
        let lengthStart = magic.count + 2
        let headerStart = lengthStart + (major == 1 ? 2 : 4)
        guard bytes.count >= headerStart else {
            throw MessageError(
                .badArray,
                field: field,
                "the .npy file ends in its first \(headerStart) bytes"
            )
        }
        let length = bytes[lengthStart..<headerStart].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= longestHeader, length <= bytes.count - headerStart else {
            throw MessageError(
                .badArray,
                field: field,
                "a .npy header of \(length) bytes; \(bytes.count - headerStart) are there, and at most "
                    + "\(longestHeader) are accepted"
            )
        }
        let dataStart = headerStart + length
        var parser = NPYHeaderParser(bytes[headerStart..<dataStart], field: field)
        let header = try parser.parse()
        guard !header.isFortranOrder else {
            throw MessageError(
                .badArray,
                field: field,
                "an array in Fortran order, expected C order (numpy.ascontiguousarray makes it so)"
            )
        }
        return (header.dtype, header.shape, bytes[dataStart...])
    }
}

/// What a `.npy` header says.
private struct NPYHeader {
    var dtype: String
    var isFortranOrder: Bool
    var shape: [Int]
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }` and blanks up to a line feed; the keys in any order,
/// each once.
private struct NPYHeaderParser {
    private static let mostExtents = 8
    /// 9,999,999,999,999,999, which an Int holds; more digits than any array needs.
    private static let mostDigits = 16
    private let bytes: ArraySlice<UInt8>
    private let field: String
    private var position: Int

    init(_ bytes: ArraySlice<UInt8>, field: String) {
        self.bytes = bytes
        self.field = field
        position = bytes.startIndex
    }

    mutating func parse() throws(MessageError) -> NPYHeader {
        var (dtype, isFortranOrder, shape): (String?, Bool?, [Int]?) = (nil, nil, nil)
        try expect("{")
        while !take("}") {
            let key = try quoted()
            try expect(":")
            switch key {
            case "descr" where dtype == nil: dtype = try quoted()
            case "fortran_order" where isFortranOrder == nil: isFortranOrder = try boolean()
            case "shape" where shape == nil: shape = try extents()
            default: throw unusable("'\(printable(key, limit: 32))' unknown or twice")
            }
            if !take(",") {
                try expect("}")
                break
            }
        }
        try expect("\n")
        guard position == bytes.endIndex else { throw unusable("text after its end") }
        guard let dtype, let isFortranOrder, let shape else {
            throw unusable("without one of descr, fortran_order and shape")
        }
        return NPYHeader(dtype: dtype, isFortranOrder: isFortranOrder, shape: shape)
    }

    private mutating func boolean() throws(MessageError) -> Bool {
        if take("True") { return true }
        try expect("False")
        return false
    }

    private mutating func quoted() throws(MessageError) -> String {
        let quote: Character = take("\"") ? "\"" : "'"
        if quote == "'" { try expect("'") }
        // A list of fields, which is how descr describes a structure, has no quote here and is refused above.
        guard let end = bytes[position...].firstIndex(of: quote.asciiValue ?? 0) else {
            throw unusable("a text without its end")
        }
        defer { position = end + 1 }
        let text = bytes[position..<end]
        guard text.allSatisfy({ (0x20..<0x7f).contains($0) && $0 != UInt8(ascii: "\\") }) else {
            throw unusable("a text that is not plain ASCII")
        }
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func extents() throws(MessageError) -> [Int] {
        var extents: [Int] = []
        try expect("(")
        while !take(")") {
            guard extents.count < Self.mostExtents else {
                throw unusable("more than \(Self.mostExtents) extents")
            }
            extents.append(try extent())
            if !take(",") {
                // In Python (3) is a number and no shape.
                guard extents.count > 1 else { throw unusable("a shape that is no tuple") }
                try expect(")")
                break
            }
        }
        return extents
    }

    private mutating func extent() throws(MessageError) -> Int {
        skipBlanks()
        let digits = bytes[position...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard (1...Self.mostDigits).contains(digits.count) else {
            throw unusable("an extent that is not 1 to \(Self.mostDigits) digits")
        }
        position = digits.endIndex
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    private mutating func skipBlanks() {
        while position < bytes.endIndex, bytes[position] == UInt8(ascii: " ") { position += 1 }
    }

    private mutating func take(_ token: String) -> Bool {
        skipBlanks()
        guard bytes[position...].starts(with: token.utf8) else { return false }
        position += token.utf8.count
        return true
    }

    private mutating func expect(_ token: String) throws(MessageError) {
        guard take(token) else {
            throw unusable("no \(token == "\n" ? "line feed" : token) at byte \(position - bytes.startIndex)")
        }
    }

    private func unusable(_ what: String) -> MessageError {
        MessageError(.badArray, field: field, "a .npy header that NumPy does not write for numbers: \(what)")
    }
}
