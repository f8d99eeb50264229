import CameraServers
import Clocks
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
    private let policies: ServedPolicies
    private let robots: Robots
    private let telemetry: Telemetry
    private let rejections: Rejections
    private let tap: (any MessageTap)?
    private let encodesAhead: Bool
    private let cameraBoard: CameraBoard?
    private let frameAgeNs: UInt64
    private var rates: RateLimiter<[UInt8]>

    /// - Parameter socket: where observations are published.
    init(socket: ZeroMQSocket, context: LoopContext) {
        self.socket = socket
        policies = context.policies
        robots = context.robots
        telemetry = context.telemetry
        rejections = context.rejections
        limits = context.configuration.limits
        tap = context.configuration.tap
        encodesAhead = context.configuration.encodesAhead
        cameraBoard = context.cameraBoard
        frameAgeNs = context.configuration.frameAgeNs
        rates = RateLimiter(
            perSecond: context.configuration.messagesPerSecond,
            countedBytes: context.configuration.countedBytes,
            mostSenders: 4 * context.configuration.maximumRobots
        )
    }

    /// Takes the published observations that are there, for as long as a socket may be read.
    func receive() throws(ZeroMQError) {
        let began = MonotonicTime.now()
        for _ in 0..<ReadingTurn.messages {
            guard
                let message = try socket.receive(
                    maximumFrames: 2,
                    maximumFrameBytes: limits.messageBytes
                )
            else { return }
            let received = MonotonicTime.now()
            do throws(MessageError) {
                let frames = try ObservationFrames(message, longestObservation: limits.messageBytes)
                try admit(frames, now: received)
                try accept(frames.decode(limits: limits), for: .topic, received: received)
            } catch {
                rejections.reject(error, from: "observations")
            }
            if received.elapsedNs(since: began) > ReadingTurn.nanoseconds { return }
        }
    }

    /// Bounds how many messages each robot has unpacked.
    private func admit(_ frames: ObservationFrames, now: MonotonicTime) throws(MessageError) {
        guard !rates.admit(frames.sender, bytes: frames.bytes, now: now) else { return }
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
        _ whole: RobotObservation,
        preceding: [Observation] = [],
        for destination: PlanningJob.Destination,
        received: MonotonicTime
    ) throws(MessageError) {
        let named = robots.pilots[whole.robot, now: received].policy(for: whole)
        guard let index = policies.standard ?? named else {
            // If another process drives the robot, to name a policy is no help.
            try robots.pilots[whole.robot, now: received].checkSpeaker(whole.session, now: received)
            throw policies.unnamed(by: whole.robot)
        }
        let facts = policies[index]
        var sent = whole.leavingOut(facts.ignoredFeatures)
        if let cameraBoard {
            sent = try cameraBoard.completing(
                sent,
                cameras: facts.policy.cameras,
                received: received,
                longestAgeNs: frameAgeNs
            )
        }
        let observation = try robots.agenda.completing(sent, policy: index, received: received)
        let fitting = try robots.agenda.check(observation, preceding: preceding, policy: index)
        if let committed = observation.committed { try facts.policy.check(committed) }
        try admit(observation, for: destination, received: received)
        let supersededBefore = robots.agenda.superseded
        let reception = try robots.agenda.receive(
            fitting,
            for: destination,
            received: received
        )
        if wantsChunk(observation, isNew: reception == .new, for: destination, received: received) {
            robots.agenda.ask(
                for: observation,
                destination: destination,
                committed: committedActions(observation, for: destination, received: received),
                received: received,
                queued: .now()
            )
        } else if encodesAhead, reception == .new {
            robots.agenda.askForPreparation(of: observation.robot)
        }
        let isRepeat = reception == .duplicate
        tap?.take(
            TappedMessage(
                .observation(
                    observation,
                    preceding: preceding,
                    isRepeat: isRepeat,
                    receivedNs: received.unsignedNs
                )
            )
        )
        count(reception, superseded: robots.agenda.superseded - supersededBefore)
    }

    /// Lets the robot's pilot check who speaks, and when; a robot of another session forgets its history.
    private func admit(
        _ observation: RobotObservation,
        for destination: PlanningJob.Destination,
        received: MonotonicTime
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
        try robots.pilots[robot, now: received].admit(observation, received: received)
        if destination != .topic, let refusal = robots.pilots[robot, now: received].refusal {
            throw refusal
        }
        if robots.pilots[robot, now: received].isOfNewSession(observation),
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
        received: MonotonicTime
    ) -> Bool {
        let robot = observation.robot
        let asks = robots.pilots[robot, now: received].observe(
            observation,
            isNew: isNew,
            isPublished: destination == .topic,
            received: received
        )
        let isWanted = (observation.replan ?? asks) && robots.pilots[robot, now: received].mayMove
        return isWanted || destination != .topic
    }

    /// What the robot will carry out until the chunk is there: as it says, or as its pilot knows.
    private func committedActions(
        _ observation: RobotObservation,
        for destination: PlanningJob.Destination,
        received: MonotonicTime
    ) -> ActionRows? {
        if let committed = observation.committed { return committed }
        guard destination == .topic else { return nil }
        return robots.pilots[observation.robot, now: received]
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
