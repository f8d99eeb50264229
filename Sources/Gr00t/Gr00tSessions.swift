import Robotics

/// The episodes of the robots whose clients count none: each request of a client is the next observation of its robot's
/// episode, and `reset` begins another.
package struct Gr00tSessions {
    private struct Session {
        var episode: EpisodeID
        var nextSequence: UInt64 = 0
        var lastHeard: UInt64 = 0
    }

    private let maximumRobots: Int
    private var sessions: [RobotID: Session] = [:]
    private var episodes: UInt64 = 0
    private var heard: UInt64 = 0

    package init(maximumRobots: Int) {
        self.maximumRobots = maximumRobots
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

    /// No two episodes have the same name, so that a robot that was forgotten and comes back starts afresh.
    private mutating func newEpisode() -> EpisodeID {
        defer { episodes += 1 }
        return .name("gr00t-\(episodes)")
    }

    /// The robot of a client that names none, from the routing id of its connection.
    /// - Throws: `MessageError` `out_of_range` for an id that was set by the client and is too long.
    package static func robot(ofConnection routingID: [UInt8]) throws(MessageError) -> RobotID {
        // libzmq's own ids are a zero and 4 bytes.
        let id = routingID.first == 0 ? routingID.dropFirst() : routingID[...]
        let digits = id.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        guard let robot = RobotID("gr00t.\(digits)") else {
            throw MessageError(
                .outOfRange,
                "the client's ZeroMQ routing id has \(routingID.count) bytes; expected at most 29, or a robot in options.robot"
            )
        }
        return robot
    }
}
