import Foundation

extension Data {
    /// Writes a file in one step: readers see the old file or the whole new one.
    ///
    /// A device or a pipe is written to instead, because a rename would put a file in its place: `/dev/null` would be
    /// gone from the system of a user who may write to its folder.
    package func writeWhole(to url: URL) throws {
        var status = stat()
        let isSpecial = stat(url.path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
        try write(to: url, options: isSpecial ? [] : .atomic)
    }
}
