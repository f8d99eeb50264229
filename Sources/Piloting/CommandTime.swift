import Clocks

/// Turns the daemon's times into the robot's for the `time_ns` of commands, so that they rise as real time does while the robot
/// moves.
///
/// What is known of the clocks' offset jumps from observation to observation. A jump would make two commands look closer in
/// time than they are, and the robot faster. So the offset is set only while the robot rests; while it moves it drifts after
/// what is known, slowly enough that no limit is broken by `time_ns`.
package struct CommandTime: Sendable {
    /// What to add to the robot's time to get the daemon's, in nanoseconds; nil before the first command.
    private var base: Int64?
    /// By how much the offset has drifted from `base` since.
    private var shift = 0.0
    /// By how much the offset changes with time.
    private var drift = 0.0

    /// Clocks' crystals are no worse.
    private static let mostDrift = 200e-6
    /// While the robot stands, times need only rise.
    private static let mostDriftAtRest = 0.1
    /// By how much the drift may change from one command to the next.
    private static let mostDriftChange = 1e-6
    /// The drift makes up for a difference within so long, in nanoseconds.
    private static let settlingNs = 10e9
    /// A larger difference is a clock that was set, in nanoseconds.
    package static let mostDifference = 250e6

    /// Takes the offset as it is known: a motion begins.
    package mutating func set(_ known: Int64) { (base, shift, drift) = (known, 0, 0) }

    /// Follows the offset as it is known, over the time since the last command, while the robot stands.
    package mutating func settle(_ known: Int64, elapsedNs: Double) {
        guard let difference = difference(to: known), abs(difference) <= Self.mostDifference else {
            return set(known)
        }
        let most = Self.mostDriftAtRest * elapsedNs
        shift += min(max(difference, -most), most)
        drift = 0
    }

    /// Follows the offset as it is known, over the time since the last command, while the robot moves.
    package mutating func follow(_ known: Int64, elapsedNs: Double) {
        guard let difference = difference(to: known) else { return set(known) }
        let wanted = min(max(difference / Self.settlingNs, -Self.mostDrift), Self.mostDrift)
        drift += min(max(wanted - drift, -Self.mostDriftChange), Self.mostDriftChange)
        shift += drift * min(elapsedNs, Self.settlingNs)
    }

    /// By how much the robot's clock was set forward (above 0) or back, in nanoseconds; nil if it was not.
    package func clockStepNs(_ known: Int64) -> Double? {
        guard let difference = difference(to: known), abs(difference) > Self.mostDifference else {
            return nil
        }
        return -difference
    }

    /// A time of the daemon's by the robot's clock.
    package func robotTime(_ time: MonotonicTime) -> UInt64 {
        UInt64(bitPattern: time.nanoseconds &- ((base ?? 0) &+ Int64(shift)))
    }

    private func difference(to known: Int64) -> Double? {
        base.map { Double(known &- $0) - shift }
    }
}
