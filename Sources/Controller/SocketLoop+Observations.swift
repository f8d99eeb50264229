import Logging
import Planning
import Recording
import Robotics
import Transport

/// What comes in: observations, checked and taken into the histories.
extension SocketLoop {
    func receiveObservations() throws(ZeroMQError) {
        let beganNs = Clock.monotonicNs()
        for _ in 0..<Self.messagesAtATime {
            guard
                let message = try observations.receive(
                    maximumFrames: 2,
                    maximumFrameBytes: limits.messageBytes
                )
            else { return }
            let receivedNs = Clock.monotonicNs()
            do throws(MessageError) {
                let frames = try ObservationFrames(message, longestObservation: limits.messageBytes)
                try admit(frames, nowNs: receivedNs)
                try accept(frames.decode(limits: limits), for: .topic, receivedNs: receivedNs)
            } catch {
                reject(error, from: "observations")
            }
            if receivedNs - beganNs > Self.readingNs { return }
        }
    }

    /// Bounds how many messages each robot has unpacked.
    private func admit(_ frames: ObservationFrames, nowNs: UInt64) throws(MessageError) {
        guard !rates.admit(frames.sender, bytes: frames.bytes, nowNs: nowNs) else { return }
        telemetry.count { $0.droppedObservations += 1 }
        throw MessageError(
            .rateLimited,
            "more, or longer, messages under one topic than the daemon reads in a second"
        )
    }

    func accept(
        _ received: RobotObservation,
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
