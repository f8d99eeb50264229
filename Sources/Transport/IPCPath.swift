import ForeignText
import Glibc

/// The path of an `ipc` endpoint, as it is before a socket is bound there.
///
/// libzmq removes whatever lies at the path and binds. So it is looked at before: only what a process left behind that has
/// ended may be replaced.
struct IPCPath {
    /// The most bytes that the system takes for the path of a socket.
    static let mostBytes = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    private let endpoint: String
    private let path: String

    /// The path of an endpoint; nil for another transport, and for `ipc://*`, for which libzmq makes a folder of its own.
    init?(_ endpoint: String) {
        guard endpoint.hasPrefix("ipc://") else { return nil }
        self.endpoint = endpoint
        path = String(endpoint.dropFirst("ipc://".count))
        if path.hasPrefix("*") { return nil }
    }

    /// Whether the name lies in the system's own space and not among the files.
    private var isAbstract: Bool { path.hasPrefix("@") }

    /// Checks that the system takes a path so long.
    func checkLength(to operation: String) throws(ZeroMQError) {
        let bytes = path.utf8.count
        guard bytes <= Self.mostBytes else {
            throw ZeroMQError(
                operation,
                endpoint: endpoint,
                code: ENAMETOOLONG,
                detail: "the path has \(bytes) bytes, expected at most \(Self.mostBytes)"
            )
        }
    }

    /// Binds if nothing lies at the path, or a socket that nobody listens at. While it looks and binds, it keeps the path's
    /// folder locked, so that of two processes that start at once, one finds the other's socket.
    func bind(_ bind: () throws(ZeroMQError) -> Void) throws(ZeroMQError) {
        try checkLength(to: "bind")
        let folder = isAbstract ? -1 : Self.lockedFolder(of: path)
        defer { if folder >= 0 { close(folder) } }
        try checkPlace()
        try bind()
    }

    private func checkPlace() throws(ZeroMQError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if isAbstract {
            throw refusal(EEXIST, "a file has the name \(shown), which libzmq would remove")
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            let found = Self.kind(of: status.st_mode)
            throw refusal(
                EEXIST,
                "\(shown) is \(found), expected nothing or the socket of a program that has ended"
            )
        }
        switch Self.knock(at: path) {
        case .refused, .gone: return
        case .answered(let process):
            let whose = process == getpid() ? "another socket of this process" : "another process"
            let number = process.map { $0 == getpid() ? "" : " (\($0))" } ?? ""
            throw refusal(EADDRINUSE, "\(whose)\(number) listens there")
        case .failed(let code):
            throw refusal(
                code,
                "\(shown) is a socket, and whether somebody listens there cannot be found out"
            )
        }
    }

    private var shown: String { printable(path, limit: Self.mostBytes) }

    private func refusal(_ code: Int32, _ detail: String) -> ZeroMQError {
        ZeroMQError("bind", endpoint: endpoint, code: code, detail: detail)
    }

    // MARK: The system

    private enum Answer {
        /// Somebody listens: the process, if the system tells.
        case answered(pid_t?)
        /// Nobody does.
        case refused
        /// The socket has gone meanwhile.
        case gone
        case failed(Int32)
    }

    private static func knock(at path: String) -> Answer {
        let socket = socket(
            AF_UNIX,
            Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue),
            0
        )
        guard socket >= 0 else { return .failed(errno) }
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(mostBytes)) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                connect(socket, pointer, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 ? 0 : errno
            }
        }
        switch code {
        case 0: return .answered(peer(of: socket))
        // Its queue of connections is full, or it is a socket of another type.
        case EAGAIN, EINPROGRESS, EPROTOTYPE: return .answered(nil)
        case ECONNREFUSED: return .refused
        case ENOENT: return .gone
        default: return .failed(code)
        }
    }

    private static func peer(of socket: Int32) -> pid_t? {
        // struct ucred, which the C library shows as an extension only: process, user, group.
        var credentials: (pid_t, uid_t, gid_t) = (0, 0, 0)
        var length = socklen_t(MemoryLayout.size(ofValue: credentials))
        guard getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0, credentials.0 > 0
        else {
            return nil
        }
        return credentials.0
    }

    private static func kind(of mode: mode_t) -> String {
        switch mode & S_IFMT {
        case S_IFREG: "a regular file"
        case S_IFDIR: "a folder"
        case S_IFLNK: "a symbolic link"
        case S_IFIFO: "a named pipe"
        default: "a device"
        }
    }

    /// The folder in which a path lies, locked until the descriptor is closed; -1 if it cannot be. A lock that somebody keeps
    /// for longer than a second is not waited for.
    private static func lockedFolder(of path: String) -> Int32 {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return -1 }
        for _ in 0..<100 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
            guard errno == EWOULDBLOCK else { break }
            usleep(10_000)
        }
        close(descriptor)
        return -1
    }
}
