import Planning
import Robotics

/// How a recording's chunks compare with those computed again.
public struct ReplayReport: Sendable, Encodable {
    /// Why a chunk cannot be computed again.
    public enum Obstacle: String, Sendable, CaseIterable {
        /// It was finished in coarse steps to keep a budget.
        case coarse
        /// The observation that it answers is not in the recording.
        case noObservation = "no_observation"
        /// Messages are missing that may have been in its history.
        case gap
        /// A frame that it was planned from came as pixels and was recorded with loss.
        case lossyFrame = "lossy_frame"
        /// A frame that it was planned from is not in the recording.
        case noFrame = "no_frame"
        /// It started from a chunk that cannot be computed again.
        case warmStart = "warm_start"
    }

    /// A chunk that came out differently.
    public struct Difference: Sendable, Encodable {
        /// Whose it is.
        public let robot: String
        /// The episode, as text.
        public let episode: String
        /// The sequence number of the observation that it answers.
        public let sequence: UInt64
        /// The largest difference of two numbers, in the robot's units; nil if the sizes differ.
        public let largest: Float?
    }

    /// How far a chunk that was planned together with other robots' may lie from the one computed again, in normalised units, in
    /// which the actions span 2: what rounding makes of it.
    public static let groupTolerance: Float = 1e-4

    /// The same for a sampler. Quasi-Newton sampling may make four of its tolerances of a rounding error.
    package static func groupTolerance(of sampler: SamplerDescription) -> Float {
        sampler.method == .quasiNewton
            ? max(groupTolerance, 4 * Float(sampler.tolerance)) : groupTolerance
    }

    /// Observations of the recording, repeats among them.
    public internal(set) var observations = 0
    /// Frames of cameras of the recording.
    public internal(set) var frames = 0
    /// Chunks of the recording.
    public internal(set) var chunks = 0
    /// Chunks that were computed again.
    public internal(set) var compared = 0
    /// Chunks that came out the same, bit for bit.
    public internal(set) var identical = 0
    /// Those of the chunks compared that were planned together with other robots'. They may differ in the last bits.
    public internal(set) var grouped = 0
    /// Chunks planned together that came out the same within `groupTolerance(of:)`, and not bit for bit.
    public internal(set) var close = 0
    /// Chunks that came out differently.
    public internal(set) var different = 0
    /// Chunks that were not computed again, by reason.
    public internal(set) var notComparable: [String: Int] = [:]
    /// Messages that the recording says it lacks.
    public internal(set) var lost: UInt64 = 0
    /// The largest difference of two numbers over all chunks, in the robot's units.
    public internal(set) var largestDifference: Float = 0
    /// The first chunks that came out differently, at most 10.
    public internal(set) var differences: [Difference] = []

    /// How many chunks were not computed again for a reason.
    public func count(of obstacle: Obstacle) -> Int { notComparable[obstacle.rawValue] ?? 0 }

    package mutating func count(_ obstacle: Obstacle) { notComparable[obstacle.rawValue, default: 0] += 1 }

    /// - Parameter isClose: whether numbers that are not the same count as the same for a chunk planned together with others'.
    package mutating func compare(
        _ found: [Float],
        with chunk: RecordedEvent.RecordedChunk,
        isClose: (_ found: [Float], _ recorded: [Float]) -> Bool = { _, _ in false }
    ) {
        compared += 1
        if chunk.isGrouped { grouped += 1 }
        let isSame =
            found.count == chunk.actions.count
            && zip(found, chunk.actions).allSatisfy { $0.bitPattern == $1.bitPattern }
        guard !isSame else {
            identical += 1
            return
        }
        let largest =
            found.count == chunk.actions.count
            ? zip(found, chunk.actions).map { abs($0 - $1) }.max() ?? 0 : nil
        largestDifference = max(largestDifference, largest ?? 0)
        guard largest == nil || !isClose(found, chunk.actions) else {
            close += 1
            return
        }
        different += 1
        guard differences.count < 10 else { return }
        differences.append(
            Difference(
                robot: chunk.robot.text,
                episode: chunk.episode.description,
                sequence: chunk.sequence,
                largest: largest
            )
        )
    }
}
