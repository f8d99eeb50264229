import Foundation
import Glibc
import Testing

/// A pipe to a program under test, whose reader is the test.
final class ProgramPipe {
    /// What the program writes to.
    let writing: FileHandle
    private let readEnd: Int32
    private var isReading = true

    /// - Parameter isFull: nothing more fits in, until somebody reads.
    init(isFull: Bool = false) throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        // A program that the tests start must not hold this end open.
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        readEnd = ends[0]
        writing = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
        guard isFull else { return }
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        let blanks = [UInt8](repeating: UInt8(ascii: " "), count: 4096)
        while write(ends[1], blanks, blanks.count) > 0 {}
        while write(ends[1], blanks, 1) > 0 {}
        _ = fcntl(ends[1], F_SETFL, 0)
    }

    deinit { closeReader() }

    /// The reader goes away.
    func closeReader() {
        if isReading { close(readEnd) }
        isReading = false
    }

    /// What there is to read at the moment, and is not a blank of those that filled the pipe.
    func read() -> String {
        _ = fcntl(readEnd, F_SETFL, O_NONBLOCK)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(readEnd, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
