import Foundation

extension Data {
    /// Writes a file in one step: readers see the old file or the whole new one.
    ///
    /// A device or a pipe is written to instead, because a rename would put a file in its place: `/dev/null` would be
    /// gone from the system of a user who may write to its folder. A named pipe without a reader is an error, because
    /// opening it would wait for one.
    package func writeWhole(to url: URL) throws {
        var status = stat()
        let isSpecial = stat(url.path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
        if isSpecial { try writeThrough(to: url.path) } else { try write(to: url, options: .atomic) }
    }

    private func writeThrough(to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        defer { close(descriptor) }
        let (_, error) = writeAll(Array(self), to: descriptor)
        guard error == 0 else { throw POSIXError(POSIXErrorCode(rawValue: error) ?? .EIO) }
    }
}
