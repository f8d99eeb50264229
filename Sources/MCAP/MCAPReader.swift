/// A message of a recording.
public struct RecordedMessage: Sendable, Hashable {
    /// The topic of its channel.
    public var topic: String
    /// The name of its channel's schema; empty if it has none.
    public var schema: String
    /// How its data is encoded, `json` for ours.
    public var encoding: String
    /// Its number in its channel.
    public var sequence: UInt32
    /// When it was recorded, in nanoseconds of the writer's clock: since 1970 (UTC) for ours.
    public var timeNs: UInt64
    /// When it was published, by the same clock.
    public var publishNs: UInt64
    /// The message.
    public var data: [UInt8]
}

/// Reads an MCAP file from its start to its end, also one that was cut off: then every whole record before the cut.
///
/// Compressed MCAP chunks are not read. One thread at a time may use a reader.
public final class MCAPReader {
    /// How a file ended.
    public enum End: Sendable, Hashable {
        /// The writer finished it.
        case complete
        /// The file ends in its middle; everything before this byte was read.
        case cutOff(atByte: UInt64)
    }

    /// A larger record is not read: no writer makes MCAP chunks of this size.
    public static let maximumRecordBytes = 1 << 26

    /// Who wrote the file.
    public let library: String
    /// How the file ended; nil until ``next()`` has returned nil.
    public private(set) var end: End?

    /// How many bytes have been read, and how many there are.
    public var progress: (bytes: UInt64, total: UInt64) { (scanner.position, scanner.limit) }

    private let storage: any RecordingStorage
    private let isFinished: Bool
    private var scanner: RecordScanner
    private var schemas: [UInt16: Schema] = [:]
    private var channels: [UInt16: Channel] = [:]
    /// The records of the MCAP chunk at hand that have not been handed out.
    private var chunk: FieldCursor?

    /// Opens a file.
    /// - Throws: ``RecordingError``, `notMCAP` for a file that does not begin as one.
    public convenience init(_ path: String) throws(RecordingError) {
        try self.init(storage: RecordingFile(reading: path))
    }

    /// A reader of a storage.
    package init(storage: any RecordingStorage) throws(RecordingError) {
        self.storage = storage
        let length = try storage.length()
        let magic = try storage.read(MCAP.magic.count, at: 0)
        guard magic == MCAP.magic else {
            throw RecordingError(.notMCAP, file: storage.name, "does not begin as an MCAP file does")
        }
        let headerStart = UInt64(MCAP.magic.count)
        let tail =
            length >= 2 * headerStart ? try storage.read(MCAP.magic.count, at: length - headerStart) : []
        isFinished = tail == MCAP.magic
        scanner = RecordScanner(storage, from: headerStart, to: isFinished ? length - headerStart : length)
        guard let header = try scanner.next() else {
            library = ""
            end = .cutOff(atByte: headerStart)
            return
        }
        guard header.opcode == Opcode.header.rawValue else {
            throw RecordingError(
                .damaged,
                file: storage.name,
                offset: header.start,
                "a record of kind \(header.opcode), expected the header"
            )
        }
        var fields = try Self.content(of: header, in: &scanner)
        _ = try fields.string()
        library = try fields.string()
    }

    /// The next message, in the order of the file; nil at its end, whereupon ``end`` tells how it ended.
    ///
    /// - Throws: ``RecordingError`` `damaged` for records that contradict themselves and an MCAP chunk whose CRC is wrong,
    ///   `unsupported` for a compressed one. What came before is sound.
    public func next() throws(RecordingError) -> RecordedMessage? {
        while end == nil {
            if let message = try nextInChunk() { return message }
            guard let record = try scanner.next() else {
                guard !isFinished else { throw error(at: scanner.position, "no whole record before the end") }
                end = .cutOff(atByte: scanner.position)
                return nil
            }
            switch Opcode(rawValue: record.opcode) {
            case .dataEnd: end = .complete
            case .chunk: try open(record)
            case .message, .schema, .channel:
                var fields = try Self.content(of: record, in: &scanner)
                if let message = try read(record.opcode, &fields) { return message }
            default:
                guard record.opcode != 0 else { throw error(at: record.start, "a record of kind 0") }
            }
        }
        return nil
    }

    private func nextInChunk() throws(RecordingError) -> RecordedMessage? {
        guard var records = chunk else { return nil }
        while records.remaining > 0 {
            let opcode = try records.integer(UInt8.self)
            let length = try records.integer(UInt64.self)
            var fields = try records.part(length)
            if let message = try read(opcode, &fields) {
                chunk = records
                return message
            }
        }
        chunk = nil
        return nil
    }

    private func open(_ record: RecordScanner.Record) throws(RecordingError) {
        var fields = try Self.content(of: record, in: &scanner)
        _ = try fields.integer(UInt64.self)
        _ = try fields.integer(UInt64.self)
        let size = try fields.integer(UInt64.self)
        let checksum = try fields.integer(UInt32.self)
        let compression = try fields.string()
        guard compression.isEmpty else {
            throw RecordingError(
                .unsupported,
                file: storage.name,
                offset: record.start,
                "a chunk compressed with \(compression.prefix(16).debugDescription); only uncompressed ones are read"
            )
        }
        let stored = try fields.integer(UInt64.self)
        let records = try fields.part(stored)
        guard size == stored else {
            throw error(at: record.start, "a chunk of \(size) bytes stored in \(stored) without compression")
        }
        // 0 stands for none.
        guard checksum == 0 || records.checksum == checksum else {
            throw error(at: record.start, "the chunk's CRC is \(records.checksum), expected \(checksum)")
        }
        chunk = records
    }

    /// Takes in a schema or a channel, or returns a message.
    private func read(_ opcode: UInt8, _ fields: inout FieldCursor) throws(RecordingError) -> RecordedMessage?
    {
        switch Opcode(rawValue: opcode) {
        case .schema:
            let schema = Schema(
                id: try fields.integer(),
                name: try fields.string(),
                encoding: try fields.string(),
                data: try fields.prefixed()
            )
            guard schema.id != 0, schemas[schema.id] ?? schema == schema else {
                throw fields.error("another schema with the id \(schema.id)")
            }
            schemas[schema.id] = schema
        case .channel:
            let channel = Channel(
                id: try fields.integer(),
                schema: try fields.integer(),
                topic: try fields.string(),
                messageEncoding: try fields.string()
            )
            guard channels[channel.id] ?? channel == channel else {
                throw fields.error("another channel with the id \(channel.id)")
            }
            guard channel.schema == 0 || schemas[channel.schema] != nil else {
                throw fields.error("a channel with the schema \(channel.schema), which is not there")
            }
            channels[channel.id] = channel
        case .message:
            let id = try fields.integer(UInt16.self)
            guard let channel = channels[id] else {
                throw fields.error("a message of channel \(id), which is not there")
            }
            return RecordedMessage(
                topic: channel.topic,
                schema: schemas[channel.schema]?.name ?? "",
                encoding: channel.messageEncoding,
                sequence: try fields.integer(),
                timeNs: try fields.integer(),
                publishNs: try fields.integer(),
                data: try fields.take(UInt64(fields.remaining))
            )
        default: break
        }
        return nil
    }

    private static func content(
        of record: RecordScanner.Record,
        in scanner: inout RecordScanner
    ) throws(RecordingError) -> FieldCursor {
        guard record.contentBytes <= UInt64(maximumRecordBytes) else {
            throw scanner.error(
                at: record.start,
                "a record of \(record.contentBytes) bytes, expected at most \(maximumRecordBytes)"
            )
        }
        return try scanner.content(of: record, atMost: maximumRecordBytes)
    }

    private func error(at offset: UInt64, _ problem: String) -> RecordingError {
        scanner.error(at: offset, problem)
    }
}
