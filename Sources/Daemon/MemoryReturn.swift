import CLinux
import Dispatch
import Foundation
import Glibc
import Transport

/// Gives memory back to the system that the C library keeps after a flood of long messages.
///
/// It looks once a second, on a thread of its own, and acts when no long message has been read for a while: the C library's
/// memory is locked meanwhile, and its pages cost time when they are used again.
public final class MemoryReturn: Sendable {
    /// When memory is given back.
    struct Rule {
        /// More than so many bytes above what was in use at the lowest are worth it.
        static let worthwhileBytes: UInt64 = 32 << 20
        /// Looks in a row at which nothing moves.
        static let quietLooks = 2
        /// Bytes that the process takes meanwhile for other things.
        private static let slackBytes: UInt64 = 1 << 20

        private var lowest: UInt64?
        private var last: (residentBytes: UInt64, longBytes: UInt64)?
        private var quiet = 0

        /// Whether to give back memory now.
        ///
        /// - Parameters:
        ///   - residentBytes: what the process has in memory.
        ///   - longBytes: what it has read in long messages so far.
        mutating func isDue(residentBytes: UInt64, longBytes: UInt64) -> Bool {
            let isQuiet =
                last.map { longBytes == $0.longBytes && residentBytes <= $0.residentBytes + Self.slackBytes }
                ?? false
            quiet = isQuiet ? quiet + 1 : 0
            last = (residentBytes, longBytes)
            let lowest = min(lowest ?? residentBytes, residentBytes)
            self.lowest = lowest
            guard quiet >= Self.quietLooks, residentBytes > lowest + Self.worthwhileBytes else {
                return false
            }
            quiet = 0
            return true
        }

        /// Notes what is still in memory after that: it is in use.
        mutating func gaveBack(residentBytes: UInt64) { lowest = residentBytes }
    }

    private let end = DispatchSemaphore(value: 0)

    /// Starts the thread, which ends with the value.
    public init() {
        let end = end
        let thread = Thread {
            dn_name_this_thread("memory")
            var rule = Rule()
            while end.wait(timeout: .now() + .seconds(1)) == .timedOut {
                let isDue = rule.isDue(
                    residentBytes: Self.residentBytes,
                    longBytes: ZeroMQSocket.longBytesReceived
                )
                guard isDue else { continue }
                dn_give_back_memory()
                rule.gaveBack(residentBytes: Self.residentBytes)
            }
        }
        thread.start()
    }

    deinit { end.signal() }

    /// What the process has in memory; 0 if the system does not say.
    private static var residentBytes: UInt64 {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let pages = text.split(separator: " ").dropFirst().first.flatMap { UInt64($0) } ?? 0
        return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }
}
