import Files
import Foundation
import Glibc

/// A folder that gets its name when all of it is written. Until then it lies beside, under a name that says what it is.
struct NewFolder {
    /// Where to write.
    let url: URL
    private let target: URL

    /// - Throws: `ImportError` if something has the name already, or the folder cannot be made.
    init(_ target: URL) throws(ImportError) {
        self.target = target
        let name = target.lastPathComponent
        var status = stat()
        guard lstat(Self.path(target), &status) != 0 else { throw Self.exists(name) }
        url = target.deletingLastPathComponent()
            .appending(path: ".\(name).importing-\(getpid())", directoryHint: .isDirectory)
        do {
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        } catch {
            throw ImportError(
                name,
                found: "cannot be made (\(error.systemReason))",
                expected: "a name in a folder that can be written to",
                isOfOutput: true
            )
        }
    }

    /// Gives the folder its name.
    ///
    /// - Throws: `ImportError` if something has taken the name since: a rename replaces nothing but an empty folder.
    func finish() throws(ImportError) {
        guard rename(Self.path(url), Self.path(target)) != 0 else { return }
        let code = errno
        if [EEXIST, ENOTEMPTY, ENOTDIR].contains(code) { throw Self.exists(target.lastPathComponent) }
        throw ImportError(
            target.lastPathComponent,
            found: "cannot be named (\(String(cString: strerror(code))))",
            expected: "a name in a folder that can be written to",
            isOfOutput: true
        )
    }

    /// Takes away what was written so far.
    func remove() { try? FileManager.default.removeItem(at: url) }

    private static func exists(_ name: String) -> ImportError {
        ImportError(name, found: "there already", expected: "a folder that is not there yet")
    }

    /// Without a slash at the end, which would follow a symbolic link.
    private static func path(_ url: URL) -> String {
        let path = url.path(percentEncoded: false)
        return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }
}
