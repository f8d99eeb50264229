import CZeroMQ

/// A failure of libzmq.
public struct ZeroMQError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was tried: `bind`, `connect`, ...
    public let operation: String
    /// The endpoint, where there is one.
    public let endpoint: String?
    /// The error number.
    public let code: Int32

    init(_ operation: String, endpoint: String? = nil, code: Int32 = zmq_errno()) {
        self.operation = operation
        self.endpoint = endpoint
        self.code = code
    }

    /// The operation, the endpoint and what libzmq says.
    public var description: String {
        let reason = zmq_strerror(code).map { String(cString: $0) } ?? "error \(code)"
        return if let endpoint { "\(operation) \(endpoint): \(reason)" } else { "\(operation): \(reason)" }
    }
}
