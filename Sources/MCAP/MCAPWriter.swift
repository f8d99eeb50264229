import Checksums

/// Writes an MCAP file in MCAP chunks: blocks of messages. A file that is cut off anywhere holds every block that was flushed.
///
/// MCAP chunks are not compressed and carry a CRC-32. One that cannot be written whole is taken back from the file and kept
/// for the next try. One thread at a time may use a writer.
public final class MCAPWriter {
    /// The most channels of one file.
    public static let maximumChannels = 4096

    /// Bytes of messages that wait for ``flush()``.
    public var bufferedBytes: Int { chunk.records.count }
    /// Messages that wait for ``flush()``.
    public var bufferedMessages: Int { chunk.messageCount }
    /// Bytes of the file that are whole and flushed.
    public private(set) var flushedBytes: UInt64

    let storage: any RecordingStorage
    private(set) var schemas: [Schema] = []
    private(set) var channels: [Channel] = []
    private(set) var totals = Totals()
    private var nextSequences: [UInt32] = []
    private var chunk = PendingChunk()

    /// What the file holds, by channel id from 1.
    struct Totals {
        var messages: [UInt64] = []
        var chunks: UInt32 = 0
        var times: ClosedRange<UInt64>?
    }

    /// Creates a file, which must not be there yet.
    ///
    /// - Parameters:
    ///   - path: of the file.
    ///   - library: who writes it, for people.
    /// - Throws: ``RecordingError`` `inputOutput`.
    public convenience init(creating path: String, library: String) throws(RecordingError) {
        try self.init(storage: RecordingFile(creating: path), library: library)
    }

    /// A writer to an empty storage.
    package init(storage: any RecordingStorage, library: String) throws(RecordingError) {
        self.storage = storage
        let start =
            MCAP.magic
            + [UInt8].record(.header) { content in
                // No profile.
                content.add("")
                content.add(library)
            }
        try storage.write(start, at: 0)
        try storage.synchronize()
        flushedBytes = UInt64(start.count)
    }

    /// Adds a JSON Schema, and returns its id.
    public func addSchema(name: String, json: String) -> UInt16 {
        let schema = Schema(
            id: UInt16(schemas.count + 1),
            name: name,
            encoding: "jsonschema",
            data: Array(json.utf8)
        )
        schemas.append(schema)
        chunk.records += schema.record
        return schema.id
    }

    /// Adds a channel of JSON messages, and returns its id.
    ///
    /// - Parameters:
    ///   - topic: the name of the channel.
    ///   - schema: one that ``addSchema(name:json:)`` returned.
    /// - Throws: ``RecordingError`` `tooManyChannels`.
    public func addChannel(topic: String, schema: UInt16) throws(RecordingError) -> UInt16 {
        precondition(1...schemas.count ~= Int(schema), "no schema has the id \(schema)")
        guard channels.count < Self.maximumChannels else {
            throw RecordingError(
                .tooManyChannels,
                file: storage.name,
                "no place for \(topic): there are \(channels.count) channels already"
            )
        }
        let channel = Channel(
            id: UInt16(channels.count + 1),
            schema: schema,
            topic: topic,
            messageEncoding: "json"
        )
        channels.append(channel)
        nextSequences.append(0)
        totals.messages.append(0)
        chunk.records += channel.record
        return channel.id
    }

    /// Adds a message to the MCAP chunk that the next ``flush()`` writes.
    ///
    /// - Parameters:
    ///   - channel: one that ``addChannel(topic:schema:)`` returned.
    ///   - timeNs: when it was recorded and published, in nanoseconds since 1970 (UTC).
    ///   - data: JSON that fits the channel's schema.
    public func append(channel: UInt16, timeNs: UInt64, data: [UInt8]) {
        precondition(1...channels.count ~= Int(channel), "no channel has the id \(channel)")
        let index = Int(channel) - 1
        chunk.append(channel: channel, sequence: nextSequences[index], timeNs: timeNs, data: data)
        nextSequences[index] &+= 1
    }

    /// Writes what was appended as one MCAP chunk and waits until it outlives a power failure. Writes nothing if nothing was.
    ///
    /// - Throws: ``RecordingError`` `inputOutput`; the file then ends with the MCAP chunk before, and what was appended waits
    ///   for the next call.
    public func flush() throws(RecordingError) {
        guard !chunk.isEmpty else { return }
        let bytes = chunk.encoded()
        try commit { () throws(RecordingError) in
            try storage.write(bytes, at: flushedBytes)
            return UInt64(bytes.count)
        }
        for (channel, entries) in chunk.index { totals.messages[Int(channel) - 1] += UInt64(entries.count) }
        totals.chunks &+= 1
        if let times = chunk.times {
            let known = totals.times ?? times
            totals.times =
                min(known.lowerBound, times.lowerBound)...max(known.upperBound, times.upperBound)
        }
        chunk = PendingChunk()
    }

    /// Writes what was appended and the summary that lets readers seek. Nothing may follow.
    ///
    /// - Throws: ``RecordingError`` `inputOutput`; the file then ends with its last whole MCAP chunk.
    public func finish() throws(RecordingError) {
        try flush()
        try commit { () throws(RecordingError) in
            try SummaryWriter(self, start: flushedBytes).write()
        }
    }

    /// Makes the bytes that `write` adds a part of the file, or takes them back.
    private func commit(_ write: () throws(RecordingError) -> UInt64) throws(RecordingError) {
        do throws(RecordingError) {
            let count = try write()
            try storage.synchronize()
            flushedBytes += count
        } catch {
            // If even this fails, the next try overwrites what is left, and a reader stops before it.
            try? storage.truncate(to: flushedBytes)
            throw error
        }
    }
}

/// The MCAP chunk that messages are gathered in.
private struct PendingChunk {
    /// Schema, channel and message records, one after the other.
    var records: [UInt8] = []
    private(set) var messageCount = 0
    private(set) var times: ClosedRange<UInt64>?
    /// Time and place of each message, by channel.
    private(set) var index: [UInt16: [(timeNs: UInt64, offset: UInt64)]] = [:]

    var isEmpty: Bool { records.isEmpty }

    mutating func append(channel: UInt16, sequence: UInt32, timeNs: UInt64, data: [UInt8]) {
        index[channel, default: []].append((timeNs, UInt64(records.count)))
        let known = times ?? timeNs...timeNs
        times = min(known.lowerBound, timeNs)...max(known.upperBound, timeNs)
        messageCount += 1
        records.append(Opcode.message.rawValue)
        records.add(UInt64(2 + 4 + 8 + 8 + data.count))
        records.add(channel)
        records.add(sequence)
        records.add(timeNs)
        records.add(timeNs)
        records += data
    }

    /// The MCAP chunk and its message indexes, as they lie in the file.
    func encoded() -> [UInt8] {
        var bytes = [UInt8].record(.chunk) { content in
            content.reserveCapacity(records.count + 64 + 16 * messageCount + 32 * index.count)
            content.add(times?.lowerBound ?? 0)
            content.add(times?.upperBound ?? 0)
            content.add(UInt64(records.count))
            content.add(CRC32.sum(of: records.span))
            // No compression.
            content.add("")
            content.add(UInt64(records.count))
            content += records
        }
        for (channel, entries) in index.sorted(by: { $0.key < $1.key }) {
            bytes += [UInt8].record(.messageIndex) { content in
                content.add(channel)
                content.add(UInt32(16 * entries.count))
                for entry in entries {
                    content.add(entry.timeNs)
                    content.add(entry.offset)
                }
            }
        }
        return bytes
    }
}
