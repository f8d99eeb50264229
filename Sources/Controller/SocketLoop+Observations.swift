import Logging
import Wire

/// What comes in: observations, checked and taken into the histories.
extension SocketLoop {
    func receiveObservations() throws(ZeroMQError) {
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
    func admit(_ frames: [[UInt8]], nowNs: UInt64) throws(MessageError) {
        // A topic is kept for a while, and none that long is a robot's.
        guard let topic = frames.first, topic.count <= Self.longestTopic else {
            throw MessageError(
                .badFrames,
                "the topic is longer than \(Self.longestTopic) bytes, as no robot's is"
            )
        }
        let bytes = frames.reduce(0) { $0 + $1.count }
        guard !rates.admit(topic, bytes: bytes, nowNs: nowNs) else { return }
        telemetry.count { $0.droppedObservations += 1 }
        throw MessageError(
            .rateLimited,
            "more, or longer, messages under one topic than the daemon reads in a second"
        )
    }

    func decode(_ frames: [[UInt8]]) throws(MessageError) -> ObservationMessage {
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

    func accept(
        _ received: ObservationMessage,
        preceding: [[String: [Float]]] = [],
        for destination: PlanningJob.Destination,
        receivedNs: UInt64
    ) throws(MessageError) {
        let observation = received.leavingOut(planner.ignoredFeatures)
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
        if destination != .topic, let refusal = pilots[robot, nowNs: receivedNs].refusal { throw refusal }
        if pilots[robot, nowNs: receivedNs].isOfNewSession(observation),
            agenda.reset(robot, episode: nil) != nil
        {
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
    func reject(_ error: MessageError, from socket: StaticString) {
        if error.code == .stale {
            telemetry.count { $0.staleObservations += 1 }
        } else {
            telemetry.countRejection(error.code)
        }
        log(error, "\(socket): rejected a message")
    }

    /// Logs an error, unless one of the same code was logged within the last second.
    func log(_ error: MessageError, _ event: String) {
        guard let suppressed = errorLog.admit(error.code, nowNs: Clock.monotonicNs()) else { return }
        let more = suppressed > 0 ? " (and \(suppressed) more since the last such line)" : ""
        logger.warning("\(event), \(error.code.rawValue): \(error)\(more)")
    }
}
