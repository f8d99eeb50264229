import Clocks
import ForeignClients
import OpenPI
import Planning
import Robotics
import Transport
import Wire

/// Answers clients of an openpi policy server: what they observe is a `predict`, and what such a client leaves unsaid is added here:
/// who it speaks for, and which observation of an episode it sends.
struct OpenPIDesk {
    /// Whom a client speaks for, and the episode that it began last.
    private struct Speaker {
        let robot: RobotID
        var episode: EpisodeID
    }

    private let endpoint: OpenPIEndpoint
    private let robots: Robots
    private let intake: ObservationIntake
    private let requests: RequestDesk
    private let telemetry: Telemetry
    private let rejections: Rejections
    private var sessions: ClientSessions
    private var speakers: [UInt64: Speaker] = [:]

    init(
        endpoint: OpenPIEndpoint,
        intake: ObservationIntake,
        requests: RequestDesk,
        context: LoopContext
    ) {
        self.endpoint = endpoint
        self.intake = intake
        self.requests = requests
        robots = context.robots
        telemetry = context.telemetry
        rejections = context.rejections
        sessions = ClientSessions(maximumRobots: context.configuration.maximumRobots, prefix: "openpi")
    }

    /// Answers the observations that are there: one of each client at most.
    mutating func answer() throws(ZeroMQError) {
        for event in endpoint.takeEvents() {
            switch event {
            case .demand(let demand):
                telemetry.count { $0.requests["openpi.infer", default: 0] += 1 }
                do throws(MessageError) {
                    try checkRobot(of: demand)
                } catch {
                    refuse(error, demand)
                    continue
                }
                try beginEpisode(demand)
                do throws(MessageError) {
                    try plan(demand)
                } catch {
                    refuse(error, demand)
                }
            case .ended(let client): try end(client)
            }
        }
    }

    private func refuse(_ error: MessageError, _ demand: OpenPIEndpoint.Demand) {
        rejections.reject(error, from: "openpi")
        endpoint.fail(demand.client, ErrorMessage(error))
    }

    /// A connection speaks for one robot.
    private func checkRobot(of demand: OpenPIEndpoint.Demand) throws(MessageError) {
        let robot = demand.observation.robot ?? demand.robot
        guard let speaker = speakers[demand.client], speaker.robot != robot else { return }
        throw MessageError(
            .forbidden,
            field: "options.robot",
            "found \(robot), expected \(speaker.robot), for which the connection has spoken; each robot needs one of its own"
        )
    }

    /// Begins an episode for a client's first observation, and if it asks for one.
    private mutating func beginEpisode(_ demand: OpenPIEndpoint.Demand) throws(ZeroMQError) {
        guard speakers[demand.client] == nil || demand.observation.beginsEpisode else { return }
        let robot = demand.observation.robot ?? demand.robot
        if let episode = sessions.end(robot) {
            try requests.forget(robot, episode: episode, now: demand.received)
        }
    }

    private mutating func plan(_ demand: OpenPIEndpoint.Demand) throws(MessageError) {
        let observed = demand.observation
        let robot = observed.robot ?? demand.robot
        let (episode, sequence) = sessions.next(robot)
        speakers[demand.client] = Speaker(robot: robot, episode: episode)
        guard let newest = observed.rows.last else { return }
        try intake.accept(
            RobotObservation(
                robot: robot,
                episode: episode,
                sequence: sequence,
                timeNs: robots.pilots[robot, now: demand.received].timeStamp(received: demand.received),
                values: newest.values,
                frames: newest.frames,
                noiseSeed: observed.noiseSeed
            ),
            preceding: Array(observed.rows.dropLast()),
            for: .openPI(client: demand.client),
            received: demand.received
        )
    }

    /// Forgets what a client has observed, unless another speaks for the robot too.
    private mutating func end(_ client: UInt64) throws(ZeroMQError) {
        guard let speaker = speakers.removeValue(forKey: client),
            !speakers.values.contains(where: { $0.robot == speaker.robot }),
            sessions.end(speaker.robot, ifIn: speaker.episode)
        else { return }
        try requests.forget(speaker.robot, episode: speaker.episode, now: .now())
    }
}
