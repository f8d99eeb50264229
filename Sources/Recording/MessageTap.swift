import Robotics
import Wire

/// Gets what a daemon takes in and gives out, while it does so.
public protocol MessageTap: Sendable {
    /// Takes a message. Called on the socket thread, which robots wait for: returns at once, and never waits for
    /// anything, but for `started`, which comes before any robot is served.
    func take(_ message: TappedMessage)
    /// Messages that were taken and will not be kept.
    var lostMessages: UInt64 { get }
}

/// A message on its way through the daemon.
public struct TappedMessage: Sendable {
    /// What it is.
    public enum Content: Sendable {
        /// The daemon is about to take its first message.
        case started(policies: [ServedPolicy])
        /// An observation was accepted. `preceding`: the values of those before it, if it brought them along.
        /// `isRepeat`: the history had it already.
        case observation(
            RobotObservation,
            preceding: [Observation],
            isRepeat: Bool,
            receivedNs: UInt64
        )
        /// A chunk was sent. `sampled`: the same before the robot's limits changed its actions. `isPrediction`: to the
        /// client that asked, and not to the robot's topic. `isGrouped`: it was sampled together with other robots'
        /// chunks.
        case chunk(RobotChunk, sampled: RobotChunk, isPrediction: Bool, isGrouped: Bool)
        /// A chunk for a robot in an episode was planned and not sent.
        case unsent(RobotID, EpisodeID)
        /// A command was sent.
        case command(RobotCommand)
        /// A heartbeat was sent.
        case status(StatusMessage)
        /// A robot was forgotten on request, or because another process speaks for it. `policy`: the name of what drives it from
        /// then on; nil: the only policy, or none.
        case reset(RobotID, policy: String? = nil)
    }

    /// What it is.
    public var content: Content
    /// The daemon's wall clock (since 1970, UTC) when it was tapped, in nanoseconds.
    public var wallNs: UInt64

    /// Bytes of the frames that it has. One that several messages have counts in each.
    package var frameBytes: Int {
        guard case .observation(let observation, let preceding, _, _) = content else { return 0 }
        return preceding.reduce(observation.observed.frameBytes) { $0 + $1.frameBytes }
    }

    /// A message that is tapped now.
    public init(_ content: Content) {
        self.content = content
        wallNs = Clock.wallNs()
    }
}

extension Observation {
    /// Bytes of what cameras saw.
    var frameBytes: Int { frames.values.reduce(0) { $0 + $1.byteCount } }
}
