import Glibc

/// Why a path cannot be read as a regular file.
package enum FileRefusal: Error, Hashable, CustomStringConvertible {
    /// The system refused, with this `errno`.
    case system(CInt)
    /// The path leads to something else: `a folder`, `a named pipe`.
    case notRegular(String)

    /// What was found, and what was expected unless that is plain.
    package var description: String {
        switch self {
        case .system(let code): String(cString: strerror(code))
        case .notRegular(let kind): "\(kind), expected a regular file"
        }
    }

    static func kind(of mode: mode_t) -> String {
        switch mode & S_IFMT {
        case S_IFDIR: "a folder"
        case S_IFIFO: "a named pipe"
        case S_IFSOCK: "a socket"
        case S_IFCHR, S_IFBLK: "a device"
        default: "no file"
        }
    }
}
