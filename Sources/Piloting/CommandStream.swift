import Clocks
import Motion
import Robotics
import Limits
import RobotDescription

/// Turns a robot's chunks into one command a period: which action is due by the robot's clock, how it is joined with what is
/// being carried out, and what the limits make of it. The rules alone: no socket, and every time is given.
///
/// Three clocks are kept apart. ``CommandPacer`` says when a command goes out, by the daemon's clock alone, and the limits hold
/// over the time that really passed. ``PlanClock`` says which control step it is for. ``CommandTime`` says when that is by the
/// robot's clock.
package struct CommandStream: Sendable {
    /// What became of a period.
    package enum Tick {
        /// A command to publish.
        case command(CommandLimiter.Command, tick: UInt64, step: Double, timeNs: UInt64)
        /// No action is planned for it.
        case nothingPlanned
        /// The motion cannot begin yet: it is not known where the robot is.
        case waiting
        /// A limit that cannot be kept, or must not be broken.
        case refused(String)
    }

    /// A period that has begun, and what its command is computed by.
    package struct Period {
        /// The control step that the command is for.
        fileprivate let step: Double
        /// When it began, by the daemon's clock.
        fileprivate let time: MonotonicTime
        /// Since the last command, in seconds; nil if there was none.
        fileprivate let elapsed: Double?
    }

    private let file: RobotFile
    private let strategy: ChunkStrategy
    private var settings: ChunkSchedule.Settings
    private var pacer: CommandPacer
    private var clock: StepClock
    private var planClock = PlanClock()
    private var time = CommandTime()
    private var schedule: ChunkSchedule
    private var latency: LatencyEstimate
    private var limiter: CommandLimiter
    private var sent = SentCommands()
    private var start: MotionStart
    /// The periods since the episode began, of the last command.
    private var tick: UInt64?
    /// The control step with which the newest chunk takes over.
    private var joinsAt: UInt64 = 0
    private var beginsEpisode = true
    private var feedback: [Float]?
    /// The sequence number of the observation that the plan is from.
    package private(set) var sequence: UInt64 = 0

    /// The largest sequence number for which every period has a number.
    package static let largestSequence: UInt64 = 1 << 40
    /// A time stamp by a clock that both sides have is not further from the receipt, in nanoseconds.
    private static let longestWay: UInt64 = 10_000_000_000
    /// Until chunks have been measured, one is asked for so early.
    private static let firstLatency = Duration.milliseconds(50)

    /// The stream of a robot that has not been heard of.
    package init(file: RobotFile, strategy: ChunkStrategy, policy: PolicyDescription) {
        self.file = file
        self.strategy = strategy
        settings = ChunkSchedule.Settings(file: file, strategy: strategy, policy: policy)
        pacer = CommandPacer(hz: file.commandHz)
        clock = StepClock(clock: file.clock, controlHz: file.controlHz)
        latency = LatencyEstimate(Self.firstLatency)
        schedule = ChunkSchedule(settings, latency: latency, planning: Self.firstLatency)
        limiter = CommandLimiter(file.limits, period: CommandPacer.leastPeriods / file.commandHz)
        start = MotionStart(file)
    }

    /// Forgets the plan; what follows is planned by another policy, of actions of the same size. A motion is brought to rest as it
    /// would have been.
    package mutating func change(to policy: PolicyDescription) {
        settings = ChunkSchedule.Settings(file: file, strategy: strategy, policy: policy)
        latency = LatencyEstimate(Self.firstLatency)
        forgetPlan()
    }

    // MARK: Observations and chunks in

    /// Checks what an observation says of time.
    /// - Throws: `MessageError` that names the field.
    package func check(_ observation: RobotObservation, received: MonotonicTime) throws(MessageError) {
        guard observation.sequence <= Self.largestSequence else {
            throw MessageError(
                .outOfRange,
                field: "sequence",
                "found \(observation.sequence), expected at most \(Self.largestSequence) for a robot that gets commands"
            )
        }
        guard observation.timeNs <= StepClock.latestTimeNs else {
            throw MessageError(
                .outOfRange,
                field: "time_ns",
                "found \(observation.timeNs), expected at most \(StepClock.latestTimeNs) for a robot that gets commands"
            )
        }
        let reference: (name: String, shownNs: UInt64)? =
            switch file.clock {
            case .own: nil
            case .monotonic: ("monotonic", received.unsignedNs)
            case .wall: ("wall", Clock.wallNs())
            }
        guard let reference else { return }
        let (early, late) = (reference.shownNs &- observation.timeNs, observation.timeNs &- reference.shownNs)
        guard min(early, late) <= Self.longestWay else {
            throw MessageError(
                .outOfRange,
                field: "time_ns",
                "found \(observation.timeNs), expected the \(reference.name) clock, which stands at \(reference.shownNs)"
            )
        }
    }

    /// The time stamp of an observation that has none.
    package func timeStamp(received: MonotonicTime) -> UInt64 {
        file.clock == .wall ? Clock.wallNs() : received.unsignedNs
    }

    /// Whether a later observation has an earlier time stamp.
    package func goesBack(to timeNs: UInt64) -> Bool { !beginsEpisode && clock.goesBack(to: timeNs) }

    /// Forgets the plan. The next observation begins another episode, with a time of its own; until then the clock goes on,
    /// for the motion to be brought to rest by.
    package mutating func endEpisode() {
        beginsEpisode = true
        forgetPlan()
    }

    /// Forgets what is planned, so that the next observation asks for a chunk.
    package mutating func forgetPlan() {
        joinsAt = 0
        planClock.reset()
        schedule = ChunkSchedule(settings, latency: latency, planning: latency.longest)
    }

    /// Takes an observation that has entered the history. Returns whether it is to ask for a chunk.
    ///
    /// - Parameter mayAsk: whether a chunk for it would be carried out.
    package mutating func observe(_ observation: RobotObservation, mayAsk: Bool, received: MonotonicTime)
        -> Bool
    {
        if beginsEpisode {
            clock = StepClock(clock: file.clock, controlHz: file.controlHz)
            tick = nil
            beginsEpisode = false
        }
        let wallOffset =
            file.clock == .wall ? MonotonicTime.now().nanoseconds &- Int64(bitPattern: Clock.wallNs()) : 0
        clock.observe(
            sequence: observation.sequence,
            timeNs: observation.timeNs,
            received: received,
            wallOffset: wallOffset
        )
        feedback = file.feedback.flatMap { place in
            guard let values = observation.values[place.feature] else { return nil }
            return place.indices.map { $0 < values.count ? values[$0] : .nan }
        }
        return mayAsk && schedule.request(at: observation.sequence) != nil
    }

    /// Takes a chunk that is there. Returns whether it has taken over.
    package mutating func receive(_ chunk: RobotChunk, now: MonotonicTime) -> Bool {
        guard let step = step(at: now), let observed = clock.time(of: Double(chunk.sequence)), step > -1
        else { return false }
        let waited = min(max(now - observed, .zero), .seconds(60))
        latency.add(waited)
        let next = UInt64(max(step.rounded(.down) + 1, 0))
        guard schedule.receive(chunk, latency: waited, before: next) == .joined else { return false }
        (sequence, joinsAt) = (chunk.sequence, next)
        return true
    }

    /// The actions that will be carried out while the chunk for `sequence` is planned: row i is for step `sequence` + i. Nil
    /// if the strategy freezes none.
    package func committedActions(from sequence: UInt64) -> ActionRows? { schedule.committed(from: sequence) }

    // MARK: What is known of the robot

    /// Whether the last command left the robot at rest.
    package var isAtRest: Bool { limiter.isAtRest }

    /// When the newest observation was made, by the daemon's clock; nil before the first of an episode.
    package var newestObservation: MonotonicTime? { clock.newestMade }

    /// Control steps a second as measured, if they are not those of the robot file.
    package var unexpectedHz: Double? { clock.unexpectedHz }

    /// What is wrong with the time stamps of observations, in words; nil if nothing is.
    package var stampFault: String? { clock.stampFault }

    /// What is wrong with the feedback of the newest observation, in words: the robot is not where it was told to be, or outside
    /// its range; nil if nothing is.
    package var feedbackFault: String? {
        guard let feedback, let newestMade = clock.newestMade else { return nil }
        return start.fault(of: feedback, commanded: sent.inForce(at: newestMade))
    }

    /// By how many seconds the robot's clock was set forward (above 0) or back while the robot moved; nil if it was not.
    package var clockStep: Double? {
        guard !limiter.isAtRest else { return nil }
        return time.clockStepNs(clock.offset).map { $0 / 1e9 }
    }

    // MARK: Commands out

    /// When the next command is due; nil if none is.
    package func nextTick(after now: MonotonicTime) -> MonotonicTime? {
        pacer.due.map { max($0, now.advanced(byNanoseconds: 1)) }
    }

    /// Has commands go out from now on, one a period; does nothing if they do already.
    package mutating func startCommands(at now: MonotonicTime) {
        pacer.start(at: now, origin: clock.newestMade ?? now)
    }

    /// Brings the next command forward to the earliest time at which it may come; the robot is to be braked.
    package mutating func hastenCommand(at now: MonotonicTime) { pacer.hasten(at: now) }

    /// Has no command go out from now on.
    package mutating func stopCommands() { pacer.stop() }

    /// Whether there is an action for now, or will be with the next control step.
    package func hasPlan(at now: MonotonicTime) -> Bool {
        guard let step = step(at: now) else { return false }
        return schedule.action(atTime: max(step, 0)) != nil || step < Double(joinsAt)
    }

    /// Begins to move, from a place that is known to be true: see ``MotionStart``. A motion that is being brought to rest ends
    /// first.
    package mutating func beginMotion() { start.isPending = true }

    /// Ends a motion of which no command went out for longer than a motion bears. The robot has kept its last command, or was
    /// moved; the next motion begins anew.
    ///
    /// - Returns: for how long no command went out, in nanoseconds; nil if that was not too long.
    package mutating func endMotionAfterPause(at now: MonotonicTime) -> UInt64? {
        guard let pauseNs = pacer.pauseNs(at: now) else { return nil }
        limiter.rest()
        planClock.reset()
        start.isPending = true
        // What was observed before the pause is no longer true; what came during it has yet to be read.
        feedback = nil
        return pauseNs
    }

    /// The period that has begun; nil if none has since this was asked last. It gets one command at most.
    package mutating func takePeriod(at now: MonotonicTime) -> Period? {
        guard pacer.take(at: now) else { return nil }
        let elapsed = sent.lastSent.map { Double(max(now.elapsedNs(since: $0), 1)) / 1e9 }
        // A robot is braked also if its clock says nothing.
        return Period(step: max(step(at: now) ?? 0, 0), time: now, elapsed: elapsed)
    }

    /// The command of a period: on with the plan.
    package mutating func advance(_ period: Period) -> Tick {
        guard let target = schedule.action(atTime: period.step) else {
            guard period.step < Double(joinsAt) else { return .nothingPlanned }
            // The plan begins with the next control step. Until then the robot stays where it is.
            let tick = brake(period)
            if case .nothingPlanned = tick { return .waiting }
            return tick
        }
        if start.isPending {
            // A motion begins with the place itself, so that its first command is measured from there.
            let tick = brake(period)
            guard case .nothingPlanned = tick else { return tick }
        }
        // What the limiter returns becomes the robot's motion only if it is published.
        var moved = limiter
        let begins = start.isPending
        if begins {
            guard let begun = begun(at: period.time) else { return .waiting }
            moved = begun
        }
        guard let command = moved.next(towards: target, after: interval(of: period, begins: begins)) else {
            return .refused("there is no command towards \(target) that keeps the limits")
        }
        if let violation = command.violation, file.limits.onViolation == .stop { return .refused(violation) }
        planClock.follow(step: period.step, time: period.time)
        return publish(command, moved, period, begins: begins)
    }

    /// The command of a period: on the way to rest.
    package mutating func brake(_ period: Period) -> Tick {
        var moved = limiter
        let begins = start.isPending && limiter.isAtRest
        if begins {
            guard let begun = begun(at: period.time) else { return .waiting }
            moved = begun
        }
        guard let command = moved.brake(after: interval(of: period, begins: begins)) else {
            return .nothingPlanned
        }
        return publish(command, moved, period, begins: begins)
    }

    /// The time that a command may use: for the first one of a motion that of the shortest period.
    private func interval(of period: Period, begins: Bool) -> Double {
        let least = Double(pacer.leastNs) / 1e9
        return begins ? least : period.elapsed ?? least
    }

    /// The limiter at the place at which a motion begins; nil if that is not known yet.
    private func begun(at now: MonotonicTime) -> CommandLimiter? {
        guard
            let place = start.place(
                last: limiter.lastAction,
                sent: sent,
                feedback: feedback,
                made: clock.newestMade,
                longestGapNs: pacer.longestGapNs,
                now: now
            )
        else { return nil }
        var begun = limiter
        switch place {
        case .anywhere: begun.begin(at: nil)
        case .at(let action): begun.begin(at: action)
        }
        return begun
    }

    /// Makes a limiter's command the robot's motion.
    ///
    /// The robot's clock is set when a motion begins, unless the motion before has only just ended.
    private mutating func publish(
        _ command: CommandLimiter.Command,
        _ moved: CommandLimiter,
        _ period: Period,
        begins: Bool
    ) -> Tick {
        let elapsedNs = (period.elapsed ?? .infinity) * 1e9
        if begins, elapsedNs > CommandTime.mostDifference || time.clockStepNs(clock.offset) != nil {
            time.set(clock.offset)
        } else if limiter.isAtRest, moved.isAtRest {
            time.settle(clock.offset, elapsedNs: elapsedNs)
        } else {
            time.follow(clock.offset, elapsedNs: elapsedNs)
        }
        if begins {
            sent.beginMotion()
            start.isPending = false
        }
        limiter = moved
        sent.add(command.action, at: period.time)
        let first = (period.step * file.commandHz / file.controlHz).rounded()
        let number =
            tick.map { $0 + UInt64(min(max((elapsedNs / pacer.periodNs).rounded(), 1), 1e12)) }
            ?? UInt64(first)
        tick = number
        return .command(command, tick: number, step: period.step, timeNs: time.robotTime(period.time))
    }

    private func step(at now: MonotonicTime) -> Double? {
        guard let step = planClock.step(at: now, by: clock), step < Double(Self.largestSequence) * 2 else {
            return nil
        }
        return step
    }
}

extension RobotFile.Interpolation {
    fileprivate var ofActions: ActionInterpolation {
        switch self {
        case .hold: .hold
        case .linear: .linear
        case .cubic: .cubic
        }
    }
}

extension ChunkSchedule.Settings {
    /// How a robot carries out the chunks of a policy.
    fileprivate init(file: RobotFile, strategy: ChunkStrategy, policy: PolicyDescription) {
        self.init(
            mode: .asynchronous,
            period: .seconds(1 / file.controlHz),
            actionSteps: policy.nActionSteps,
            predictedSteps: policy.horizon - policy.nObsSteps + 1,
            strategy: strategy,
            interpolation: file.interpolation.ofActions
        )
    }
}
