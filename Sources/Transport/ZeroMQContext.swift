import CZeroMQ

/// A ZeroMQ context: the space that `inproc` endpoints live in, and the threads that move the bytes.
///
/// A socket keeps its context; the context ends when the last socket is gone.
public final class ZeroMQContext: Sendable {
    // zmq_ctx_new's contexts may be used from any thread.
    nonisolated(unsafe) let handle: UnsafeMutableRawPointer

    /// - Throws: ``ZeroMQError`` if the system has no descriptor or thread left.
    public init() throws(ZeroMQError) {
        guard let handle = zmq_ctx_new() else { throw ZeroMQError("create a context") }
        self.handle = handle
    }

    deinit {
        while zmq_ctx_term(handle) != 0, zmq_errno() == EINTR {}
    }
}
