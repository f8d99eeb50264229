import Wire

/// What may pile up on a daemon's sockets for each connection: so many messages, and so many bytes each.
enum SocketBounds {
    /// Observations that wait to be read. A robot sends a few between two turns of the socket thread, and the newest wins.
    static let waitingObservations = 64
    /// Requests that wait to be read. A client that sends more has to wait.
    static let waitingRequests = 16
    /// Messages that wait for a subscriber, or a client, that does not read.
    static let unsentMessages = 1000
    /// The longest subscription, in bytes: several times the longest topic. For each byte libzmq keeps some fifty.
    static let subscriptionBytes = 1024

    /// What the sockets of a daemon have in common.
    private static func options(_ configuration: DaemonConfiguration) -> ZeroMQSocket.Options {
        var options = ZeroMQSocket.Options()
        options.maximumFrameBytes = configuration.limits.messageBytes
        options.sendHighWaterMark = unsentMessages
        options.security = configuration.security.map { .server($0.keys) } ?? .none
        return options
    }

    /// For the socket on which observations come in.
    static func observations(_ configuration: DaemonConfiguration) -> ZeroMQSocket.Options {
        var options = options(configuration)
        options.receiveHighWaterMark = waitingObservations
        return options
    }

    /// For the socket on which chunks, commands and heartbeats go out, and nothing but subscriptions comes in.
    static func chunks(_ configuration: DaemonConfiguration) -> ZeroMQSocket.Options {
        var options = options(configuration)
        options.maximumFrameBytes = min(options.maximumFrameBytes, subscriptionBytes)
        return options
    }

    /// For the socket on which requests are answered.
    static func requests(_ configuration: DaemonConfiguration) -> ZeroMQSocket.Options {
        var options = options(configuration)
        options.receiveHighWaterMark = waitingRequests
        return options
    }
}
