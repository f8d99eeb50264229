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
    private let policy: PolicyDescription
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
        policy = context.planner.policy
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
        case .reset(let robot, let episode):
            let isForgotten = try forget(robot, episode: episode, now: received)
            try replies.send(.reset(robot: robot, forgotten: isForgotten), to: client)
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

    /// Nil only before the planner has been made, when nothing is answered.
    private var info: InfoMessage? {
        guard let tuning = mailbox.tuning else { return nil }
        return InfoMessage(
            daemonVersion: daemonVersion,
            policy: policy,
            sampler: configuration.budgeted(tuning.sampler),
            endpoints: endpoints,
            limits: sendingLimits,
            stop: robots.pilots.newestStop(of: nil).number,
            calibrationPercent: UInt64(tuning.calibratedHundredths),
            cameraServers: cameraBoard?.status(now: .now()) ?? [],
            statistics: telemetry.snapshot()
        )
    }

    private func refuse(_ error: MessageError, to client: PlanningJob.Destination) throws(ZeroMQError) {
        rejections.reject(error, from: "requests")
        try replies.send(.error(ErrorMessage(error)), to: client)
    }

    /// Forgets a robot, and tells those who wait for its chunks. Returns whether there was anything to forget.
    @discardableResult
    func forget(_ robot: RobotID, episode: EpisodeID?, now: MonotonicTime) throws(ZeroMQError) -> Bool {
        let dropped = robots.agenda.reset(robot, episode: episode)
        if dropped != nil {
            robots.pilots[robot, now: now].endEpisode("the robot was reset", now: now)
            tap?.take(TappedMessage(.reset(robot)))
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
