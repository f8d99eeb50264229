import CameraServers
import Clocks
import Planning
import Recording
import Robotics
import Transport
import Wire

/// Answers requests.
final class RequestDesk {
    private let socket: ZeroMQSocket
    private let limits: MessagePackLimits
    /// What clients are told of the limits.
    private let sendingLimits: InfoMessage.Limits
    private let endpoints: InfoMessage.Endpoints
    private let policies: ServedPolicies
    private let configuration: DaemonConfiguration
    private let mailbox: PlannerMailbox
    private let robots: Robots
    private let intake: ObservationIntake
    private let commands: CommandOutlet
    private let stops: DurableStops
    private let replies: Replies
    private let telemetry: Telemetry
    private let rejections: Rejections
    private let tap: (any MessageTap)?
    private let cameraBoard: CameraBoard?

    init(
        endpoints: InfoMessage.Endpoints,
        intake: ObservationIntake,
        commands: CommandOutlet,
        stops: DurableStops,
        context: LoopContext
    ) {
        self.endpoints = endpoints
        self.intake = intake
        self.commands = commands
        self.stops = stops
        policies = context.policies
        configuration = context.configuration
        mailbox = context.mailbox
        robots = context.robots
        replies = context.replies
        socket = context.replies.requests
        telemetry = context.telemetry
        rejections = context.rejections
        limits = context.configuration.limits
        sendingLimits = InfoMessage.Limits(
            messageBytes: limits.messageBytes,
            messagesPerSecond: context.configuration.messagesPerSecond,
            countedBytes: context.configuration.countedBytes
        )
        tap = context.configuration.tap
        cameraBoard = context.cameraBoard
    }

    /// Answers the requests that are there, for as long as a socket may be read.
    func answer() throws(ZeroMQError) {
        let began = MonotonicTime.now()
        for _ in 0..<ReadingTurn.messages {
            guard MonotonicTime.now().elapsedNs(since: began) <= ReadingTurn.nanoseconds,
                let message = try socket.receive(
                    maximumFrames: RequestFrames.mostFrames,
                    maximumFrameBytes: limits.messageBytes
                )
            else { return }
            let received = MonotonicTime.now()
            let frames = RequestFrames(message, longestRequest: limits.messageBytes)
            switch frames.request {
            case .success(let packed):
                let (number, request) = Request.decode(packed, limits: limits)
                let client = PlanningJob.Destination.client(route: frames.route, number: number)
                switch request {
                case .success(let request): try answer(request, to: client, received: received)
                case .failure(let error): try refuse(error, to: client)
                }
            case .failure(let error):
                try refuse(error, to: .client(route: frames.route, number: nil))
            }
        }
    }

    private func answer(
        _ request: Request,
        to client: PlanningJob.Destination,
        received: MonotonicTime
    ) throws(ZeroMQError) {
        telemetry.count { $0.requests[request.type, default: 0] += 1 }
        switch request {
        case .info: if let info { try replies.send(.info(info), to: client) }
        case .ping(let timeNs):
            try replies.send(
                .pong(timeNs: timeNs, monotonicNs: MonotonicTime.now().unsignedNs, wallNs: Clock.wallNs()),
                to: client
            )
        case .reset(let robot, let episode, let policy, let session):
            let checked = Result { () throws(MessageError) in
                if let session {
                    try robots.pilots[robot, now: received].checkSpeaker(session, now: received)
                }
                return try index(ofPolicy: policy, for: robot, episode: episode, now: received)
            }
            switch checked {
            case .success(let index):
                let isForgotten = try forget(
                    robot,
                    episode: episode,
                    policy: index,
                    by: session,
                    now: received
                )
                try replies.send(.reset(robot: robot, forgotten: isForgotten), to: client)
            case .failure(let error): try refuse(error, to: client)
            }
        case .predict(let observation):
            do throws(MessageError) {
                // The chunk is the answer; it comes from the `ChunkOutlet`.
                try intake.accept(observation, for: client, received: received)
            } catch {
                try refuse(error, to: client)
            }
        case .stop(let robot):
            let outcome = Result { () throws(MessageError) in
                try stop(robot, connection: client.connection)
            }
            switch outcome {
            case .success(let stop):
                // Before anything else is read: the robot's next command may be due already.
                try commands.sendDue()
                try stops.answerOnceKept { [replies] (keeping) throws(ZeroMQError) in
                    var stop = stop
                    stop.keeping = keeping
                    try replies.send(.stop(stop), to: client)
                }
            case .failure(let error): try refuse(error, to: client)
            }
        case .resume(let robot, let seen):
            let outcome = Result { () throws(MessageError) in
                try resume(robot, seen: seen, connection: client.connection)
            }
            switch outcome {
            case .success(let count):
                try stops.answerOnceKept { [replies] (keeping) throws(ZeroMQError) in
                    try replies.send(.resume(robots: count, keeping: keeping), to: client)
                }
            case .failure(let error): try refuse(error, to: client)
            }
        }
    }

    /// Nil only before the planners have been made, when nothing is answered.
    private var info: InfoMessage? {
        let told = configuration.told(policies, mailbox.tunings)
        guard let first = told.first else { return nil }
        return InfoMessage(
            daemonVersion: daemonVersion,
            policy: first.policy,
            sampler: first.sampler,
            policies: told,
            endpoints: endpoints,
            limits: sendingLimits,
            stop: robots.pilots.newestStop(of: nil).number,
            calibrationPercent: told.map(\.calibrationPercent).min() ?? 100,
            cameraServers: cameraBoard?.status(now: .now()) ?? [],
            statistics: telemetry.snapshot()
        )
    }

    private func refuse(_ error: MessageError, to client: PlanningJob.Destination) throws(ZeroMQError) {
        rejections.reject(error, from: "requests")
        try replies.send(.error(ErrorMessage(error)), to: client)
    }

    /// The index of the policy that a reset names; nil if it names none.
    ///
    /// - Throws: `MessageError` for a policy that there is not or that cannot drive the robot, and for another one than drives the
    ///   robot that comes with an episode which is not the robot's: nothing would begin that it could drive.
    private func index(
        ofPolicy name: String?,
        for robot: RobotID,
        episode: EpisodeID?,
        now: MonotonicTime
    ) throws(MessageError) -> Int? {
        guard let name else { return nil }
        let index = try policies.index(named: name)
        if robots.pilots.isFull(for: robot) { robots.forgetUnknownPilots() }
        guard !robots.pilots.isFull(for: robot) else { throw .unknownWhileFull(robot) }
        try robots.pilots[robot, now: now].check(policies[index].policy)
        if let episode, let current = robots.agenda.episode(of: robot), current != episode,
            robots.pilots[robot, now: now].policy != index
        {
            throw MessageError(
                .stale,
                field: "episode",
                "found \(episode), expected \(current), which the robot is in, or none to begin with another policy"
            )
        }
        return index
    }

    /// Forgets a robot, and tells those who wait for its chunks. Returns whether there was anything to forget.
    ///
    /// - Parameters:
    ///   - policy: the index of the policy that drives the robot from now on; nil: the only one there is, or none until the robot
    ///     names one.
    ///   - session: who asks for it; a policy is for its observations.
    @discardableResult
    func forget(
        _ robot: RobotID,
        episode: EpisodeID?,
        policy: Int? = nil,
        by session: UInt64? = nil,
        now: MonotonicTime
    ) throws(ZeroMQError) -> Bool {
        let dropped = robots.agenda.reset(robot, episode: episode)
        let named = robots.pilots[robot, now: now].hasNamedPolicy
        if dropped != nil || policy != nil || named && episode == nil {
            robots.pilots[robot, now: now].endEpisode("the robot was reset", now: now)
            robots.pilots[robot, now: now].forgetPolicy(standard: policies.standard)
            tap?.take(TappedMessage(.reset(robot, policy: policy.map { policies[$0].policy.name })))
        }
        if let policy {
            robots.pilots[robot, now: now].follow(
                policies[policy].policy,
                at: policy,
                reservedFor: session,
                now: now
            )
        }
        let robotCount = UInt64(robots.agenda.robotCount)
        telemetry.count { $0.robots = robotCount }
        for job in dropped ?? [] where job.destination != .topic {
            let error = MessageError(.reset, "robot \(robot) was reset before the chunk was there")
            try replies.send(.error(ErrorMessage(error)), to: job.destination)
        }
        return dropped != nil
    }

    /// Tells those who wait for a chunk that the daemon ends.
    func refuseWhatWaits() throws(ZeroMQError) {
        let error = ErrorMessage(MessageError(.stopping, "the daemon is ending"))
        for job in robots.agenda.unansweredPredictions {
            try replies.send(.error(error), to: job.destination)
        }
    }

    /// Stops a robot, known or not, or every one, known or not.
    ///
    /// - Parameter connection: the connection that asks for it.
    private func stop(_ robot: RobotID?, connection: [UInt8]?) throws(MessageError) -> StopReply {
        let now = MonotonicTime.now()
        let reason = "a stop was requested"
        let names = robots.pilots.knownNames
        guard let robot else {
            let count = robots.pilots.stopAll(reason, connection: connection, now: now)
            return StopReply(
                robots: count,
                known: names.count,
                number: robots.pilots.newestStop(of: nil).number
            )
        }
        guard !robots.pilots.isFull(for: robot) else { throw .unknownWhileFull(robot) }
        let isNew = robots.pilots[robot, now: now].stop(reason, connection: connection, now: now)
        let isKnown = names.contains(robot.text)
        return StopReply(
            robots: isNew ? 1 : 0,
            known: isKnown ? 1 : 0,
            number: robots.pilots.newestStop(of: robot).number,
            knownNames: isKnown ? [] : Array(names.prefix(StopReply.mostNames))
        )
    }

    /// Releases a robot, or every one. Returns how many had been stopped.
    ///
    /// - Parameters:
    ///   - seen: the number of the newest stop that whoever asks has seen.
    ///   - connection: the connection that asks for it.
    /// - Throws: `MessageError` if the robot was stopped later, or may have been.
    private func resume(_ robot: RobotID?, seen: UInt64?, connection: [UInt8]?) throws(MessageError) -> Int {
        try robots.pilots.newestStop(of: robot).check(seen: seen, by: connection)
        let now = MonotonicTime.now()
        guard let robot else { return robots.pilots.resumeAll(now: now) }
        return robots.pilots[robot, now: now].resume(now: now) ? 1 : 0
    }
}
