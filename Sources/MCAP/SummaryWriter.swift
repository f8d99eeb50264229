import Checksums

/// Writes the end of a file: schemas and channels again, counts, where each MCAP chunk is, and where each of these kinds begins.
///
/// The places of the MCAP chunks are read back from the file, so that a recording of any length costs no memory until then.
struct SummaryWriter {
    private static let bufferBytes = 1 << 16

    private let writer: MCAPWriter
    private let storage: any RecordingStorage
    /// Where the data section ends.
    private let start: UInt64
    private var position: UInt64
    private var buffer: [UInt8] = []
    private var checksum = CRC32()
    private var groups: [(opcode: Opcode, start: UInt64, length: UInt64)] = []

    init(_ writer: MCAPWriter, start: UInt64) {
        self.writer = writer
        storage = writer.storage
        self.start = start
        position = start
    }

    /// Writes all of it. Returns the number of bytes.
    consuming func write() throws(RecordingError) -> UInt64 {
        // No sum of the data section: each MCAP chunk has its own.
        try put(.record(.dataEnd) { $0.add(UInt32(0)) }, isSummary: false)
        let summaryStart = position
        try group(.schema) { (summary) throws(RecordingError) in
            for schema in summary.writer.schemas { try summary.put(schema.record) }
        }
        try group(.channel) { (summary) throws(RecordingError) in
            for channel in summary.writer.channels { try summary.put(channel.record) }
        }
        try group(.statistics) { (summary) throws(RecordingError) in try summary.put(summary.statistics) }
        try group(.chunkIndex) { (summary) throws(RecordingError) in try summary.putChunkIndexes() }
        let offsetStart = position
        for group in groups {
            try put(
                .record(.summaryOffset) { content in
                    content.add(group.opcode.rawValue)
                    content.add(group.start)
                    content.add(group.length)
                }
            )
        }
        var footer = [UInt8].record(.footer) { content in
            content.add(summaryStart)
            content.add(offsetStart)
            content.add(UInt32(0))
        }
        // The sum covers the footer up to where it stands itself.
        footer.removeLast(4)
        try put(footer)
        var end: [UInt8] = []
        end.add(checksum.value)
        try put(end + MCAP.magic, isSummary: false)
        try flushBuffer()
        return position - start
    }

    private mutating func group(
        _ opcode: Opcode,
        _ write: (inout SummaryWriter) throws(RecordingError) -> Void
    ) throws(RecordingError) {
        let start = position
        try write(&self)
        if position > start { groups.append((opcode, start, position - start)) }
    }

    private mutating func put(_ bytes: [UInt8], isSummary: Bool = true) throws(RecordingError) {
        if isSummary { checksum.add(bytes.span) }
        buffer += bytes
        position += UInt64(bytes.count)
        if buffer.count >= Self.bufferBytes { try flushBuffer() }
    }

    private mutating func flushBuffer() throws(RecordingError) {
        try storage.write(buffer, at: position - UInt64(buffer.count))
        buffer.removeAll(keepingCapacity: true)
    }

    private var statistics: [UInt8] {
        let totals = writer.totals
        return .record(.statistics) { content in
            content.add(totals.messages.reduce(0, +))
            content.add(UInt16(writer.schemas.count))
            content.add(UInt32(writer.channels.count))
            // No attachments, no metadata.
            content.add(UInt32(0))
            content.add(UInt32(0))
            content.add(totals.chunks)
            content.add(totals.times?.lowerBound ?? 0)
            content.add(totals.times?.upperBound ?? 0)
            content.add(UInt32(10 * totals.messages.count))
            for (index, count) in totals.messages.enumerated() {
                content.add(UInt16(index + 1))
                content.add(count)
            }
        }
    }

    /// Goes through the file from one MCAP chunk to the next. Between two of them are the message indexes of the first.
    private mutating func putChunkIndexes() throws(RecordingError) {
        var scanner = RecordScanner(storage, from: UInt64(MCAP.magic.count), to: start)
        var chunk: IndexedChunk?
        while let record = try scanner.next() {
            switch Opcode(rawValue: record.opcode) {
            case .chunk:
                if let chunk { try put(chunk.record) }
                chunk = try IndexedChunk(record, scanner: &scanner)
            case .messageIndex:
                var fields = try scanner.content(of: record, atMost: 2)
                chunk?.messageIndexes.append((try fields.integer(), record.start))
                chunk?.indexBytes += record.end - record.start
            default: break
            }
        }
        if let chunk { try put(chunk.record) }
    }
}

/// An MCAP chunk as the summary lists it.
private struct IndexedChunk {
    let start: UInt64
    let length: UInt64
    let firstNs: UInt64
    let lastNs: UInt64
    let size: UInt64
    var messageIndexes: [(channel: UInt16, offset: UInt64)] = []
    var indexBytes: UInt64 = 0

    init(_ chunk: RecordScanner.Record, scanner: inout RecordScanner) throws(RecordingError) {
        start = chunk.start
        length = chunk.end - chunk.start
        var fields = try scanner.content(of: chunk, atMost: 24)
        firstNs = try fields.integer()
        lastNs = try fields.integer()
        size = try fields.integer()
    }

    var record: [UInt8] {
        .record(.chunkIndex) { content in
            content.add(firstNs)
            content.add(lastNs)
            content.add(start)
            content.add(length)
            content.add(UInt32(10 * messageIndexes.count))
            for index in messageIndexes {
                content.add(index.channel)
                content.add(index.offset)
            }
            content.add(indexBytes)
            content.add("")
            content.add(size)
            content.add(size)
        }
    }
}
