import CZeroMQ
import ForeignText

/// A failure of libzmq.
public struct ZeroMQError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was tried: `bind`, `connect`, ...
    public let operation: String
    /// The endpoint, if there is one.
    public let endpoint: String?
    /// The error number.
    public let code: Int32
    /// What was found and what was expected, if the error number does not say it.
    public let detail: String?

    init(
        _ operation: String,
        endpoint: String? = nil,
        code: Int32 = zmq_errno(),
        detail: String? = nil
    ) {
        self.operation = operation
        self.endpoint = endpoint
        self.code = code
        self.detail = detail
    }

    /// The operation, the endpoint, what libzmq says, and the detail.
    public var description: String {
        let place = endpoint.map { " \(printable($0, limit: 256))" } ?? ""
        let reason = zmq_strerror(code).map { String(cString: $0) } ?? "error \(code)"
        return "\(operation)\(place): \(reason)" + (detail.map { ": \($0)" } ?? "")
    }
}
