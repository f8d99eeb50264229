import StrictJSON
@testable import MCAP

/// Bytes in memory in place of a file, with room for so many.
final class MemoryStorage: RecordingStorage {
    let name = "test.mcap"
    var bytes: [UInt8]
    /// Bytes it takes; what goes beyond fails after it has taken the part that fits, as a full disk does.
    var capacity: Int
    /// How often what was written was made to last.
    var synchronizations = 0
    var failsToSynchronize = false

    init(_ bytes: [UInt8] = [], capacity: Int = .max) {
        self.bytes = bytes
        self.capacity = capacity
    }

    func length() -> UInt64 { UInt64(bytes.count) }

    func read(_ count: Int, at offset: UInt64) -> [UInt8] {
        Array(bytes.dropFirst(Int(offset)).prefix(count))
    }

    func write(_ new: [UInt8], at offset: UInt64) throws(RecordingError) {
        let fitting = new.prefix(max(0, capacity - Int(offset)))
        let end = Int(offset) + fitting.count
        if bytes.count < end { bytes += [UInt8](repeating: 0, count: end - bytes.count) }
        bytes.replaceSubrange(Int(offset)..<end, with: fitting)
        if fitting.count < new.count {
            throw RecordingError(.inputOutput, file: name, "No space left on device")
        }
    }

    func truncate(to length: UInt64) { bytes.removeLast(max(0, bytes.count - Int(length))) }

    func synchronize() throws(RecordingError) {
        if failsToSynchronize { throw RecordingError(.inputOutput, file: name, "Input/output error") }
        synchronizations += 1
    }
}

/// All the messages of a file, and how it ended.
func read(_ storage: MemoryStorage) throws(RecordingError) -> (
    messages: [RecordedMessage], end: MCAPReader.End?
) {
    let reader = try MCAPReader(storage: storage)
    var messages: [RecordedMessage] = []
    while let message = try reader.next() { messages.append(message) }
    return (messages, reader.end)
}

/// A file of `chunks` chunks with three messages each on two channels, and where the chunks end.
func sample(chunks: Int, finished: Bool = true) throws -> (storage: MemoryStorage, ends: [UInt64]) {
    let storage = MemoryStorage()
    let writer = try MCAPWriter(storage: storage, library: "test")
    let schema = writer.addSchema(name: "number", json: #"{"type":"object"}"#)
    let channels = [
        try writer.addChannel(topic: "/a", schema: schema),
        try writer.addChannel(topic: "/b", schema: schema),
    ]
    var ends: [UInt64] = []
    for chunk in 0..<chunks {
        for number in 0..<3 {
            writer.append(
                channel: channels[number % 2],
                timeNs: UInt64(1000 + 10 * chunk + number),
                data: JSONBuilder.object { $0.member("number", 3 * chunk + number) }
            )
        }
        try writer.flush()
        ends.append(writer.flushedBytes)
    }
    if finished { try writer.finish() }
    return (storage, ends)
}
