import Clocks
import Foundation
import Robotics

/// Keeps a robot that lives faster than the clock from publishing more than a daemon reads: beyond 1000 messages a second it drops
/// them, and a message counts once for each 4 KiB (docs/PROTOCOL.md).
struct PublishingRate {
    /// A little less, because a message that is repeated counts again.
    private static let messagesPerSecond = 900
    private static let countedBytes = 4096
    /// So much may be sent at once, as a share of what is read in this time.
    private static let burst = Duration.milliseconds(500)
    /// Of an observation without its frames, at most.
    private static let otherBytes = 1024

    /// When a daemon that reads at this rate has read all that was sent.
    private var read = MonotonicTime.now()

    /// Waits until an observation may be published, which it then is.
    mutating func wait(for observation: RobotObservation) {
        let bytes = observation.frames.values.reduce(Self.otherBytes) { $0 + $1.byteCount }
        let count = (bytes - 1) / Self.countedBytes + 1
        let now = MonotonicTime.now()
        read = max(read, now) + .seconds(1) * count / Self.messagesPerSecond
        let ahead = read - now - Self.burst
        if ahead > .zero { Thread.sleep(forTimeInterval: ahead / .seconds(1)) }
    }
}
