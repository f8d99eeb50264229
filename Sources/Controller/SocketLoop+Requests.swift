import Planning
import Recording
import Robotics
import Transport
import Wire

/// What is asked and answered.
extension SocketLoop {
    func answerRequests() throws(ZeroMQError) {
        let beganNs = Clock.monotonicNs()
        for _ in 0..<Self.messagesAtATime {
            guard Clock.monotonicNs() - beganNs <= Self.readingNs,
                let message = try requests.receive(
                    maximumFrames: RequestFrames.mostFrames,
                    maximumFrameBytes: limits.messageBytes
                )
            else { return }
            let receivedNs = Clock.monotonicNs()
            let frames = RequestFrames(message, longestRequest: limits.messageBytes)
            switch frames.request {
            case .success(let packed):
                let (number, request) = Request.decode(packed, limits: limits)
                let client = PlanningJob.Destination.client(route: frames.route, number: number)
                switch request {
                case .success(let request): try answer(request, to: client, receivedNs: receivedNs)
                case .failure(let error): try refuse(error, to: client)
                }
            case .failure(let error):
                try refuse(error, to: .client(route: frames.route, number: nil))
            }
        }
    }

    func answer(
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
                stop: pilots.newestStop(of: nil).number,
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
            let outcome = Result { () throws(MessageError) in
                try stop(robot, connection: client.connection)
            }
            switch outcome {
            case .success(var stop):
                // Before anything else is read: the robot's next command may be due already.
                try sendCommands()
                try answerOnceKept(client) {
                    stop.keeping = $0
                    return .stop(stop)
                }
            case .failure(let error): try refuse(error, to: client)
            }
        case .resume(let robot, let seen):
            let outcome = Result { () throws(MessageError) in
                try resume(robot, seen: seen, connection: client.connection)
            }
            switch outcome {
            case .success(let count): try answerOnceKept(client) { .resume(robots: count, keeping: $0) }
            case .failure(let error): try refuse(error, to: client)
            }
        }
    }

    /// How chunks are sampled, with the budget that is kept.
    var sampler: SamplerDescription {
        var sampler = planner.sampler
        sampler.budgetMs = Double(budgetNs ?? 0) / 1e6
        return sampler
    }

    func refuse(_ error: MessageError, to client: PlanningJob.Destination) throws(ZeroMQError) {
        reject(error, from: "requests")
        try reply(.error(ErrorMessage(error)), to: client)
    }

    /// Forgets a robot, and tells those who wait for its chunks. Returns nil where there was nothing to forget.
    func forget(_ robot: RobotID, episode: EpisodeID?, nowNs: UInt64) throws(ZeroMQError)
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
    func reply(_ reply: Reply, to destination: PlanningJob.Destination) throws(ZeroMQError) {
        switch destination {
        case .topic: return
        case .client(let route, let number): try requests.send(route + [reply.encoded(number: number)])
        case .gr00t(let route, _):
            // Errors alone reach such a client this way.
            guard case .error(let error) = reply else { return }
            try gr00t?.send(.error(error), to: route)
        }
    }
}
