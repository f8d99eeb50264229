import Glibc

/// Wakes a thread that waits in ``ZeroMQSocket/wait(for:wakeUp:alarm:timeout:)``, from any thread and also from a signal
/// handler.
public final class WakeUp: Sendable {
    /// The end of a pipe to poll.
    let descriptor: Int32
    private let writeDescriptor: Int32

    /// - Throws: ``ZeroMQError`` if the system has no descriptor left.
    public init() throws(ZeroMQError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ZeroMQError("make a pipe", code: errno) }
        (descriptor, writeDescriptor) = (ends[0], ends[1])
        for end in ends {
            guard fcntl(end, F_SETFL, O_NONBLOCK) == 0, fcntl(end, F_SETFD, FD_CLOEXEC) == 0 else {
                throw ZeroMQError("make a pipe", code: errno)
            }
        }
    }

    deinit {
        close(descriptor)
        close(writeDescriptor)
    }

    /// Wakes the waiting thread, or the next wait if none is waiting.
    public func signal() {
        // A full pipe, the only way for this to fail, is a wake-up too.
        var byte: UInt8 = 1
        _ = write(writeDescriptor, &byte, 1)
    }

    /// Takes back all signals so far.
    func clear() {
        withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
            while read(descriptor, buffer.baseAddress, buffer.count) == buffer.count {}
        }
    }
}
