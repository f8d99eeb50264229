import Robotics
import Synchronization

/// What is newest of the robots that somebody watches: filled by the daemon while they do, read by the HTTP thread.
///
/// While nobody watches, everything that is put here costs the daemon a look at a counter. Otherwise it costs a copy under a lock,
/// which the reader holds for as long as another copy takes. Nothing queues: what is newer takes the place of what was there.
public final class LiveBoard: Sendable {
    /// What is newest of a robot.
    struct Entry: Sendable {
        /// The newest observation.
        var observation: RobotObservation?
        /// The monotonic clock at its receipt, in nanoseconds.
        var receivedNs: UInt64 = 0
        /// Observations since somebody watches.
        var observations: UInt64 = 0
        /// The newest chunk.
        var chunk: Chunk?
        /// Chunks since somebody watches.
        var chunks: UInt64 = 0
        /// How long the newest chunks took, at most ``LiveBoard/keptLatencies``, oldest first.
        var latencies: [Latency] = []
        /// The newest command.
        var command: RobotCommand?
        /// Commands since somebody watches.
        var commands: UInt64 = 0
    }

    /// A chunk, and what it was for.
    struct Chunk: Sendable {
        var chunk: RobotChunk
        /// It went to the client that asked, and not to the robot's topic.
        var isPrediction: Bool
        /// It was sampled together with other robots' chunks.
        var isGrouped: Bool
    }

    /// How long a chunk took.
    struct Latency: Sendable, Hashable {
        /// The control step of its observation.
        var sequence: UInt64
        /// From the receipt of the observation until it was packed, in nanoseconds.
        var totalNs: UInt64
        /// Of that, in the denoising steps.
        var sampleNs: UInt64
        /// Whether it was finished in coarse steps.
        var isCoarse: Bool
    }

    private struct Watched {
        var watchers = 0
        var entry = Entry()
    }

    /// So many latencies are kept of a robot.
    static let keptLatencies = 64

    private let watchers = Atomic<Int>(0)
    private let robots = Mutex<[RobotID: Watched]>([:])

    /// A board that nobody watches.
    public init() {}

    // MARK: The daemon's side

    /// Whether anybody watches; else what is put here is dropped.
    public var isWatched: Bool { watchers.load(ordering: .relaxed) > 0 }

    /// Puts an observation here that was accepted.
    ///
    /// - Parameter receivedNs: the monotonic clock at its receipt, in nanoseconds.
    public func put(_ observation: RobotObservation, receivedNs: UInt64) {
        change(observation.robot) { entry in
            entry.observation = observation
            entry.receivedNs = receivedNs
            entry.observations += 1
        }
    }

    /// Puts a chunk here that was sent.
    ///
    /// - Parameters:
    ///   - isPrediction: whether it went to the client that asked, and not to the robot's topic.
    ///   - isGrouped: whether it was sampled together with other robots' chunks.
    public func put(_ chunk: RobotChunk, isPrediction: Bool, isGrouped: Bool) {
        change(chunk.robot) { entry in
            entry.chunk = Chunk(chunk: chunk, isPrediction: isPrediction, isGrouped: isGrouped)
            entry.chunks += 1
            if entry.latencies.count == Self.keptLatencies { entry.latencies.removeFirst() }
            entry.latencies.append(
                Latency(
                    sequence: chunk.sequence,
                    totalNs: chunk.timing.stages.total,
                    sampleNs: chunk.timing.stages.sample,
                    isCoarse: chunk.sampling.coarseSteps > 0
                )
            )
        }
    }

    /// Puts a command here that was sent.
    public func put(_ command: RobotCommand) {
        change(command.robot) { entry in
            entry.command = command
            entry.commands += 1
        }
    }

    private func change(_ robot: RobotID, _ change: (inout Entry) -> Void) {
        guard isWatched else { return }
        robots.withLock { robots in
            guard robots[robot] != nil else { return }
            change(&robots[robot, default: Watched()].entry)
        }
    }

    // MARK: The watchers' side

    /// Begins to watch a robot; it need not be known. Each call goes with one of ``unwatch(_:)``.
    func watch(_ robot: RobotID) {
        robots.withLock { robots in robots[robot, default: Watched()].watchers += 1 }
        watchers.add(1, ordering: .relaxed)
    }

    /// Ends watching a robot. What is kept of it goes with its last watcher.
    func unwatch(_ robot: RobotID) {
        watchers.subtract(1, ordering: .relaxed)
        // Freed outside of the lock: frames are large.
        let freed = robots.withLock { robots -> Watched? in
            guard var watched = robots[robot] else { return nil }
            watched.watchers -= 1
            guard watched.watchers == 0 else {
                robots[robot] = watched
                return nil
            }
            return robots.removeValue(forKey: robot)
        }
        withExtendedLifetime(freed) {}
    }

    /// What is newest of a robot that is watched; nil if it is not.
    func newest(of robot: RobotID) -> Entry? { robots.withLock { $0[robot]?.entry } }
}
