import Checksums

/// MCAP's constants (https://mcap.dev/spec).
enum MCAP {
    /// The first and the last bytes of a file.
    static let magic: [UInt8] = [0x89, 0x4D, 0x43, 0x41, 0x50, 0x30, 0x0D, 0x0A]
    /// An opcode and a length of eight bytes stand before each record's content.
    static let recordHeaderBytes = 9
}

/// The kinds of records.
enum Opcode: UInt8 {
    case header = 0x01
    case footer = 0x02
    case schema = 0x03
    case channel = 0x04
    case message = 0x05
    case chunk = 0x06
    case messageIndex = 0x07
    case chunkIndex = 0x08
    case statistics = 0x0B
    case summaryOffset = 0x0E
    case dataEnd = 0x0F
}

/// How messages of a channel are described.
struct Schema: Hashable {
    let id: UInt16
    let name: String
    let encoding: String
    let data: [UInt8]

    var record: [UInt8] {
        .record(.schema) { content in
            content.add(id)
            content.add(name)
            content.add(encoding)
            content.add(prefixed: data)
        }
    }
}

/// A stream of messages under a topic.
struct Channel: Hashable {
    let id: UInt16
    let schema: UInt16
    let topic: String
    let messageEncoding: String

    var record: [UInt8] {
        .record(.channel) { content in
            content.add(id)
            content.add(schema)
            content.add(topic)
            content.add(messageEncoding)
            // No metadata.
            content.add(UInt32(0))
        }
    }
}

/// Integers are little-endian; strings and byte arrays have their length in front, in four bytes.
extension [UInt8] {
    static func record(_ opcode: Opcode, _ fill: (inout [UInt8]) -> Void) -> [UInt8] {
        var record: [UInt8] = [opcode.rawValue, 0, 0, 0, 0, 0, 0, 0, 0]
        fill(&record)
        var length = UInt64(record.count - MCAP.recordHeaderBytes)
        for index in 1...8 {
            record[index] = UInt8(truncatingIfNeeded: length)
            length >>= 8
        }
        return record
    }

    mutating func add(_ value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    mutating func add(_ text: String) { add(prefixed: Array(text.utf8)) }

    mutating func add(prefixed bytes: [UInt8]) {
        add(UInt32(bytes.count))
        append(contentsOf: bytes)
    }
}

/// Takes the fields of records from bytes that are all there.
struct FieldCursor {
    private let bytes: [UInt8]
    private(set) var position: Int
    private let end: Int
    private let file: String
    /// Where in the file `bytes` begin.
    private let base: UInt64

    /// - Parameter base: where in the file `bytes` begin, for errors.
    init(_ bytes: [UInt8], file: String, base: UInt64) {
        self.init(bytes, from: 0, to: bytes.count, file: file, base: base)
    }

    private init(_ bytes: [UInt8], from start: Int, to end: Int, file: String, base: UInt64) {
        self.bytes = bytes
        position = start
        self.end = end
        self.file = file
        self.base = base
    }

    var remaining: Int { end - position }

    func error(_ problem: String) -> RecordingError {
        RecordingError(.damaged, file: file, offset: base + UInt64(position), problem)
    }

    mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type = Value.self
    ) throws(RecordingError) -> Value {
        let width = Value.bitWidth / 8
        try need(UInt64(width))
        var value: Value = 0
        for index in 0..<width { value |= Value(bytes[position + index]) << (8 * index) }
        position += width
        return value
    }

    mutating func string() throws(RecordingError) -> String {
        let length = try integer(UInt32.self)
        try need(UInt64(length))
        guard let text = String(validating: bytes[position..<position + Int(length)], as: UTF8.self) else {
            throw error("a string is not UTF-8")
        }
        position += Int(length)
        return text
    }

    /// Bytes with their length in front, in four bytes.
    mutating func prefixed() throws(RecordingError) -> [UInt8] {
        let length = try integer(UInt32.self)
        return try take(UInt64(length))
    }

    mutating func take(_ count: UInt64) throws(RecordingError) -> [UInt8] {
        try need(count)
        defer { position += Int(count) }
        return Array(bytes[position..<position + Int(count)])
    }

    /// The next bytes as a cursor of their own, which are taken.
    mutating func part(_ count: UInt64) throws(RecordingError) -> FieldCursor {
        try need(count)
        defer { position += Int(count) }
        return FieldCursor(bytes, from: position, to: position + Int(count), file: file, base: base)
    }

    /// The sum of all that remains.
    var checksum: UInt32 { CRC32.sum(of: bytes[position..<end].span) }

    private func need(_ count: UInt64) throws(RecordingError) {
        guard count <= UInt64(remaining) else {
            throw error("\(count) bytes are announced and \(remaining) are there")
        }
    }
}
