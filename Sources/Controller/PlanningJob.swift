import Policy
import Wire

/// A chunk to plan: everything the planner needs, and where the chunk is to go.
struct PlanningJob: Sendable {
    /// Who gets the chunk.
    enum Destination: Sendable, Hashable {
        /// The robot's topic.
        case topic
        /// The client that asked: the frames that lead back to it, and the number it gave its request.
        case client(route: [[UInt8]], number: UInt64?)
        /// The client of the GR00T endpoint that asked, and how it gets its actions.
        case gr00t(route: [[UInt8]], form: Gr00tActions.Form)

        /// The connection over which a client asked.
        var connection: [UInt8]? {
            switch self {
            case .topic: nil
            case .client(let route, _), .gr00t(let route, _): route.first
            }
        }
    }

    let robot: RobotID
    let episode: EpisodeID
    let sequence: UInt64
    /// The robot's time stamp.
    let timeNs: UInt64
    /// The observations up to the one to answer.
    let history: ObservationHistory
    let noiseSeed: UInt64
    /// As in ``PlanningRequest``.
    let frozen: [Float]
    let destination: Destination
    /// How the keys of the chunk's arrays are to be packed.
    let arrayKeys: ArrayKeys
    /// The monotonic clock when the observation had been read from its socket.
    let receivedNs: UInt64
    /// The monotonic clock when the job was ready for the planner.
    var queuedNs: UInt64
    /// How many more groups of jobs waited when this one was taken up.
    var groupsWaiting = 0

    /// Whether the other job's chunk would be this one's, sent to the same place.
    func isRepeat(of other: PlanningJob) -> Bool {
        robot == other.robot && episode == other.episode && sequence == other.sequence
            && noiseSeed == other.noiseSeed && frozen == other.frozen && destination == other.destination
            && arrayKeys == other.arrayKeys
    }
}

/// What became of a ``PlanningJob``.
struct PlanningOutcome: Sendable {
    let job: PlanningJob
    let result: Result<PlannedChunk, PlanningFailure>
    /// The monotonic clock when the planner took the job.
    let startedNs: UInt64
}

/// The policy failed on an observation that had been accepted.
struct PlanningFailure: Error {
    let reason: String
}
