import Clocks
import Motion
import Robotics
import Limits
import RobotDescription

/// Looks after one robot: who speaks for it, what state it is in, what it is told at each tick. No socket, and every time
/// is given.
package struct Pilot: Sendable {
    /// Whose pilot it is.
    package let robot: RobotID
    private var supervisor: Supervisor
    /// Nil for a robot without a robot file, which gets chunks and no commands.
    private var stream: CommandStream?
    private let file: RobotFile?
    /// The policy that the robot has named, or the only one there is: its index among the daemon's. Nil: it has named none.
    package private(set) var policy: Int?
    /// Whether the robot named the policy itself, which holds for the process that did.
    package private(set) var hasNamedPolicy = false
    /// The policy that `stream` was made for, or changed to.
    private var driver: Int
    private var session: UInt64?
    /// Who named the policy, and is to be heard next; nil: it did not say who it is, or the robot was heard since.
    private var reservation: (session: UInt64, made: MonotonicTime)?
    /// How the robot wants the keys of arrays packed.
    package private(set) var arrayKeys = ArrayKeys.binary
    private var episode: EpisodeID
    /// Whether the next observation begins an episode, whatever it says.
    private var isForgotten = true
    private var newestSequence: UInt64 = 0
    private var heard: MonotonicTime
    private var chunks: UInt64 = 0
    private var commands: UInt64 = 0
    private var toldState = RobotState.idle
    /// Whether the last command that was published says that the robot is brought to rest, or none was. A robot that no longer
    /// runs is told so at least once, also if it rests already.
    private var hasBeenHeld = true
    package private(set) var limitViolations: UInt64 = 0
    /// The robot's own stop; nil if it is not stopped, or only with every other one.
    package private(set) var stop: Stop?
    /// The newest stop, whether or not the robot was stopped already.
    package private(set) var stopOrder = StopOrder.none
    /// Whether the robot is known by more than its name: it was heard of, or a robot file names it.
    package private(set) var isKnown: Bool
    /// Whether the robot was stopped or released since this was set to false.
    package var hasStopChanged = false

    /// While a session has spoken within so long, no other may.
    package static let sessionHeldNs: UInt64 = 1_000_000_000

    /// The pilot of a robot of which nothing is known.
    ///
    /// - Parameters:
    ///   - policy: what drives the robot; while it has named none, any of those that might.
    ///   - policyIndex: its index among the daemon's; nil: the robot must name one.
    package init(
        robot: RobotID,
        file: RobotFile?,
        strategy: ChunkStrategy,
        policy: PolicyDescription,
        policyIndex: Int? = 0,
        now: MonotonicTime
    ) {
        self.robot = robot
        self.policy = policyIndex
        driver = policyIndex ?? 0
        episode = .number(0)
        supervisor = Supervisor(now: now)
        stream = file.map { CommandStream(file: $0, strategy: strategy, policy: policy) }
        self.file = file
        heard = now
        isKnown = file?.robot != nil
    }

    /// The robot's state.
    package var state: RobotState { supervisor.state }

    /// What led to the state, in words.
    package var reason: String { supervisor.reason }

    /// Whether chunks are planned for it.
    package var mayMove: Bool { supervisor.mayMove }

    /// Whether nothing is lost by forgetting the robot: one that is stopped, or moves by the daemon's commands, must be
    /// known on.
    package var mayBeForgotten: Bool {
        guard let stream else { return mayMove }
        return state == .idle && stream.isAtRest
    }

    /// Why nothing is planned for it; nil if something is.
    package var refusal: MessageError? {
        mayMove ? nil : MessageError(.stopped, "robot \(robot) is \(state.rawValue): \(supervisor.reason)")
    }

    // MARK: Policies

    /// The index of the policy that an observation is for; nil: the robot has named none, or another process did.
    package func policy(for observation: RobotObservation) -> Int? {
        let isOfAnother = reservation.map { $0.session != observation.session } ?? isOfNewSession(observation)
        return hasNamedPolicy && isOfAnother ? nil : policy
    }

    /// Whether a policy's actions can be the robot's.
    ///
    /// - Throws: `MessageError` `unknown_policy` if they have another size than the robot file says.
    package func check(_ policy: PolicyDescription) throws(MessageError) {
        guard let file, file.limits.dimensions.count != policy.actionDim else { return }
        throw MessageError(
            .unknownPolicy,
            field: "policy",
            "\(policy.name) has actions of \(policy.actionDim) numbers, expected the "
                + "\(file.limits.dimensions.count) of the robot file of \(robot)"
        )
    }

    /// Forgets the policy that the robot named.
    ///
    /// - Parameter standard: the index of the only policy; nil: there are several, and nothing drives the robot until it names one.
    package mutating func forgetPolicy(standard: Int?) {
        (policy, hasNamedPolicy, reservation) = (standard, false, nil)
    }

    /// Has the robot driven by a policy that ``check(_:)`` lets through, from the next episode on. Called when the last one has ended.
    ///
    /// - Parameters:
    ///   - index: its index among the daemon's.
    ///   - session: who named it. Others may not speak for the robot until that has been heard and silent again, or has not been
    ///     heard for ``sessionHeldNs``. Nil: whoever is heard next has the robot.
    package mutating func follow(
        _ policy: PolicyDescription,
        at index: Int,
        reservedFor session: UInt64? = nil,
        now: MonotonicTime
    ) {
        (self.policy, hasNamedPolicy) = (index, true)
        reservation = session.map { ($0, now) }
        if driver != index { stream?.change(to: policy) }
        driver = index
    }

    // MARK: Observations in

    /// Checks who speaks, and when.
    /// - Throws: `MessageError` `robotTaken`, `clockBackwards`, or `outOfRange` for a time or a step that cannot be.
    package mutating func admit(_ observation: RobotObservation, received: MonotonicTime) throws(MessageError)
    {
        try checkSpeaker(observation.session, now: received)
        guard let stream else { return }
        try stream.check(observation, received: received)
        guard !beginsEpisode(observation), observation.sequence > newestSequence,
            stream.goesBack(to: observation.timeNs)
        else { return }
        handle(.clockWasSet, "a later observation has an earlier time stamp", now: received)
        throw MessageError(
            .clockBackwards,
            field: "time_ns",
            "found \(observation.timeNs), expected at least that of the observation before; a clock that was set begins an episode"
        )
    }

    /// Checks that no other process speaks for the robot.
    ///
    /// - Parameter session: who wants to; nil: it does not say.
    /// - Throws: `MessageError` `robotTaken` if another was heard, or has named a policy for it, less than ``sessionHeldNs`` ago.
    package func checkSpeaker(_ session: UInt64?, now: MonotonicTime) throws(MessageError) {
        let last = reservation ?? (isForgotten ? nil : self.session.map { ($0, heard) })
        guard let last, last.session != session, now.elapsedNs(since: last.made) < Self.sessionHeldNs else {
            return
        }
        throw MessageError(
            .robotTaken,
            field: "session",
            "another process, session \(last.session), speaks for robot \(robot); "
                + "expected it to have been silent for \(Self.sessionHeldNs / 1_000_000) ms"
        )
    }

    /// The time stamp of an observation that has none: that of its receipt, by the clock that the robot's are made with.
    package func timeStamp(received: MonotonicTime) -> UInt64 {
        stream?.timeStamp(received: received) ?? received.unsignedNs
    }

    /// Whether the observation comes from another process than those before it, whose history is not its own.
    package func isOfNewSession(_ observation: RobotObservation) -> Bool {
        !isForgotten && observation.session != session
    }

    private func beginsEpisode(_ observation: RobotObservation) -> Bool {
        isForgotten || observation.episode != episode || observation.session != session
    }

    /// Takes an observation that is in the history. Returns whether the daemon should plan a chunk from it, where the robot
    /// leaves that to the daemon.
    ///
    /// - Parameters:
    ///   - isNew: whether it entered now; else it is a repeat.
    ///   - isPublished: whether its chunk would be carried out; that of a prediction is not.
    package mutating func observe(
        _ observation: RobotObservation,
        isNew: Bool,
        isPublished: Bool = true,
        received: MonotonicTime
    ) -> Bool {
        guard isNew else { return stream == nil }
        if beginsEpisode(observation) {
            endEpisode("a new episode began", now: received)
            isForgotten = false
        }
        (episode, session, reservation) = (observation.episode, observation.session, nil)
        newestSequence = observation.sequence
        if isPublished { arrayKeys = observation.arrayKeys ?? .binary }
        heard = received
        isKnown = true
        let mayAsk = isPublished && observation.replan != false && mayMove
        let asks = stream?.observe(observation, mayAsk: mayAsk, received: received) ?? true
        checkRobot(now: received)
        // A chunk that came while there was nothing fresh to carry it out by.
        if stream?.hasPlan(at: received) == true { carryOut(now: received) }
        return asks
    }

    /// Forgets the episode.
    package mutating func endEpisode(_ reason: String, now: MonotonicTime) {
        stream?.endEpisode()
        isForgotten = true
        handle(.episodeEnded, reason, now: now)
    }

    /// The actions that will be carried out while a chunk is planned; see ``CommandStream/committedActions(from:)``.
    package func committedActions(from sequence: UInt64) -> ActionRows? {
        state == .running ? stream?.committedActions(from: sequence) : nil
    }

    // MARK: Chunks

    /// Takes a chunk that is there, and brings it within the limits.
    ///
    /// - Parameter isCarriedOut: whether it becomes commands; a prediction does not.
    /// - Throws: `MessageError` `stopped` if it must not go out.
    package mutating func receive(
        _ chunk: inout RobotChunk,
        isCarriedOut: Bool,
        now: MonotonicTime
    ) throws(MessageError) {
        if let refusal { throw refusal }
        if let limits = file?.limits, let violation = chunk.bringWithin(limits) {
            limitViolations += 1
            if limits.onViolation == .stop {
                handle(.limitBroken, violation, now: now)
                if let refusal { throw refusal }
            }
        }
        chunks += 1
        guard isCarriedOut else { return }
        let hasJoined = stream?.receive(chunk, now: now) ?? true
        if hasJoined { carryOut(now: now) }
    }

    private mutating func carryOut(now: MonotonicTime) {
        guard isFresh(now) else { return }
        if state == .idle { stream?.beginMotion() }
        handle(.chunkJoined, "a chunk took over", now: now)
    }

    /// The policy failed on one of the robot's observations. A robot that carries out chunks by itself goes on with its own.
    package mutating func policyFailed(_ reason: String, now: MonotonicTime) {
        guard stream != nil else { return }
        handle(.policyFailed, reason, now: now)
    }

    // MARK: People

    /// Stops the robot. Returns whether it was not stopped before.
    ///
    /// - Parameters:
    ///   - withEveryRobot: whether it is one of all that are stopped, and not stopped for itself.
    ///   - connection: the connection that asked for it.
    package mutating func stop(
        _ reason: String,
        withEveryRobot: Bool = false,
        connection: [UInt8]? = nil,
        now: MonotonicTime
    ) -> Bool {
        let isNew = handle(.stopRequested, reason, now: now)
        stopOrder = StopOrder(now: now, connection: connection)
        if isNew, withEveryRobot { stop = nil }
        return isNew
    }

    /// Brings the robot to rest and keeps it there until it is resumed. Returns whether it was not held or stopped before.
    ///
    /// - Parameter reason: what led to it, in words.
    package mutating func hold(_ reason: String, now: MonotonicTime) -> Bool {
        handle(.holdRequested, reason, now: now)
    }

    /// Puts a robot that is not stopped back into a stop of before the daemon's start.
    package mutating func restore(_ stop: Stop, now: MonotonicTime) {
        let reason = "\(stop.reason) (at \(stop.time), before the daemon's start)"
        handle(stop.isFault ? .policyFailed : .stopRequested, reason, now: now)
        (self.stop, hasStopChanged) = (stop, false)
    }

    /// Releases the robot. Returns whether it was stopped or held.
    package mutating func resume(now: MonotonicTime) -> Bool {
        handle(.resumeRequested, "resumed; no chunk yet", now: now)
    }

    // MARK: Commands

    /// When the next command is due; nil if none is.
    package func nextTick(after now: MonotonicTime) -> MonotonicTime? { stream?.nextTick(after: now) }

    /// The command that is due, after what the watchdogs say.
    package mutating func tick(now: MonotonicTime) -> RobotCommand? {
        guard stream != nil else { return nil }
        watch(now)
        guard let period = stream?.takePeriod(at: now) else { return nil }
        defer { updateCommands(now) }
        var tick = state == .running ? stream?.advance(period) : nil
        switch tick {
        case .refused(let violation):
            limitViolations += 1
            handle(.limitBroken, violation, now: now)
        case .nothingPlanned:
            handle(
                .chunkMissing,
                "the chunk in force has run out and the next one is not there",
                now: now
            )
        case .command, .waiting, nil:
            break
        }
        if state != .running {
            let isMoving = stream.map { !$0.isAtRest } ?? false
            tick = state == .holding || isMoving || !hasBeenHeld ? stream?.brake(period) : nil
            hasBeenHeld = true
        }
        guard case .command(let command, let number, let step, let timeNs) = tick, let stream else {
            return nil
        }
        if state == .running { hasBeenHeld = false }
        if command.violation != nil { limitViolations += 1 }
        commands += 1
        return RobotCommand(
            robot: robot,
            episode: episode,
            tick: number,
            step: step,
            timeNs: timeNs,
            action: command.action,
            sequence: stream.sequence,
            state: state == .running ? .running : .holding,
            isLimited: command.violation != nil,
            // The limits hold by this time: no later one is read.
            publishedNs: now.unsignedNs,
            wallNs: Clock.wallNs()
        )
    }

    /// Has commands go out while the robot is told anything, and ends them when it rests and is told nothing.
    private mutating func updateCommands(_ now: MonotonicTime) {
        guard let stream else { return }
        if state == .running || state == .holding || !stream.isAtRest || !hasBeenHeld {
            self.stream?.startCommands(at: now)
        } else {
            self.stream?.stopCommands()
        }
    }

    // MARK: Watchdogs

    private func isFresh(_ now: MonotonicTime) -> Bool {
        guard let watchdogs = file?.watchdogs, let newest = stream?.newestObservation else { return true }
        return now.elapsedNs(since: newest) <= watchdogs.observationNs
    }

    private mutating func watch(_ now: MonotonicTime) {
        guard let watchdogs = file?.watchdogs else { return }
        if let pauseNs = stream?.endMotionAfterPause(at: now) {
            let reason = "the daemon sent no command for \(pauseNs / 1_000_000) ms, because it did not run"
            if pauseNs > watchdogs.observationNs { handle(.commandsPaused, reason, now: now) }
            if let longestNs = watchdogs.stopAfterNs, pauseNs > longestNs {
                handle(.heldTooLong, reason, now: now)
            }
        }
        if state == .running, !isFresh(now) {
            let stamps = stream?.stampFault.map { "; \($0)" } ?? ""
            handle(
                .observationsStopped,
                "no fresh observation for \(watchdogs.observationNs / 1_000_000) ms\(stamps)",
                now: now
            )
        }
        if state == .holding, let longestNs = watchdogs.stopAfterNs,
            now.elapsedNs(since: supervisor.since) > longestNs
        {
            handle(
                .heldTooLong,
                "held for \(longestNs / 1_000_000) ms: \(supervisor.reason)",
                now: now
            )
        }
    }

    /// Looks at what a new observation says of the robot and its clock.
    private mutating func checkRobot(now: MonotonicTime) {
        guard state == .running || state == .holding, let stream else { return }
        if let fault = stream.feedbackFault { handle(.feedbackFar, fault, now: now) }
        if let seconds = stream.clockStep {
            let direction = seconds > 0 ? "forward" : "back"
            handle(
                .clockWasSet,
                "the robot's clock was set \(direction) by \(Float(abs(seconds))) s while the robot moved",
                now: now
            )
        }
    }

    /// What is wrong with the robot and does not keep it from moving; nil if nothing is.
    package var warning: String? {
        guard let file, let stream else { return nil }
        if let fault = stream.stampFault { return "\(robot): \(fault)" }
        guard let hertz = stream.unexpectedHz else { return nil }
        let found = (hertz * 100).rounded() / 100
        return
            "\(robot): \(found) control steps a second by its time stamps, expected control_hz, \(file.controlHz)"
    }

    @discardableResult
    private mutating func handle(_ event: RobotEvent, _ reason: String, now: MonotonicTime) -> Bool {
        guard supervisor.handle(event, reason: reason, now: now) else { return false }
        if !mayMove {
            stop = Stop(isFault: state == .faulted, reason: reason, wallNs: Clock.wallNs())
            stopOrder = StopOrder(now: now)
            hasStopChanged = true
        } else if event == .resumeRequested {
            (stop, hasStopChanged) = (nil, true)
        }
        // What was planned before is not carried out after a rest: the next observation asks anew.
        if supervisor.state != .running { stream?.forgetPlan() }
        updateCommands(now)
        if !mayMove { stream?.hastenCommand(at: now) }
        return true
    }

    /// The state and what led to it, where it is another than when this was asked last.
    package mutating func stateChange() -> (state: RobotState, reason: String)? {
        guard toldState != state else { return nil }
        toldState = state
        return (state, supervisor.reason)
    }

    /// The robot's part of a heartbeat.
    package func status(now: MonotonicTime) -> RobotStatus {
        RobotStatus(
            state: state,
            reason: supervisor.reason,
            forNs: now.elapsedNs(since: supervisor.since),
            episode: episode,
            sequence: newestSequence,
            silentNs: now.elapsedNs(since: heard),
            chunks: chunks,
            commands: commands,
            limitViolations: limitViolations
        )
    }
}

extension RobotChunk {
    /// Brings each action within the positions that the limits allow, and says what was outside among those that are meant to be
    /// carried out, if anything was. An action whose tool is outside the workspace cannot be brought inside; it is reported and
    /// left.
    fileprivate mutating func bringWithin(_ limits: ActionLimits) -> String? {
        var violation: String?
        for row in stride(from: 0, to: actions.count, by: actionDim) where violation == nil {
            violation = limits.violation(of: actions[row..<row + actionDim])
        }
        func check(_ rows: inout [Float]) {
            for row in stride(from: 0, to: rows.count, by: actionDim) {
                for (index, dimension) in limits.dimensions.enumerated() {
                    rows[row + index] = dimension.clamped(rows[row + index])
                }
            }
        }
        check(&actions)
        check(&beyond)
        return violation
    }
}
