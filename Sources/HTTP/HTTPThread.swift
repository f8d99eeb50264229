import CLinux
import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// Threads that each run an event loop as long as the program lives.
///
/// One is started with the first server that names it. No loop is ever shut down: NIO needs a Dispatch queue for that, and Dispatch ends a
/// program that has no descriptors left. The thread has the priority of the one that starts it.
package enum HTTPThread {
    private static let running = Mutex<[String: any EventLoop]>([:])

    /// The loop of the thread with this name, of at most 15 bytes.
    ///
    /// - Throws: `IOError` if the system has no descriptors for one.
    package static func loop(named name: String) throws -> any EventLoop {
        try running.withLock { running in
            if let loop = running[name] { return loop }
            let loop = try start(name)
            running[name] = loop
            return loop
        }
    }

    /// Takes the loop from its thread to the one that waits for it.
    private final class Handover: Sendable {
        let loop = Mutex<(any EventLoop)?>(nil)
        let isDone = DispatchSemaphore(value: 0)
    }

    private static func start(_ name: String) throws -> any EventLoop {
        try checkDescriptors()
        let handover = Handover()
        let thread = Thread {
            dn_name_this_thread(name)
            MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
                handover.loop.withLock { $0 = loop }
                handover.isDone.signal()
            }
        }
        thread.start()
        handover.isDone.wait()
        guard let loop = handover.loop.withLock({ $0 }) else { preconditionFailure("no event loop") }
        return loop
    }

    /// NIO ends the program if it cannot make a loop, which takes three descriptors.
    private static func checkDescriptors() throws {
        var descriptors: [Int32] = []
        defer { for descriptor in descriptors { close(descriptor) } }
        for _ in 0..<3 {
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "socket") }
            descriptors.append(descriptor)
        }
    }
}
