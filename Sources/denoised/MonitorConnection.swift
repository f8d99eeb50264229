import Clocks
import Transport
import Wire

/// A monitor's way to a daemon: asks what it runs, and listens to its heartbeats.
struct MonitorConnection {
    /// Where the daemon answers requests.
    let endpoint: String
    /// What it runs and where it publishes.
    private(set) var info: InfoMessage
    private let context: ZeroMQContext
    private let keys: CurveClientKeys?
    private var listener: Listener

    /// A heartbeat tells of all robots that the daemon keeps, more than any other message has entries.
    private static let limits = MessagePackLimits(
        messageBytes: MessagePackLimits.standard.messageBytes,
        depth: MessagePackLimits.standard.depth,
        values: MessagePackLimits.standard.values,
        mapEntries: 4096
    )

    /// Asks the daemon at a request endpoint.
    /// - Throws: ``Failure`` if none answers in time.
    init(to endpoint: String, keys: CurveClientKeys?, timeout: Duration) throws {
        self.endpoint = endpoint
        self.keys = keys
        let context = try Failure.asRun { try ZeroMQContext() }
        let info = try Failure.asRun {
            try RobotClient.info(from: endpoint, context: context, security: keys, timeout: timeout)
        }
        listener = try Failure.asRun { try Self.listener(to: info, context: context, keys: keys) }
        (self.context, self.info) = (context, info)
    }

    /// The next heartbeat, or nil if none has come by the deadline.
    func next(until deadline: MonotonicTime) throws -> StatusMessage? {
        try Failure.asRun {
            guard case .status(let status)? = try listener.next(until: deadline) else { return nil }
            return status
        }
    }

    /// Asks again what the daemon runs and where, as it may have been started anew. Returns whether it answered.
    mutating func refresh(timeout: Duration) throws -> Bool {
        guard
            let info = try? RobotClient.info(
                from: endpoint,
                context: context,
                security: keys,
                timeout: timeout
            )
        else {
            return false
        }
        if info.endpoints.chunks != self.info.endpoints.chunks {
            listener = try Failure.asRun { try Self.listener(to: info, context: context, keys: keys) }
        }
        self.info = info
        return true
    }

    private static func listener(
        to info: InfoMessage,
        context: ZeroMQContext,
        keys: CurveClientKeys?
    ) throws(ZeroMQError) -> Listener {
        try Listener(
            topics: [Array(Topic.status.utf8)],
            endpoint: info.endpoints.chunks,
            context: context,
            security: keys,
            limits: limits
        )
    }
}
