import Foundation
import Testing

@testable import MCAP

/// The writer and the reader against each other and against the Python mcap package, whose golden file and checks
/// Tests/Oracles/recording.py makes.
@Suite struct MCAPTests {
    private static func golden(_ name: String) throws -> MemoryStorage {
        let url = try #require(
            Bundle.module.url(forResource: name, withExtension: "mcap", subdirectory: "Resources")
        )
        return MemoryStorage(Array(try Data(contentsOf: url)))
    }

    @Test func readsWhatThePythonPackageWrote() throws {
        let storage = try Self.golden("python")
        #expect(try MCAPReader(storage: storage).library.hasPrefix("golden"))
        let (messages, end) = try read(storage)
        #expect(end == .complete)
        try #require(messages.count == 12)
        for (index, message) in messages.enumerated() {
            #expect(message.topic == (index % 2 == 0 ? "/a" : "/b"))
            #expect(message.sequence == UInt32(index / 2))
            #expect(message.timeNs == 1_800_000_000_000_000_000 + UInt64(index))
            #expect(message.schema == "point" && message.encoding == "json")
            let text = String(repeating: "x", count: index)
            #expect(
                String(decoding: message.data, as: UTF8.self)
                    == "{\"number\": \(index), \"text\": \"\(text)\"}"
            )
        }
    }

    /// What the package checks with `recording.py --golden` is what the writer writes.
    @Test func writesTheFileThatThePythonPackageChecked() throws {
        let written = try sample(chunks: 3).storage
        if let folder = ProcessInfo.processInfo.environment["DENOISED_WRITE_GOLDEN"] {
            try Data(written.bytes).write(to: URL(filePath: folder).appending(path: "ours.mcap"))
        }
        #expect(try Self.golden("ours").bytes == written.bytes)
    }

    @Test func readsWhatItWrote() throws {
        let (messages, end) = try read(sample(chunks: 4).storage)
        #expect(end == .complete)
        try #require(messages.count == 12)
        for (index, message) in messages.enumerated() {
            #expect(String(decoding: message.data, as: UTF8.self) == "{\"number\":\(index)}")
            let (chunk, number) = index.quotientAndRemainder(dividingBy: 3)
            #expect(message.timeNs == UInt64(1000 + 10 * chunk + number))
        }
        let sequences: [UInt32] = [0, 0, 1, 2, 1, 3]
        #expect(messages.prefix(6).map(\.sequence) == sequences)
    }

    @Test func anEmptyRecordingIsComplete() throws {
        let storage = MemoryStorage()
        try MCAPWriter(storage: storage, library: "test").finish()
        let (messages, end) = try read(storage)
        #expect(messages.isEmpty && end == .complete)
    }

    /// Whatever the cut, what was flushed before it is there and nothing else.
    @Test(arguments: [true, false])
    func aFileCutAtAnyByteGivesItsWholeChunks(finished: Bool) throws {
        let (storage, ends) = try sample(chunks: 3, finished: finished)
        let all = try read(storage).messages
        #expect(all.count == 9)
        // Message indexes follow a chunk, so it is whole before the flush ended.
        let chunkEnds = Self.records(storage.bytes).filter { $0.opcode == 6 }.map(\.end)
        #expect(zip(chunkEnds, ends).allSatisfy { $0 < Int($1) })
        for length in 8..<storage.bytes.count {
            let (messages, end) = try read(MemoryStorage(Array(storage.bytes.prefix(length))))
            let whole = chunkEnds.count { $0 <= length }
            #expect(messages == Array(all.prefix(3 * whole)), "cut to \(length) bytes")
            let dataEnd = Int(ends[2]) + 13
            if length < dataEnd {
                guard case .cutOff(let byte)? = end else {
                    Issue.record("cut to \(length) bytes: \(String(describing: end))")
                    return
                }
                #expect(byte <= UInt64(length))
            } else {
                #expect(end == .complete, "cut to \(length) bytes: in the summary")
            }
        }
        for length in 0..<8 {
            #expect(throws: RecordingError.self) {
                try read(MemoryStorage(Array(storage.bytes.prefix(length))))
            }
        }
    }

    /// Every byte of a chunk's records is under its CRC.
    @Test func aChangedByteInAChunkIsFound() throws {
        let (storage, _) = try sample(chunks: 2)
        let chunk = try #require(Self.records(storage.bytes).filter { $0.opcode == 6 }.last)
        // Records follow 9 bytes of record header and 40 of chunk header.
        for position in (chunk.start + 49)..<chunk.end {
            var changed = storage.bytes
            changed[position] ^= 0x10
            let reader = try MCAPReader(storage: MemoryStorage(changed))
            for _ in 0..<3 { #expect(try reader.next() != nil, "the chunk before is sound") }
            let error = #expect(throws: RecordingError.self) { try reader.next() }
            #expect(error?.kind == .damaged && error?.offset == UInt64(chunk.start))
        }
    }

    /// Lengths anywhere in the file set to all kinds of lies: an error or fewer messages, and never a crash or a large
    /// allocation.
    @Test(arguments: [UInt8(0xff), 0x7f, 0x01, 0x80])
    func lyingBytesAreSurvived(value: UInt8) throws {
        let bytes = try sample(chunks: 2).storage.bytes
        for width in [1, 4, 8] {
            for position in 8..<(bytes.count - width) {
                var changed = bytes
                for index in position..<position + width { changed[index] = value }
                do throws(RecordingError) {
                    let messages = try read(MemoryStorage(changed)).messages
                    #expect(messages.count <= 6)
                } catch {
                    #expect([.damaged, .unsupported].contains(error.kind), "\(error)")
                }
            }
        }
    }

    @Test func aLongRecordIsRefusedBeforeItIsRead() throws {
        // A chunk that says it has 3 GiB, in a sparse file that has them.
        let folder = FileManager.default.temporaryDirectory
        let path = folder.appending(path: "denoised-long-\(UInt64.random(in: 0 ... .max)).mcap").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let writer = try MCAPWriter(creating: path, library: "test")
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.seek(toOffset: writer.flushedBytes)
        var header: [UInt8] = [Opcode.chunk.rawValue]
        header.add(UInt64(3) << 30)
        try handle.write(contentsOf: header)
        try handle.truncate(atOffset: UInt64(4) << 30)
        let reader = try MCAPReader(path)
        let error = #expect(throws: RecordingError.self) { try reader.next() }
        #expect(error?.problem.contains("expected at most") == true)
    }

    @Test func compressedChunksAreRefusedByName() throws {
        let (storage, _) = try sample(chunks: 0, finished: false)
        storage.bytes += [UInt8].record(.chunk) { content in
            for _ in 0..<3 { content.add(UInt64(0)) }
            content.add(UInt32(0))
            content.add("zstd")
            content.add(UInt64(0))
        }
        let error = #expect(throws: RecordingError.self) { try read(storage) }
        #expect(error?.kind == .unsupported)
        #expect(error?.problem.contains("zstd") == true)
    }

    @Test func otherFilesAreNoRecordings() throws {
        let error = #expect(throws: RecordingError.self) {
            try read(MemoryStorage(Array("{\"json\": true}".utf8)))
        }
        #expect(error?.kind == .notMCAP)
    }

    /// The records of a file: opcode, first byte, and the byte after the last.
    private static func records(_ bytes: [UInt8]) -> [(opcode: UInt8, start: Int, end: Int)] {
        var records: [(UInt8, Int, Int)] = []
        var position = 8
        while position + 9 <= bytes.count {
            var length = 0
            for index in (1...8).reversed() { length = length << 8 | Int(bytes[position + index]) }
            guard position + 9 + length <= bytes.count else { break }
            records.append((bytes[position], position, position + 9 + length))
            position += 9 + length
        }
        return records
    }
}
