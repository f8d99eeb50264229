/// Goes through a file's records from one to the next, reading what is asked for and no more.
struct RecordScanner {
    /// A record's place.
    struct Record {
        let opcode: UInt8
        /// Where its opcode is.
        let start: UInt64
        /// How long it says that its content is; the file may end before.
        let contentBytes: UInt64

        var contentStart: UInt64 { start + UInt64(MCAP.recordHeaderBytes) }
        /// Where the next record begins; only for a record that the file holds whole.
        var end: UInt64 { contentStart + contentBytes }
    }

    /// Reading ahead saves a system call a record if records are short.
    private static let readAhead = 4096

    private let storage: any RecordingStorage
    /// Where the records end.
    let limit: UInt64
    /// Where the next record begins.
    private(set) var position: UInt64
    private var window: [UInt8] = []
    private var windowStart: UInt64 = 0

    init(_ storage: any RecordingStorage, from start: UInt64, to limit: UInt64) {
        self.storage = storage
        self.limit = limit
        position = start
    }

    /// The next record that lies whole before the limit, nil if none does: `position` is then where it would begin.
    mutating func next() throws(RecordingError) -> Record? {
        guard limit - position >= UInt64(MCAP.recordHeaderBytes) else { return nil }
        var header = FieldCursor(
            try bytes(MCAP.recordHeaderBytes, at: position),
            file: storage.name,
            base: position
        )
        let record = Record(
            opcode: try header.integer(),
            start: position,
            contentBytes: try header.integer()
        )
        guard record.contentBytes <= limit - record.contentStart else { return nil }
        position = record.end
        return record
    }

    /// The first bytes of a record's content.
    mutating func content(of record: Record, atMost count: Int) throws(RecordingError) -> FieldCursor {
        let count = Int(min(record.contentBytes, UInt64(count)))
        return FieldCursor(
            try bytes(count, at: record.contentStart),
            file: storage.name,
            base: record.contentStart
        )
    }

    private mutating func bytes(_ count: Int, at offset: UInt64) throws(RecordingError) -> [UInt8] {
        let windowEnd = windowStart + UInt64(window.count)
        if offset < windowStart || offset + UInt64(count) > windowEnd {
            window = try storage.read(max(count, Self.readAhead), at: offset)
            windowStart = offset
            guard window.count >= count else {
                throw RecordingError(.inputOutput, file: storage.name, offset: offset, "the file has shrunk")
            }
            // What was needed in full is handed out and not kept: it may be large.
            if count > Self.readAhead {
                defer { window = [] }
                return window
            }
        }
        let first = Int(offset - windowStart)
        return Array(window[first..<first + count])
    }
}

extension RecordScanner {
    /// An error about what the file says at a place.
    func error(at offset: UInt64, _ problem: String) -> RecordingError {
        RecordingError(.damaged, file: storage.name, offset: offset, problem)
    }
}
