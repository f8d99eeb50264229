import Planning
import Recording
import Robotics
import Transport
import Wire

/// Takes observations in: reads them, checks them once, hands them to the robot's pilot and history, and has a chunk planned if one is
/// asked for.
final class ObservationIntake {
    private let socket: ZeroMQSocket
    private let limits: MessagePackLimits
    private let planner: PlannerFacts
    private let robots: Robots
    private let telemetry: Telemetry
    private let rejections: Rejections
    private let tap: (any MessageTap)?
    private var rates: RateLimiter<[UInt8]>

    /// - Parameter socket: where observations are published.
    init(socket: ZeroMQSocket, context: LoopContext) {
        self.socket = socket
        planner = context.planner
        robots = context.robots
        telemetry = context.telemetry
        rejections = context.rejections
        limits = context.configuration.limits
        tap = context.configuration.tap
        rates = RateLimiter(
            perSecond: context.configuration.messagesPerSecond,
            mostSenders: 4 * context.configuration.maximumRobots
        )
    }

    /// Takes the published observations that are there, for as long as a socket may be read.
    func receive() throws(ZeroMQError) {
        let beganNs = Clock.monotonicNs()
        for _ in 0..<ReadingTurn.messages {
            guard
                let message = try socket.receive(
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
                rejections.reject(error, from: "observations")
            }
            if receivedNs - beganNs > ReadingTurn.nanoseconds { return }
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

    /// Takes an observation, wherever it came from.
    ///
    /// - Parameters:
    ///   - preceding: observations that come before it in the history, oldest first.
    ///   - destination: where its chunk is to go.
    /// - Throws: `MessageError` if it is not taken; the history is as before then.
    func accept(
        _ received: RobotObservation,
        preceding: [[String: [Float]]] = [],
        for destination: PlanningJob.Destination,
        receivedNs: UInt64
    ) throws(MessageError) {
        let observation = received.leavingOut(planner.ignoredFeatures)
        let fitting = try robots.agenda.check(observation, preceding: preceding)
        if let committed = observation.committed { try planner.policy.check(committed) }
        try admit(observation, for: destination, receivedNs: receivedNs)
        let supersededBefore = robots.agenda.superseded
        let reception = try robots.agenda.receive(
            fitting,
            for: destination,
            receivedNs: receivedNs
        )
        if wantsChunk(observation, isNew: reception == .new, for: destination, receivedNs: receivedNs) {
            robots.agenda.ask(
                for: observation,
                destination: destination,
                committed: committedActions(observation, for: destination, receivedNs: receivedNs),
                receivedNs: receivedNs,
                queuedNs: Clock.monotonicNs()
            )
        }
        let isRepeat = reception == .duplicate
        tap?.take(
            TappedMessage(
                .observation(observation, preceding: preceding, isRepeat: isRepeat, receivedNs: receivedNs)
            )
        )
        count(reception, superseded: robots.agenda.superseded - supersededBefore)
    }

    /// Lets the robot's pilot check who speaks, and when; a robot of another session forgets its history.
    private func admit(
        _ observation: RobotObservation,
        for destination: PlanningJob.Destination,
        receivedNs: UInt64
    ) throws(MessageError) {
        let robot = observation.robot
        if robots.pilots.isFull(for: robot) { robots.forgetUnknownPilots() }
        guard !robots.pilots.isFull(for: robot) else {
            throw MessageError(
                .busy,
                field: "robot",
                "\(robot) is not known, and too many others are stopped or moving for another robot"
            )
        }
        try robots.pilots[robot, nowNs: receivedNs].admit(observation, receivedNs: receivedNs)
        if destination != .topic, let refusal = robots.pilots[robot, nowNs: receivedNs].refusal {
            throw refusal
        }
        if robots.pilots[robot, nowNs: receivedNs].isOfNewSession(observation),
            robots.agenda.reset(robot, episode: nil) != nil
        {
            tap?.take(TappedMessage(.reset(robot)))
        }
    }

    /// Tells the pilot of an observation that is in the history. Returns whether a chunk is to be planned from it.
    private func wantsChunk(
        _ observation: RobotObservation,
        isNew: Bool,
        for destination: PlanningJob.Destination,
        receivedNs: UInt64
    ) -> Bool {
        let robot = observation.robot
        let asks = robots.pilots[robot, nowNs: receivedNs].observe(
            observation,
            isNew: isNew,
            isPublished: destination == .topic,
            receivedNs: receivedNs
        )
        let isWanted = (observation.replan ?? asks) && robots.pilots[robot, nowNs: receivedNs].mayMove
        return isWanted || destination != .topic
    }

    /// What the robot will carry out until the chunk is there: as it says, or as its pilot knows.
    private func committedActions(
        _ observation: RobotObservation,
        for destination: PlanningJob.Destination,
        receivedNs: UInt64
    ) -> ActionRows? {
        if let committed = observation.committed { return committed }
        guard destination == .topic else { return nil }
        return robots.pilots[observation.robot, nowNs: receivedNs]
            .committedActions(from: observation.sequence)
    }

    private func count(_ reception: Agenda.Reception, superseded: UInt64) {
        let robotCount = UInt64(robots.agenda.robotCount)
        telemetry.count { statistics in
            switch reception {
            case .new: statistics.observations += 1
            case .duplicate: statistics.duplicateObservations += 1
            }
            statistics.supersededObservations += superseded
            statistics.droppedObservations += superseded
            statistics.robots = robotCount
        }
    }
}
