import Foundation
import Glibc
import Testing

/// A service manager's end of the `sd_notify` protocol: a datagram socket that keeps what it is told.
final class NotifySocket {
    /// The value of `NOTIFY_SOCKET` that leads here.
    let name: String
    private let descriptor: Int32
    private let folder: TemporaryFolder

    init(isAbstract: Bool) throws {
        folder = try TemporaryFolder()
        name = (isAbstract ? "@" : "") + folder.path("notify")
        descriptor = socket(
            AF_UNIX,
            Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue),
            0
        )
        try #require(descriptor >= 0)
        var bytes = Array(name.utf8)
        if isAbstract { bytes[0] = 0 }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + (isAbstract ? 0 : 1))
        let outcome = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        try #require(outcome == 0, "cannot bind \(name): \(String(cString: strerror(errno)))")
    }

    deinit { close(descriptor) }

    /// The lines of the next datagram; nil where none is there.
    func receive() -> [String]? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { return nil }
        return String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// The lines of all datagrams that are there.
    func receiveAll() -> [String] {
        var lines: [String] = []
        while let datagram = receive() { lines += datagram }
        return lines
    }
}
