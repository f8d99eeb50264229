/// What a robot saw at one control step: published under the topic `observation.<robot>`, or sent as the request
/// `predict`.
public struct RobotObservation: Sendable, Hashable {
    /// Who saw it.
    public var robot: RobotID
    /// The episode it belongs to; a new id starts a fresh history.
    public var episode: EpisodeID
    /// The control step in the episode, rising from one observation to the next.
    public var sequence: UInt64
    /// When it was seen, in nanoseconds of the robot's own clock. It comes back with the chunk, and says when commands are
    /// due.
    public var timeNs: UInt64
    /// What it saw, by LeRobot feature name, in the robot's units.
    public var observed: Observation
    /// The numbers of each feature, by LeRobot feature name, in the robot's units.
    public var values: [String: [Float]] {
        get { observed.values }
        set { observed.values = newValue }
    }
    /// What each camera saw, by LeRobot feature name.
    public var frames: [String: CameraFrame] {
        get { observed.frames }
        set { observed.frames = newValue }
    }
    /// Whether a chunk is wanted; false adds the observation to the history and no more; nil leaves it to the daemon, which
    /// plans for each, or, for a robot that it sends commands to, as often as those need.
    public var replan: Bool?
    /// The seed of the sampling noise; nil lets the daemon derive it.
    public var noiseSeed: UInt64?
    /// A number that the process which speaks for the robot draws at its start; nil if it draws none. While one session
    /// speaks, another's observations are refused.
    public var session: UInt64?
    /// What the robot will carry out at the control steps `sequence`, `sequence` + 1, ... before the chunk can take over: the
    /// chunk begins with these actions, and the rest of it fits them. Nil: nothing is assumed.
    public var committed: ActionRows?
    /// How the keys of arrays are to be packed in the chunks and commands for the robot; nil: as openpi does.
    public var arrayKeys: ArrayKeys?

    /// An observation that asks for a chunk, with the noise seed left to the daemon.
    public init(
        robot: RobotID,
        episode: EpisodeID,
        sequence: UInt64,
        timeNs: UInt64,
        values: [String: [Float]],
        frames: [String: CameraFrame] = [:],
        replan: Bool? = true,
        noiseSeed: UInt64? = nil,
        session: UInt64? = nil,
        committed: ActionRows? = nil,
        arrayKeys: ArrayKeys? = nil
    ) {
        self.robot = robot
        self.episode = episode
        self.sequence = sequence
        self.timeNs = timeNs
        self.observed = Observation(values: values, frames: frames)
        self.replan = replan
        self.noiseSeed = noiseSeed
        self.session = session
        self.committed = committed
        self.arrayKeys = arrayKeys
    }
}
