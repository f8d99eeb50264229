import Clocks
import Robotics

/// What may change a robot's state.
public enum RobotEvent: String, Sendable, Hashable, CaseIterable {
    /// A chunk took over, while observations are fresh.
    case chunkJoined
    /// The chunk in force has run out and the next one is not there.
    case chunkMissing
    /// No fresh observation for too long.
    case observationsStopped
    /// The robot's clock went back, or was set forward.
    case clockWasSet
    /// The daemon sent no command for too long: it did not run.
    case commandsPaused
    /// The robot is not where it was told to be, or outside its range.
    case feedbackFar
    /// A limit was broken and the robot file says to stop then.
    case limitBroken
    /// The robot has been holding for too long.
    case heldTooLong
    /// The policy failed on an observation that was accepted.
    case policyFailed
    /// Somebody asked to stop.
    case stopRequested
    /// Somebody asked to hold.
    case holdRequested
    /// Somebody asked to resume.
    case resumeRequested
    /// A new episode began, or the robot's history was forgotten.
    case episodeEnded
}

/// The state machine of one robot. No clock and no socket: the table alone.
public struct Supervisor: Sendable, Hashable {
    /// The state.
    public private(set) var state: RobotState = .idle
    /// What led to it, in words.
    public private(set) var reason = "no chunk yet"
    /// The monotonic clock when it began, in nanoseconds.
    public private(set) var since: MonotonicTime
    /// Whether the robot is holding because somebody asked for it: no chunk and no new episode ends that, but a resume.
    public private(set) var isHeld = false

    /// A robot that is idle from now on.
    public init(now: MonotonicTime) { since = now }

    /// Where each event leads from each state; an event that is not in a state's row changes nothing there. While the
    /// robot ``isHeld``, a chunk and a new episode change nothing, and a resume leads to idle.
    public static let transitions: [RobotState: [RobotEvent: RobotState]] = [
        .idle: [
            .chunkJoined: .running,
            .limitBroken: .stopped,
            .policyFailed: .faulted,
            .stopRequested: .stopped,
            // There is no motion to hold, and commands to a robot that is told nothing could move it.
            .holdRequested: .stopped,
        ],
        .running: [
            .chunkMissing: .holding,
            .observationsStopped: .holding,
            .clockWasSet: .holding,
            .commandsPaused: .holding,
            .limitBroken: .stopped,
            .feedbackFar: .stopped,
            .policyFailed: .faulted,
            .stopRequested: .stopped,
            .holdRequested: .holding,
            .episodeEnded: .idle,
        ],
        .holding: [
            .chunkJoined: .running,
            .heldTooLong: .stopped,
            .limitBroken: .stopped,
            .feedbackFar: .stopped,
            .policyFailed: .faulted,
            .stopRequested: .stopped,
            .holdRequested: .holding,
            .episodeEnded: .idle,
        ],
        .stopped: [
            .resumeRequested: .idle
        ],
        .faulted: [
            .stopRequested: .stopped,
            .resumeRequested: .idle,
        ],
    ]

    /// Whether chunks are planned for the robot.
    public var mayMove: Bool { state != .stopped && state != .faulted && !isHeld }

    /// Takes an event in.
    ///
    /// - Parameters:
    ///   - event: one that may change the state.
    ///   - reason: what happened, in words, for people.
    ///   - now: the present time.
    /// - Returns: whether the state changed, or what it is due to.
    @discardableResult
    public mutating func handle(_ event: RobotEvent, reason: String, now: MonotonicTime) -> Bool {
        guard let next = next(event) else { return false }
        (state, self.reason, since) = (next, reason, now)
        isHeld = event == .holdRequested && next == .holding
        return true
    }

    /// Where an event leads; nil: nowhere.
    private func next(_ event: RobotEvent) -> RobotState? {
        switch event {
        case .chunkJoined, .episodeEnded, .holdRequested: isHeld ? nil : Self.transitions[state]?[event]
        case .resumeRequested: isHeld ? .idle : Self.transitions[state]?[event]
        default: Self.transitions[state]?[event]
        }
    }
}
