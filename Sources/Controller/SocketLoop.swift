import Logging
import Wire

/// The socket thread's work: it owns the three sockets and every robot's history, and never waits for the planner.
///
/// An observation's way: `receiveObservations` -> `Agenda` -> `dispatch` -> the planner thread -> `deliver`.
final class SocketLoop {
    /// The addresses as bound or connected.
    let endpoints: InfoMessage.Endpoints

    /// How many messages of one socket are read before the others, and the planner, get their turn.
    private static let messagesAtATime = 256
    /// For how long observations are read before commands get their turn.
    private static let readingNs: UInt64 = 2_000_000
    private static let longestTopic = Topic.observation.utf8.count + 64
    private static let longestRoute = 8

    private let observations: ZeroMQSocket
    let chunks: ZeroMQSocket
    private let requests: ZeroMQSocket
    let alarm: Alarm
    private var gr00t: Gr00tEndpoint?
    private let planner: PlannerFacts
    private let mailbox: PlannerMailbox
    let telemetry: Telemetry
    private let budgetNs: UInt64?
    private let limits: MessagePackLimits
    let logger: Logger
    let tap: (any MessageTap)?
    private var agenda: Agenda
    var pilots: Pilots
    var heartbeatDueNs = Clock.monotonicNs()
    var watchdog: Watchdog?
    private var rates: RateLimiter<[UInt8]>
    private var errorLog = LogLimiter<MessageError.Code>()

    init(
        configuration: DaemonConfiguration,
        context: ZeroMQContext,
        planner: PlannerFacts,
        mailbox: PlannerMailbox,
        telemetry: Telemetry
    ) throws(ZeroMQError) {
        var options = ZeroMQSocket.Options()
        options.maximumFrameBytes = configuration.limits.messageBytes
        options.security = configuration.security.map { .server($0.keys) } ?? .none
        observations = try ZeroMQSocket(.subscribe, context: context, options: options)
        chunks = try ZeroMQSocket(.publish, context: context, options: options)
        requests = try ZeroMQSocket(.router, context: context, options: options)
        try observations.subscribe(to: Array(Topic.observation.utf8))
        gr00t = try Gr00tEndpoint(configuration: configuration, policy: planner.policy, context: context)
        endpoints = try InfoMessage.Endpoints(
            observations: observations.attach(configuration.observations),
            chunks: chunks.attach(configuration.chunks),
            requests: requests.bind(configuration.requests),
            gr00t: gr00t?.address
        )
        self.planner = planner
        self.mailbox = mailbox
        self.telemetry = telemetry
        budgetNs = configuration.budgetNs
        limits = configuration.limits
        logger = configuration.logger
        watchdog = configuration.watchdog
        tap = configuration.tap
        agenda = Agenda(emptyHistory: planner.emptyHistory, configuration: configuration)
        alarm = try Alarm()
        pilots = Pilots(configuration: configuration, policy: planner.policy)
        rates = RateLimiter(
            perSecond: configuration.messagesPerSecond,
            mostSenders: 4 * configuration.maximumRobots
        )
    }

    /// Works until `isStopping` says so, which is asked after each wake-up.
    func run(wakeUp: WakeUp, isStopping: () -> Bool) throws(ZeroMQError) {
        let sockets = [requests, observations] + (gr00t.map { [$0.socket] } ?? [])
        tap?.take(TappedMessage(.started(policy: planner.policy, sampler: sampler)))
        while !isStopping() {
            watchdog?.beat(nowNs: Clock.monotonicNs())
            try setAlarm()
            let hasMessage = try ZeroMQSocket.wait(for: sockets, wakeUp: wakeUp, alarm: alarm)
            try sendWhatIsDue()
            for outcome in mailbox.takeOutcomes() { try deliver(outcome) }
            if hasMessage[0] { try answerRequests() }
            if hasMessage[1] { try receiveObservations() }
            if hasMessage.count > 2, hasMessage[2] { try answerGr00t() }
            pilots.keep { agenda.knows($0) }
            dispatch()
        }
        try bringToRest()
        for job in agenda.unansweredPredictions {
            try reply(
                .error(ErrorMessage(MessageError(.stopping, "the daemon is ending"))),
                to: job.destination
            )
        }
    }

    // MARK: Observations in

    private func receiveObservations() throws(ZeroMQError) {
        let beganNs = Clock.monotonicNs()
        for _ in 0..<Self.messagesAtATime {
            guard let frames = try observations.receive(maximumFrames: 2) else { return }
            let receivedNs = Clock.monotonicNs()
            do throws(MessageError) {
                try admit(frames, nowNs: receivedNs)
                let observation = try decode(frames)
                try accept(observation, for: .topic, receivedNs: receivedNs)
            } catch {
                reject(error, from: "observations")
            }
            if receivedNs - beganNs > Self.readingNs { return }
        }
    }

    /// Bounds what each topic has read, before anything of it is.
    private func admit(_ frames: [[UInt8]], nowNs: UInt64) throws(MessageError) {
        // A topic is kept for a while, and none that long is a robot's.
        guard let topic = frames.first, topic.count <= Self.longestTopic else {
            throw MessageError(
                .badFrames,
                "the topic is longer than \(Self.longestTopic) bytes, as no robot's is"
            )
        }
        guard !rates.admit(topic, nowNs: nowNs) else { return }
        telemetry.count { $0.droppedObservations += 1 }
        throw MessageError(.rateLimited, "more messages under one topic than the daemon reads in a second")
    }

    private func decode(_ frames: [[UInt8]]) throws(MessageError) -> ObservationMessage {
        guard frames.count == 2 else {
            let found = frames.count > 2 ? "more than 2" : "\(frames.count)"
            throw MessageError(.badFrames, "\(found) frames, expected 2: the topic and the observation")
        }
        let observation = try ObservationMessage(decoding: frames[1], limits: limits)
        guard frames[0] == observation.robot.observationTopic else {
            throw MessageError(
                .badFrames,
                "the topic is not \(Topic.observation)\(observation.robot), as the robot's id requires"
            )
        }
        return observation
    }

    private func accept(
        _ observation: ObservationMessage,
        preceding: [[String: [Float]]] = [],
        for destination: PlanningJob.Destination,
        receivedNs: UInt64
    ) throws(MessageError) {
        let robot = observation.robot
        for values in preceding { try planner.policy.check(values) }
        try planner.policy.check(observation.values)
        if let committed = observation.committed { try planner.policy.check(committed) }
        if pilots.isFull(for: robot) { pilots.keep { agenda.knows($0) } }
        guard !pilots.isFull(for: robot) else {
            throw MessageError(
                .busy,
                field: "robot",
                "\(robot) is not known, and too many others are stopped or moving for another robot"
            )
        }
        try pilots[robot, nowNs: receivedNs].admit(observation, receivedNs: receivedNs)
        let pilot = pilots[robot, nowNs: receivedNs]
        if destination != .topic, let refusal = pilot.refusal { throw refusal }
        if pilot.isOfNewSession(observation), agenda.reset(robot, episode: nil) != nil {
            tap?.take(TappedMessage(.reset(robot)))
        }

        let supersededBefore = agenda.superseded
        let reception = try agenda.receive(
            observation,
            preceding: preceding,
            for: destination,
            receivedNs: receivedNs,
            now: Clock.monotonicNs
        ) { isNew in
            let asks = pilots[robot, nowNs: receivedNs].observe(
                observation,
                isNew: isNew,
                isPublished: destination == .topic,
                receivedNs: receivedNs
            )
            return (observation.replan ?? asks) && pilots[robot, nowNs: receivedNs].mayMove
        } committed: {
            destination == .topic
                ? pilots[robot, nowNs: receivedNs].committedActions(from: observation.sequence) : nil
        }
        tap?.take(
            TappedMessage(
                .observation(
                    observation,
                    preceding: preceding,
                    isRepeat: reception == .duplicate,
                    receivedNs: receivedNs
                )
            )
        )
        telemetry.count { statistics in
            switch reception {
            case .new: statistics.observations += 1
            case .duplicate: statistics.duplicateObservations += 1
            }
            statistics.supersededObservations += agenda.superseded - supersededBefore
            statistics.droppedObservations += agenda.superseded - supersededBefore
            statistics.robots = UInt64(agenda.robotCount)
        }
    }

    /// Counts and logs a message that is not used.
    private func reject(_ error: MessageError, from socket: StaticString) {
        if error.code == .stale {
            telemetry.count { $0.staleObservations += 1 }
        } else {
            telemetry.countRejection(error.code)
        }
        log(error, "\(socket): rejected a message")
    }

    /// Logs an error, unless one of the same code was logged within the last second.
    private func log(_ error: MessageError, _ event: String) {
        guard let suppressed = errorLog.admit(error.code, nowNs: Clock.monotonicNs()) else { return }
        let more = suppressed > 0 ? " (and \(suppressed) more since the last such line)" : ""
        logger.warning("\(event), \(error.code.rawValue): \(error)\(more)")
    }

    // MARK: Planning

    private func dispatch() {
        let jobs = agenda.next { planner.grouping?.size(waiting: $0, budgetNs: budgetNs) ?? 1 }
        guard !jobs.isEmpty else { return }
        watchdog?.planningBegan(nowNs: Clock.monotonicNs())
        mailbox.put(jobs)
    }

    private func deliver(_ outcome: PlanningOutcome) throws(ZeroMQError) {
        let job = outcome.job
        watchdog?.planningEnded(nowNs: Clock.monotonicNs())
        guard agenda.finish(job) else {
            tap?.take(TappedMessage(.unsent(job.robot, job.episode)))
            return
        }
        let planned: PlannedChunk
        do throws(PlanningFailure) {
            planned = try outcome.result.get()
        } catch {
            let failure = MessageError(.planner, error.reason)
            telemetry.count { $0.plannerErrors += 1 }
            let nowNs = Clock.monotonicNs()
            pilots[job.robot, nowNs: nowNs].policyFailed(error.reason, nowNs: nowNs)
            log(failure, "no chunk for observation \(job.sequence) of episode \(job.episode) of \(job.robot)")
            try reply(.error(ErrorMessage(failure)), to: job.destination)
            return
        }
        var chunk = ChunkMessage(job: job, planned: planned, policy: planner.policy)
        let sampled = chunk
        do throws(MessageError) {
            try pilot(&chunk, isCarriedOut: job.destination == .topic)
        } catch {
            tap?.take(TappedMessage(.unsent(job.robot, job.episode)))
            log(error, "withheld the chunk for observation \(job.sequence) of episode \(job.episode)")
            try reply(.error(ErrorMessage(error)), to: job.destination)
            return
        }
        let finish = { (timing: inout ChunkMessage.Timing) in
            timing.complete(job: job, startedNs: outcome.startedNs, planned: planned)
        }
        // Counted before it is sent: whoever has the chunk finds it in the statistics.
        switch job.destination {
        case .topic:
            let message = [job.robot.chunkTopic, chunk.encode(finish: finish)]
            telemetry.record(chunk.timing.stages) { count(chunk, as: \.chunks, in: &$0) }
            try chunks.send(message)
        case .client(let route, let number):
            let message = route + [chunk.encode(request: number, finish: finish)]
            telemetry.record(chunk.timing.stages) { count(chunk, as: \.predictions, in: &$0) }
            try requests.send(message)
        case .gr00t(let route, let form):
            guard let gr00t else { return }
            let message = route + [gr00t.encode(&chunk, form: form, finish: finish)]
            telemetry.record(chunk.timing.stages) { count(chunk, as: \.predictions, in: &$0) }
            try gr00t.socket.send(message)
        }
        tap?.take(
            TappedMessage(
                .chunk(
                    chunk,
                    sampled: sampled,
                    isPrediction: job.destination != .topic,
                    isGrouped: outcome.isGrouped
                )
            )
        )
    }

    private func pilot(_ chunk: inout ChunkMessage, isCarriedOut: Bool) throws(MessageError) {
        let nowNs = Clock.monotonicNs()
        try pilots[chunk.robot, nowNs: nowNs].receive(&chunk, isCarriedOut: isCarriedOut, nowNs: nowNs)
    }

    private func count(
        _ chunk: ChunkMessage,
        as kind: WritableKeyPath<DaemonStatistics, UInt64>,
        in statistics: inout DaemonStatistics
    ) {
        statistics[keyPath: kind] += 1
        if let budgetNs, chunk.timing.stages.total > budgetNs { statistics.lateChunks += 1 }
        if chunk.sampling.coarseSteps > 0 { statistics.coarseChunks += 1 }
    }

    // MARK: Requests

    private func answerRequests() throws(ZeroMQError) {
        for _ in 0..<Self.messagesAtATime {
            guard var route = try requests.receive(maximumFrames: Self.longestRoute) else { return }
            let receivedNs = Clock.monotonicNs()
            // DEALER clients send [payload], REQ clients ["", payload]; ROUTER puts the way back in front.
            let payload = route.removeLast()
            guard route.count < Self.longestRoute, route.count == 1 || route.last?.isEmpty == true else {
                reject(
                    MessageError(.badFrames, "a request is one frame, or an empty one and one"),
                    from: "requests"
                )
                continue
            }
            let (number, request) = Request.decode(payload, limits: limits)
            let client = PlanningJob.Destination.client(route: route, number: number)
            switch request {
            case .success(let request): try answer(request, to: client, receivedNs: receivedNs)
            case .failure(let error): try refuse(error, to: client)
            }
        }
    }

    private func answer(
        _ request: Request,
        to client: PlanningJob.Destination,
        receivedNs: UInt64
    ) throws(ZeroMQError) {
        telemetry.count { $0.requests[request.type, default: 0] += 1 }
        switch request {
        case .info:
            let info = InfoMessage(
                daemonVersion: daemonVersion,
                policy: planner.policy,
                sampler: sampler,
                endpoints: endpoints,
                statistics: telemetry.snapshot()
            )
            try reply(.info(info), to: client)
        case .ping(let timeNs):
            try reply(
                .pong(timeNs: timeNs, monotonicNs: Clock.monotonicNs(), wallNs: Clock.wallNs()),
                to: client
            )
        case .reset(let robot, let episode):
            let dropped = try forget(robot, episode: episode, nowNs: receivedNs)
            try reply(.reset(robot: robot, forgotten: dropped != nil), to: client)
        case .predict(let observation):
            do throws(MessageError) {
                // The chunk is the answer; it comes from `deliver`.
                try accept(observation, for: client, receivedNs: receivedNs)
            } catch {
                try refuse(error, to: client)
            }
        case .stop(let robot):
            let outcome = Result { () throws(MessageError) in try stop(robot) }
            switch outcome {
            case .success(let count): try reply(.stop(robots: count), to: client)
            case .failure(let error): try refuse(error, to: client)
            }
        case .resume(let robot):
            try reply(.resume(robots: resume(robot)), to: client)
        }
    }

    /// How chunks are sampled, with the budget that is kept.
    private var sampler: InfoMessage.Sampler {
        var sampler = planner.sampler
        sampler.budgetMs = Double(budgetNs ?? 0) / 1e6
        return sampler
    }

    private func refuse(_ error: MessageError, to client: PlanningJob.Destination) throws(ZeroMQError) {
        reject(error, from: "requests")
        try reply(.error(ErrorMessage(error)), to: client)
    }

    /// Forgets a robot, and tells those who wait for its chunks. Returns nil where there was nothing to forget.
    private func forget(_ robot: RobotID, episode: EpisodeID?, nowNs: UInt64) throws(ZeroMQError)
        -> [PlanningJob]?
    {
        let dropped = agenda.reset(robot, episode: episode)
        if dropped != nil {
            pilots[robot, nowNs: nowNs].endEpisode("the robot was reset", nowNs: nowNs)
            tap?.take(TappedMessage(.reset(robot)))
        }
        telemetry.count { $0.robots = UInt64(agenda.robotCount) }
        for job in dropped ?? [] where job.destination != .topic {
            let error = MessageError(.reset, "robot \(robot) was reset before the chunk was there")
            try reply(.error(ErrorMessage(error)), to: job.destination)
        }
        return dropped
    }

    /// Replies to a client; a client that is gone, or reads nothing, gets nothing, and holds nobody up.
    private func reply(_ reply: Reply, to destination: PlanningJob.Destination) throws(ZeroMQError) {
        switch destination {
        case .topic: return
        case .client(let route, let number): try requests.send(route + [reply.encoded(number: number)])
        case .gr00t(let route, _):
            // Errors alone reach such a client this way.
            guard case .error(let error) = reply else { return }
            try gr00t?.send(.error(error), to: route)
        }
    }

    // MARK: Clients of a GR00T policy server

    private func answerGr00t() throws(ZeroMQError) {
        for _ in 0..<Gr00tEndpoint.messagesAtATime {
            guard let message = try gr00t?.receive() else { return }
            if let endpoint = message.endpoint {
                telemetry.count { $0.requests["gr00t.\(endpoint)", default: 0] += 1 }
            }
            switch message.demand {
            case .success(.reply(let reply)):
                try gr00t?.send(reply, to: message.route)
            case .success(.reset(let robot, let episode)):
                if let episode { _ = try forget(robot, episode: episode, nowNs: message.receivedNs) }
                try gr00t?.send(.done, to: message.route)
            case .success(.plan(var observation, let preceding, let destination)):
                observation.timeNs = pilots[observation.robot, nowNs: message.receivedNs]
                    .timeStamp(receivedNs: message.receivedNs)
                do throws(MessageError) {
                    try accept(
                        observation,
                        preceding: preceding,
                        for: destination,
                        receivedNs: message.receivedNs
                    )
                } catch {
                    reject(error, from: "gr00t")
                    try reply(.error(ErrorMessage(error)), to: destination)
                }
            case .failure(let error):
                reject(error, from: "gr00t")
                try gr00t?.send(.error(ErrorMessage(error)), to: message.route)
            }
        }
    }
}

extension ZeroMQSocket {
    fileprivate func attach(_ address: SocketAddress) throws(ZeroMQError) -> String {
        switch address {
        case .bind(let endpoint): try bind(endpoint)
        case .connect(let endpoint): try connect(endpoint)
        }
    }
}

extension ChunkMessage {
    fileprivate init(job: PlanningJob, planned: PlannedChunk, policy: InfoMessage.Policy) {
        self.init(
            robot: job.robot,
            episode: job.episode,
            sequence: job.sequence,
            timeNs: job.timeNs,
            firstStep: job.sequence,
            actions: planned.actions,
            actionSteps: policy.nActionSteps,
            actionDim: policy.actionDim,
            beyond: planned.beyond,
            frozen: planned.frozen,
            noiseSeed: job.noiseSeed,
            sampling: planned.sampling,
            timing: Timing(receivedNs: job.receivedNs)
        )
    }
}

extension ChunkMessage.Timing {
    /// Fills in the stages, now that the chunk is packed.
    fileprivate mutating func complete(job: PlanningJob, startedNs: UInt64, planned: PlannedChunk) {
        publishedNs = Clock.monotonicNs()
        wallNs = Clock.wallNs()
        let sinceStart = publishedNs - startedNs
        let sampling = planned.conditionNs + planned.sampleNs
        stages = ChunkMessage.Stages(
            decode: job.queuedNs - job.receivedNs,
            queue: startedNs - job.queuedNs,
            condition: planned.conditionNs,
            sample: planned.sampleNs,
            encode: sinceStart > sampling ? sinceStart - sampling : 0,
            total: publishedNs - job.receivedNs
        )
    }
}
