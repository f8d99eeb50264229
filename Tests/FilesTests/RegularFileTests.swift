import Foundation
import Glibc
import Testing

@testable import Files

/// Nothing here may wait: no pipe has anybody at its other end.
@Suite(.timeLimit(.minutes(10))) struct RegularFileTests {
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(
            path: "files-\(UInt64.random(in: 0 ... .max))"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func path(_ name: String) -> String { folder.appending(path: name).path(percentEncoded: false) }

    private func refusal(_ path: String) -> String? {
        do throws(FileRefusal) {
            _ = try RegularFile(path)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func whatIsNoRegularFileIsRefusedAtOnce() throws {
        mkfifo(path("pipe"), 0o600)
        symlink(path("pipe"), path("link"))
        #expect(refusal(path("pipe")) == "a named pipe, expected a regular file")
        #expect(refusal(path("link")) == "a named pipe, expected a regular file")
        #expect(refusal(folder.path) == "a folder, expected a regular file")
        #expect(refusal("/dev/zero") == "a device, expected a regular file")
        #expect(refusal(path("none")) == "No such file or directory")
        #expect(refusal(path("pipe/none")) == "Not a directory")
    }

    @Test func aFileIsReadPieceByPiece() throws {
        try Data(0..<100).write(to: folder.appending(path: "file"))
        chmod(path("file"), 0o640)
        let file = try RegularFile(path("file"))
        let (byteCount, mode) = (file.byteCount, file.mode)
        #expect(byteCount == 100 && mode == 0o640)
        let (first, second, third) = (
            try file.read(upTo: 60), try file.read(upTo: 60), try file.read(upTo: 60)
        )
        #expect(first == Array(0..<60))
        #expect(second == Array(60..<100))
        #expect(third == [])
    }

    @Test func whatCannotBeWrittenIsTold() throws {
        let full = open("/dev/full", O_WRONLY)
        defer { close(full) }
        #expect(writeAll([1, 2], to: full) == (0, ENOSPC))
        #expect(writeAll([1, 2], to: -1) == (0, EBADF))
    }

    /// Another program may have made the descriptor non-blocking.
    @Test func aPipeThatIsFullIsWaitedFor() async throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        let (readEnd, writeEnd) = (ends[0], ends[1])
        _ = fcntl(writeEnd, F_SETFL, O_NONBLOCK)
        let bytes = [UInt8](repeating: 7, count: 1 << 20)
        let reader = Thread {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while read(readEnd, &buffer, buffer.count) > 0 {}
        }
        reader.start()
        #expect(writeAll(bytes, to: writeEnd) == (1 << 20, 0))
        close(writeEnd)
    }
}
