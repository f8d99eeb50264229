import Clocks
import RobotDescription

/// Where a robot's motion begins, and whether the robot is where it was told to be.
///
/// A motion begins at a place that is known to be true. A robot keeps its last command while nobody moves it, so that is the
/// place if the robot's feedback agrees, or if it has none. Feedback counts if its observation was made after the last command
/// that moved the robot, and is fresh. If it disagrees, somebody else moved the robot: the motion begins at the feedback, once
/// no command has gone out for longer than a motion bears, and the feedback is certainly not from before.
package struct MotionStart: Sendable {
    /// A place to begin at.
    package enum Place: Hashable {
        /// Nothing is known, and no feedback will tell: the first command may be anywhere within the limits.
        case anywhere
        case at([Float])
    }

    private let file: RobotFile
    /// Whether a motion is to begin as soon as the one before is at rest.
    package var isPending = false

    package init(_ file: RobotFile) { self.file = file }

    /// Where a motion begins; nil while that is not known.
    ///
    /// - Parameters:
    ///   - last: the last command; nil if there was none.
    ///   - feedback: the robot's place in its newest observation, which was made at `made`.
    ///   - longestGapNs: the longest time between two commands of one motion.
    package func place(
        last: [Float]?,
        sent: SentCommands,
        feedback: [Float]?,
        made: MonotonicTime?,
        longestGapNs: UInt64,
        now: MonotonicTime
    ) -> Place? {
        guard file.feedback != nil else { return last.map { .at($0) } ?? .anywhere }
        guard let feedback, let made, feedback.allSatisfy(\.isFinite),
            sent.lastMoved.map({ made > $0 }) ?? true,
            now.elapsedNs(since: made) <= file.watchdogs.observationNs
        else { return nil }
        guard let last else { return .at(feedback) }
        let agrees = file.limits.dimensions.indices.allSatisfy { index in
            file.limits.dimensions[index].kind == .velocity
                || abs(feedback[index] - last[index]) <= agreement(index)
        }
        if agrees { return .at(last) }
        let silenceNs = sent.lastSent.map(now.elapsedNs) ?? .max
        let isSettled = sent.lastMoved.map { made.elapsedNs(since: $0) > unknownWayNs } ?? true
        return isSettled && silenceNs > longestGapNs ? .at(feedback) : nil
    }

    /// What is wrong with a robot's feedback, in words; nil if nothing is.
    ///
    /// - Parameter commanded: the command that the robot followed when the feedback was taken; nil if that is not known.
    package func fault(of feedback: [Float], commanded: [Float]?) -> String? {
        guard let commanded else { return nil }
        for (index, dimension) in file.limits.dimensions.enumerated() where dimension.kind == .position {
            let (found, told) = (feedback[index], commanded[index])
            if let bound = file.feedback?.followingError?[index], !(abs(found - told) <= bound) {
                return "\(dimension.name): the robot is at \(found) and was told \(told), "
                    + "expected a following error of at most \(bound)"
            }
            guard let range = dimension.position else { continue }
            let outside = max(range.lowerBound - found, found - range.upperBound)
            if !(outside <= tolerance(index)) {
                return "\(dimension.name): the robot is at \(found), "
                    + "expected \(range.lowerBound) to \(range.upperBound)"
            }
        }
        return nil
    }

    /// By how much an observation may be older than it seems, in nanoseconds: with a clock of the robot's own, nobody knows how
    /// long every message takes at least.
    private var unknownWayNs: UInt64 { file.clock == .own ? Self.longestUnknownWayNs : 0 }

    private static let longestUnknownWayNs: UInt64 = 250_000_000

    /// How far feedback may be from a command that it agrees with: the following error, or else what one period at full speed
    /// covers.
    private func agreement(_ index: Int) -> Float {
        if let bound = file.feedback?.followingError?[index] { return bound }
        return (file.limits.dimensions[index].velocity ?? 0) / Float(file.commandHz)
    }

    /// How far outside its range a robot may be: the following error, or else what one period from rest covers.
    private func tolerance(_ index: Int) -> Float {
        if let bound = file.feedback?.followingError?[index] { return bound }
        let dimension = file.limits.dimensions[index]
        let period = Float(1 / file.commandHz)
        return min(dimension.velocity ?? .infinity, (dimension.acceleration ?? .infinity) * period) * period
    }
}
