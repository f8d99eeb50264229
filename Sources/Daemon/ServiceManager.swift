import Foundation
import Glibc

/// The service manager that started this process, told how the daemon fares: systemd's `sd_notify` protocol, as
/// `sd_notify(3)` and `sd_watchdog_enabled(3)` have it.
///
/// A state is a datagram of lines `NAME=value` to the AF_UNIX socket that the environment variable `NOTIFY_SOCKET` names,
/// by a path or, with `@` in front, by a name in the abstract namespace. No call waits: what the service manager has no
/// room for is not sent.
public final class ServiceManager: Sendable {
    /// What there is to tell.
    public enum State: Sendable, Hashable {
        /// The daemon serves.
        case ready
        /// The daemon is ending.
        case stopping
        /// The daemon works; a service manager that does not hear this in time kills it.
        case alive
        /// What the daemon does, for people; line breaks become spaces.
        case status(String)

        fileprivate var line: String {
            switch self {
            case .ready: "READY=1"
            case .stopping: "STOPPING=1"
            case .alive: "WATCHDOG=1"
            case .status(let text): "STATUS=" + String(text.map { $0.isNewline ? " " : $0 })
            }
        }
    }

    /// What the environment says of a service manager that cannot be followed.
    public struct EnvironmentError: Error, Hashable, CustomStringConvertible {
        /// The variable.
        public let variable: String
        /// Its value and what was expected.
        public let problem: String

        /// The variable, the value found and what was expected.
        public var description: String { "\(variable): \(problem)" }
    }

    /// The time, in nanoseconds, within which the service manager must hear ``State/alive`` again; nil if it does not
    /// watch this process. Positive.
    public let watchdogNs: UInt64?

    private let descriptor: Int32
    /// The name as `sockaddr_un` has it, with a zero byte in front where it is abstract.
    private let socketName: [UInt8]

    /// The service manager that the environment names; nil if there is none.
    ///
    /// - Parameters:
    ///   - environment: by name: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` and `WATCHDOG_PID`.
    ///   - process: the process that a `WATCHDOG_PID` must name for the watchdog to be meant for it.
    /// - Throws: ``EnvironmentError`` for a value that is not understood, and if the system gives no socket.
    public init?(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        process: Int32 = getpid()
    ) throws(EnvironmentError) {
        guard let name = environment["NOTIFY_SOCKET"], !name.isEmpty else { return nil }
        var socketName = Array(name.utf8)
        guard socketName.count > 1, socketName[0] == UInt8(ascii: "/") || socketName[0] == UInt8(ascii: "@")
        else {
            throw EnvironmentError(
                variable: "NOTIFY_SOCKET",
                problem: "found \(name.debugDescription), expected an absolute path, or @ and a name"
            )
        }
        let limit = MemoryLayout.size(ofValue: sockaddr_un().sun_path)
        guard socketName.count < limit else {
            throw EnvironmentError(
                variable: "NOTIFY_SOCKET",
                problem: "found \(socketName.count) bytes, expected fewer than \(limit)"
            )
        }
        if socketName[0] == UInt8(ascii: "@") { socketName[0] = 0 }
        let watchdogNs = try Self.watchdogNs(environment, process: process)
        let descriptor = socket(
            AF_UNIX,
            Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue),
            0
        )
        guard descriptor >= 0 else {
            throw EnvironmentError(
                variable: "NOTIFY_SOCKET",
                problem: "no socket to reach it: \(String(cString: strerror(errno)))"
            )
        }
        self.socketName = socketName
        self.watchdogNs = watchdogNs
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    private static func watchdogNs(
        _ environment: [String: String],
        process: Int32
    ) throws(EnvironmentError) -> UInt64? {
        guard let text = environment["WATCHDOG_USEC"] else { return nil }
        if let pid = environment["WATCHDOG_PID"], pid != String(process) { return nil }
        guard let microseconds = UInt64(text), microseconds > 0,
            case let (nanoseconds, false) = microseconds.multipliedReportingOverflow(by: 1000)
        else {
            throw EnvironmentError(
                variable: "WATCHDOG_USEC",
                problem: "found \(text.debugDescription), expected microseconds from 1 up"
            )
        }
        return nanoseconds
    }

    /// Tells the service manager, in one datagram. Returns whether it was sent.
    @discardableResult
    public func tell(_ states: State...) -> Bool {
        let datagram = Array(states.map(\.line).joined(separator: "\n").utf8)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socketName) }
        // A path ends with a zero byte that counts; an abstract name ends where its length says.
        let length =
            MemoryLayout<sa_family_t>.size + socketName.count + (socketName.first == 0 ? 0 : 1)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                while true {
                    let flags = Int32(MSG_NOSIGNAL)
                    if sendto(descriptor, datagram, datagram.count, flags, pointer, socklen_t(length)) >= 0 {
                        return true
                    }
                    guard errno == EINTR else { return false }
                }
            }
        }
    }
}
