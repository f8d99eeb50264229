import Robotics

/// The episodes of the robots whose clients count none: each request of a client is the next observation of its robot's
/// episode, and `reset` begins another.
package struct ClientSessions {
    private struct Session {
        var episode: EpisodeID
        var nextSequence: UInt64 = 0
        var lastHeard: UInt64 = 0
    }

    private let maximumRobots: Int
    private let prefix: String
    private var sessions: [RobotID: Session] = [:]
    private var episodes: UInt64 = 0
    private var heard: UInt64 = 0

    /// - Parameter prefix: what the names of its episodes begin with.
    package init(maximumRobots: Int, prefix: String) {
        self.maximumRobots = maximumRobots
        self.prefix = prefix
    }

    /// The episode and the sequence number of the robot's next observation.
    package mutating func next(_ robot: RobotID) -> (episode: EpisodeID, sequence: UInt64) {
        heard += 1
        if sessions[robot] == nil, sessions.count >= maximumRobots,
            let oldest = sessions.min(by: { $0.value.lastHeard < $1.value.lastHeard })
        {
            sessions[oldest.key] = nil
        }
        var session = sessions[robot] ?? Session(episode: newEpisode())
        defer {
            session.nextSequence += 1
            session.lastHeard = heard
            sessions[robot] = session
        }
        return (session.episode, session.nextSequence)
    }

    /// Ends the robot's episode, and returns it; nil if it has none.
    package mutating func end(_ robot: RobotID) -> EpisodeID? {
        sessions.removeValue(forKey: robot)?.episode
    }

    /// Ends the robot's episode if it is this one. Returns whether it was.
    package mutating func end(_ robot: RobotID, ifIn episode: EpisodeID) -> Bool {
        guard sessions[robot]?.episode == episode else { return false }
        sessions[robot] = nil
        return true
    }

    /// No two episodes have the same name, so that a robot that was forgotten and comes back starts afresh.
    private mutating func newEpisode() -> EpisodeID {
        defer { episodes += 1 }
        return .name("\(prefix)-\(episodes)")
    }
}
