import Transport

/// What may pile up on a daemon's sockets for each connection: so many messages, and so many bytes each.
///
/// A peer that announces a longer frame than libzmq accepts is disconnected, and neither side learns why. So longer frames are accepted
/// than messages may be: the daemon reads them, tells their size, and takes nothing of them.
enum SocketBounds {
    /// The longest frame that is read to be refused, unless the longest message is not much shorter. Clients send camera images by
    /// mistake: two of 1920 x 1080 pixels have 12 MiB.
    static let refusedFrameBytes = 16 << 20
    /// How many times as long as the longest message a frame may be at least, so that the daemon can refuse it.
    static let refusedFrames = 2
    /// The same for the GR00T socket, whose messages may be longer.
    static let refusedGr00tFrames = 2
    /// Observations that wait to be read. What comes on top waits in the network and in the robot; the newest wins.
    static let waitingObservations = 8
    /// Requests that wait to be read. A client that sends more has to wait.
    static let waitingRequests = 4
    /// Requests on the GR00T socket that wait to be read. A client waits for each answer.
    static let waitingGr00tRequests = 2
    /// Messages that wait for a subscriber, or a client, that does not read.
    static let unsentMessages = 1000
    /// Answers that wait for a client of the GR00T socket that does not read.
    static let unsentGr00tMessages = 16
    /// The longest subscription, in bytes: several times the longest topic. For each byte libzmq keeps some fifty.
    static let subscriptionBytes = 1024

    /// What the sockets of a daemon have in common.
    private static func options(_ configuration: DaemonConfiguration) -> ZeroMQSocket.Options {
        var options = ZeroMQSocket.Options()
        options.maximumFrameBytes = max(refusedFrameBytes, refusedFrames * configuration.limits.messageBytes)
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

    /// For the socket on which clients of a GR00T policy server are answered; without its security, which depends on its address.
    static func gr00t(_ configuration: Gr00tConfiguration) -> ZeroMQSocket.Options {
        var options = ZeroMQSocket.Options()
        options.maximumFrameBytes = refusedGr00tFrames * configuration.limits.messageBytes
        options.receiveHighWaterMark = waitingGr00tRequests
        options.sendHighWaterMark = unsentGr00tMessages
        return options
    }
}
