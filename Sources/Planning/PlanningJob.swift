import Clocks
import Policy
import Robotics

/// A chunk to plan: everything the planner needs, and where the chunk is to go.
package struct PlanningJob: Sendable {
    /// Who gets the chunk.
    package enum Destination: Sendable, Hashable {
        /// The robot's topic.
        case topic
        /// The client that asked: the frames that lead back to it, and the number it gave its request.
        case client(route: [[UInt8]], number: UInt64?)
        /// The client of the GR00T endpoint that asked, and the code of the form in which it gets its actions.
        case gr00t(route: [[UInt8]], formCode: UInt8)
        /// The client of the openpi endpoint that asked, by its number.
        case openPI(client: UInt64)

        /// The ZeroMQ connection over which a client asked.
        package var connection: [UInt8]? {
            switch self {
            case .topic, .openPI: nil
            case .client(let route, _), .gr00t(let route, _): route.first
            }
        }
    }

    package let robot: RobotID
    /// The robot's policy: its index among the daemon's.
    package let policy: Int
    package let episode: EpisodeID
    package let sequence: UInt64
    /// The robot's time stamp.
    package let timeNs: UInt64
    /// The observations up to the one to answer.
    package let history: ObservationHistory
    package let noiseSeed: UInt64
    /// As in ``PlanningRequest``.
    package let frozen: [Float]
    package let destination: Destination
    /// How the keys of the chunk's arrays are to be packed.
    package let arrayKeys: ArrayKeys
    /// When the observation had been read from its socket.
    package let received: MonotonicTime
    /// When the job was ready for the planner.
    package var queued: MonotonicTime
    /// How many more groups of jobs waited when this one was taken up.
    package var groupsWaiting = 0

    /// Whether the other job's chunk would be this one's, sent to the same place.
    package func isRepeat(of other: PlanningJob) -> Bool {
        robot == other.robot && episode == other.episode && sequence == other.sequence
            && noiseSeed == other.noiseSeed && frozen == other.frozen && destination == other.destination
            && arrayKeys == other.arrayKeys
    }
}

/// A frame that is to be encoded while no chunk is to be planned: the newest of a history.
package struct PreparationJob: Sendable {
    package let robot: RobotID
    /// The robot's policy: its index among the daemon's.
    package let policy: Int
    package let episode: EpisodeID
    package let history: ObservationHistory
    /// The index of its camera.
    package let camera: Int
}

/// What became of a ``PreparationJob``.
package struct PreparationOutcome: Sendable {
    package let job: PreparationJob
    /// The frame, if it cannot be decoded.
    package let badFrame: BadFrame?
}

/// What became of a ``PlanningJob``.
package struct PlanningOutcome: Sendable {
    package let job: PlanningJob
    package let result: Result<PlannedChunk, PlanningFailure>
    /// When the planner took the job.
    package let started: MonotonicTime

    package init(job: PlanningJob, result: Result<PlannedChunk, PlanningFailure>, started: MonotonicTime) {
        self.job = job
        self.result = result
        self.started = started
    }
}

/// Why there is no chunk for an observation that had been accepted.
package enum PlanningFailure: Error, Sendable {
    /// The policy failed.
    case policy(reason: String)
    /// A camera's picture cannot be decoded: the observation ought to have been refused.
    case badFrame(BadFrame)

    init(_ error: any Error) {
        if case .badPicture(let camera, _, let reason)? = error as? ActionChunkError {
            self = .badFrame(BadFrame(camera: camera, reason: reason))
        } else {
            self = .policy(reason: "\(error)")
        }
    }
}
