import Glibc

/// The bytes of an open file, by ranges.
struct ByteSource {
    /// Name of the file, without its folder.
    let name: String
    /// Its size when it was opened.
    let byteCount: Int
    let descriptor: CInt

    /// Reads a range, which must lie inside the file.
    ///
    /// - Throws: `ImportError` if the system refuses, or if the file has become shorter.
    func read(_ range: Range<Int>) throws(ImportError) -> [UInt8] {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "range outside the file")
        var done = 0
        var code: CInt = 0
        let descriptor = descriptor
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, filled in
            while done < range.count {
                let step = pread(
                    descriptor,
                    buffer.baseAddress! + done,
                    range.count - done,
                    off_t(range.lowerBound + done)
                )
                if step < 0, errno == EINTR { continue }
                if step < 0 { code = errno }
                guard step > 0 else { break }
                done += step
            }
            filled = done
        }
        guard code == 0 else {
            throw ImportError(
                name,
                found: "cannot be read (\(String(cString: strerror(code))))",
                expected: "a readable file"
            )
        }
        guard bytes.count == range.count else {
            throw ImportError(
                name,
                found: "it became shorter than \(range.upperBound) bytes while it was being read",
                expected: "a file that stays as it is"
            )
        }
        return bytes
    }
}

/// Reads numbers of fixed width, lowest byte first, one after the other.
struct LittleEndianFields {
    private let bytes: [UInt8]
    private let file: String
    private let field: String
    private var position = 0

    /// - Parameter field: what errors call the bytes.
    init(_ bytes: [UInt8], file: String, _ field: String) {
        self.bytes = bytes
        self.file = file
        self.field = field
    }

    /// Bytes that were not read yet.
    var left: Int { bytes.count - position }

    mutating func bytes(_ count: Int) throws(ImportError) -> [UInt8] {
        guard count <= left else {
            throw ImportError(
                file,
                field,
                found: "an end after \(left) bytes",
                expected: "\(count) bytes more"
            )
        }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(ImportError) -> Number {
        var number: Number = 0
        for (index, byte) in try bytes(Number.bitWidth / 8).enumerated() {
            number |= Number(truncatingIfNeeded: byte) << (8 * index)
        }
        return number
    }

    /// Reads the four bytes by which a record begins.
    mutating func require(_ signature: UInt32, _ record: String) throws(ImportError) {
        let found = try number(UInt32.self)
        guard found == signature else {
            throw ImportError(
                file,
                field,
                found: "0x\(String(found, radix: 16)) in the place of \(record)",
                expected: "0x\(String(signature, radix: 16))"
            )
        }
    }
}
