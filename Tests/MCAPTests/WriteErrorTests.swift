import Foundation
import StrictJSON
import Testing

@testable import MCAP

/// Disks that take no more.
@Suite struct WriteErrorTests {
    /// With room for any number of bytes: the file ends with a whole chunk, and every message is there once there is room.
    @Test func aFullDiskCostsNothingButTime() throws {
        let needed = try sample(chunks: 3).storage.bytes
        let expected = try read(MemoryStorage(needed)).messages
        for capacity in stride(from: 40, to: needed.count, by: 7) {
            let storage = MemoryStorage(capacity: capacity)
            let writer = try MCAPWriter(storage: storage, library: "test")
            let schema = writer.addSchema(name: "number", json: #"{"type":"object"}"#)
            let channels = [
                try writer.addChannel(topic: "/a", schema: schema),
                try writer.addChannel(topic: "/b", schema: schema),
            ]
            var failures = 0
            for chunk in 0..<3 {
                for number in 0..<3 {
                    writer.append(
                        channel: channels[number % 2],
                        timeNs: UInt64(1000 + 10 * chunk + number),
                        data: JSONBuilder.object { $0.member("number", 3 * chunk + number) }
                    )
                }
                do throws(RecordingError) {
                    try writer.flush()
                } catch {
                    failures += 1
                }
            }
            do throws(RecordingError) {
                try writer.finish()
                Issue.record("room for \(capacity) of \(needed.count) bytes was enough")
            } catch {
                #expect(error.kind == .inputOutput)
            }
            // A reader finds whole chunks and no trace of what did not fit.
            #expect(storage.bytes.count == Int(writer.flushedBytes))
            let (messages, end) = try read(storage)
            #expect(messages == Array(expected.prefix(messages.count)))
            #expect(messages.count == 9 - writer.bufferedMessages)
            #expect(end == .cutOff(atByte: writer.flushedBytes))

            storage.capacity = .max
            try writer.finish()
            let whole = try read(storage)
            #expect(whole.messages == expected && whole.end == .complete)
            if failures == 0 { #expect(storage.bytes == needed) }
        }
    }

    @Test func aDiskThatLosesWhatItTookLeavesWholeChunks() throws {
        let storage = MemoryStorage()
        let writer = try MCAPWriter(storage: storage, library: "test")
        let schema = writer.addSchema(name: "number", json: "{}")
        let channel = try writer.addChannel(topic: "/a", schema: schema)
        storage.failsToSynchronize = true
        writer.append(channel: channel, timeNs: 1, data: Array("{}".utf8))
        #expect(throws: RecordingError.self) { try writer.flush() }
        #expect(storage.bytes.count == Int(writer.flushedBytes))
        storage.failsToSynchronize = false
        try writer.flush()
        #expect(try read(storage).messages.count == 1)
    }

    @Test func everyChunkIsMadeToLast() throws {
        // The header, four chunks and the summary.
        #expect(try sample(chunks: 4).storage.synchronizations == 6)
    }

    @Test func nothingIsOverwritten() throws {
        let path = FileManager.default.temporaryDirectory
            .appending(path: "denoised-once-\(UInt64.random(in: 0 ... .max)).mcap").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try MCAPWriter(creating: path, library: "test").finish()
        let before = FileManager.default.contents(atPath: path)
        let error = #expect(throws: RecordingError.self) { try MCAPWriter(creating: path, library: "test") }
        #expect(error?.description.contains("is there already") == true)
        #expect(FileManager.default.contents(atPath: path) == before)
        for path in ["/dev/full", "/nonexistent/folder/x.mcap"] {
            #expect(throws: RecordingError.self) { try MCAPWriter(creating: path, library: "test") }
        }
    }

    @Test func channelsAreBounded() throws {
        let writer = try MCAPWriter(storage: MemoryStorage(), library: "test")
        let schema = writer.addSchema(name: "number", json: "{}")
        for number in 0..<MCAPWriter.maximumChannels {
            _ = try writer.addChannel(topic: "/\(number)", schema: schema)
        }
        let error = #expect(throws: RecordingError.self) {
            try writer.addChannel(topic: "/more", schema: schema)
        }
        #expect(error?.kind == .tooManyChannels)
    }
}
