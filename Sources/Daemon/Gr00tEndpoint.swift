import Clocks
import ForeignClients
import Gr00t
import Planning
import Robotics
import Transport
import Wire

/// The socket for clients of a GR00T policy server, and what such a client leaves unsaid: who it speaks for and which
/// observation of an episode it sends. It plans nothing: ``Gr00tDesk`` takes its observations as those of `predict`.
struct Gr00tEndpoint {
    /// A message and the way back to its sender.
    struct Message {
        var route: [[UInt8]]
        /// The monotonic clock when it had been read.
        var received: MonotonicTime
        /// What was asked for; nil if the message could not be read.
        var endpoint: String?
        var demand: Result<Demand, MessageError>
    }

    /// What a message asks of the daemon.
    enum Demand {
        /// No more than this reply.
        case reply(Gr00tReply)
        /// A plan for `observation`; `preceding` come before it in the history.
        case plan(RobotObservation, preceding: [Observation], PlanningJob.Destination)
        /// That the robot's episode, where it has one, is forgotten.
        case reset(RobotID, EpisodeID?)
    }

    /// How many messages are read before other sockets get their turn: fewer than elsewhere, for they are larger.
    static let messagesAtATime = 4

    let socket: ZeroMQSocket
    /// Where it listens, with a wildcard port resolved.
    let address: String
    private let configuration: Gr00tConfiguration
    private let mapping: Gr00tMapping
    private let policy: PolicyDescription
    private var sessions: ClientSessions

    /// Binds the socket that the daemon's configuration asks for; nil if it asks for none.
    ///
    /// - Throws: `ZeroMQError` if the address cannot be bound.
    init?(
        configuration daemon: DaemonConfiguration,
        policy: PolicyDescription,
        context: ZeroMQContext
    ) throws(ZeroMQError) {
        guard let configuration = daemon.gr00t else { return nil }
        var options = SocketBounds.gr00t(configuration)
        // Clients of that protocol know no keys; on the same machine they need none.
        if !EndpointScope.isLocal(configuration.endpoint) {
            options.security = daemon.security.map { .server($0.keys) } ?? .none
        }
        socket = try ZeroMQSocket(.router, context: context, options: options)
        address = try socket.bind(configuration.endpoint)
        self.configuration = configuration
        mapping = configuration.mapping ?? Gr00tMapping(standardFor: policy)
        self.policy = policy
        sessions = ClientSessions(maximumRobots: daemon.maximumRobots, prefix: "gr00t")
    }

    /// Reads a message; nil if there is none.
    mutating func receive() throws(ZeroMQError) -> Message? {
        let longestRequest = configuration.limits.messageBytes
        guard
            let message = try socket.receive(
                maximumFrames: RequestFrames.mostFrames,
                maximumFrameBytes: longestRequest
            )
        else { return nil }
        let received = MonotonicTime.now()
        let frames = RequestFrames(message, longestRequest: longestRequest)
        let route = frames.route
        var endpoint: String?
        do throws(MessageError) {
            let request = try Gr00tRequest.decode(
                frames.request.get(),
                token: configuration.token,
                limits: configuration.limits
            )
            endpoint = request.endpoint
            return Message(
                route: route,
                received: received,
                endpoint: endpoint,
                demand: .success(try demand(of: request, from: route))
            )
        } catch {
            return Message(route: route, received: received, endpoint: endpoint, demand: .failure(error))
        }
    }

    private mutating func demand(
        of request: Gr00tRequest,
        from route: [[UInt8]]
    ) throws(MessageError) -> Demand {
        switch request {
        case .ping: return .reply(.pong)
        case .getModalityConfig:
            return .reply(.modalities(mapping.modalities(of: policy), mapping.version))
        case .kill:
            throw MessageError(.forbidden, field: "endpoint", "kill is refused: no client ends the daemon")
        case .reset(let options):
            let robot = try robot(options, connection: route[0])
            return .reset(robot, sessions.end(robot))
        case .getAction(let observation, let options):
            let robot = try robot(options, connection: route[0])
            let read = try Gr00tObservationRows(observation, mapping: mapping, policy: policy)
            let (episode, sequence) = sessions.next(robot)
            let newest = RobotObservation(
                robot: robot,
                episode: episode,
                sequence: sequence,
                timeNs: 0,
                values: read.rows[read.rows.count - 1].values,
                frames: read.rows[read.rows.count - 1].frames,
                noiseSeed: options.noiseSeed
            )
            return .plan(
                newest,
                preceding: Array(read.rows.dropLast()),
                .gr00t(route: route, formCode: read.form.code)
            )
        }
    }

    private func robot(
        _ options: Gr00tRequest.Options,
        connection: [UInt8]
    ) throws(MessageError) -> RobotID {
        if let robot = options.robot { return robot }
        return try Gr00tRobot.robot(ofConnection: connection)
    }

    /// Sends a reply; a client that is gone gets nothing, and holds nobody up.
    func send(_ reply: Gr00tReply, to route: [[UInt8]]) throws(ZeroMQError) {
        try socket.send(route + [reply.encoded()])
    }

    /// Packs the answer to `get_action`.
    func encode(
        _ chunk: inout RobotChunk,
        form: Gr00tActions.Form,
        finish: (inout RobotChunk.Timing) -> Void
    ) -> [UInt8] {
        var actions = Gr00tActions(chunk: chunk, arrays: mapping.actions, form: form)
        defer { chunk = actions.chunk }
        return actions.encode(finish: finish)
    }
}
