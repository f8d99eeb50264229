import RealTime
import Safety
import Wire

/// Turns a robot's chunks into one command a tick: which action is due by the robot's clock, how it is joined with what
/// is being carried out, and what the limits make of it. The rules alone: no socket, and every time is given.
struct CommandStream: Sendable {
    /// What became of a tick.
    enum Tick {
        /// A command to publish.
        case command(CommandLimiter.Command, tick: UInt64, step: Double, timeNs: UInt64)
        /// No action is planned for it.
        case nothingPlanned
        /// A limit that cannot be kept, or must not be broken.
        case refused(String)
    }

    private let file: RobotFile
    private let settings: ChunkSchedule.Settings
    private let ticksPerStep: Double
    private let interval: Float
    private var clock: StepClock
    private var schedule: ChunkSchedule
    private var latency: LatencyEstimate
    private var limiter: CommandLimiter
    private var lastTick: UInt64?
    /// The control step with which the newest chunk takes over.
    private var joinsAt: UInt64 = 0
    /// Whether a motion is to begin as soon as the one before is at rest.
    private var isToBegin = false
    private var beginsEpisode = true
    private var feedback: [Float]?
    /// The sequence number of the observation that the plan is from.
    private(set) var sequence: UInt64 = 0

    /// The largest sequence number for which every tick has a number.
    static let largestSequence: UInt64 = 1 << 40
    /// A time stamp by a clock that both sides have is not further from the receipt, in nanoseconds.
    private static let longestWay: UInt64 = 10_000_000_000
    /// Until chunks have been measured, one is asked for so early.
    private static let firstLatency = Duration.milliseconds(50)

    /// The stream of a robot that has not been heard of.
    init(file: RobotFile, strategy: ChunkStrategy, policy: InfoMessage.Policy) {
        self.file = file
        settings = ChunkSchedule.Settings(
            mode: .asynchronous,
            period: .seconds(1 / file.controlHz),
            actionSteps: policy.nActionSteps,
            predictedSteps: policy.horizon - policy.nObsSteps + 1,
            strategy: strategy,
            interpolation: file.interpolation.ofActions
        )
        ticksPerStep = (file.commandHz / file.controlHz).rounded()
        interval = Float(1 / file.commandHz)
        clock = StepClock(clock: file.clock, controlHz: file.controlHz)
        latency = LatencyEstimate(Self.firstLatency)
        schedule = ChunkSchedule(settings, latency: latency, planning: Self.firstLatency)
        limiter = CommandLimiter(file.limits, period: interval)
    }

    // MARK: Observations and chunks in

    /// Checks what an observation says of time.
    /// - Throws: ``MessageError`` that names the field.
    func check(_ observation: ObservationMessage, receivedNs: UInt64) throws(MessageError) {
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
        let reference: (name: String, nowNs: UInt64)? =
            switch file.clock {
            case .own: nil
            case .monotonic: ("monotonic", receivedNs)
            case .wall: ("wall", Clock.wallNs())
            }
        guard let reference else { return }
        let (early, late) = (reference.nowNs &- observation.timeNs, observation.timeNs &- reference.nowNs)
        guard min(early, late) <= Self.longestWay else {
            throw MessageError(
                .outOfRange,
                field: "time_ns",
                "found \(observation.timeNs), expected the \(reference.name) clock, which stands at \(reference.nowNs)"
            )
        }
    }

    /// The time stamp of an observation that has none.
    func timeStamp(receivedNs: UInt64) -> UInt64 { file.clock == .wall ? Clock.wallNs() : receivedNs }

    /// Whether a later observation has an earlier time stamp.
    func goesBack(to timeNs: UInt64) -> Bool { !beginsEpisode && clock.goesBack(to: timeNs) }

    /// Forgets the plan. The next observation begins another episode, with a time of its own; until then the clock goes on,
    /// for the motion to be brought to rest by.
    mutating func endEpisode() {
        beginsEpisode = true
        forgetPlan()
    }

    /// Forgets what is planned, so that the next observation asks for a chunk.
    mutating func forgetPlan() {
        joinsAt = 0
        schedule = ChunkSchedule(settings, latency: latency, planning: latency.longest)
    }

    /// Takes an observation that has entered the history. Returns whether it is to ask for a chunk.
    ///
    /// - Parameter mayAsk: whether a chunk for it would be carried out.
    mutating func observe(_ observation: ObservationMessage, mayAsk: Bool, receivedNs: UInt64) -> Bool {
        if beginsEpisode {
            clock = StepClock(clock: file.clock, controlHz: file.controlHz)
            lastTick = nil
            beginsEpisode = false
        }
        let wallOffset =
            file.clock == .wall ? Int64(bitPattern: Clock.monotonicNs() &- Clock.wallNs()) : 0
        clock.observe(
            sequence: observation.sequence,
            timeNs: observation.timeNs,
            receivedNs: receivedNs,
            wallOffset: wallOffset
        )
        feedback = file.feedback.flatMap { place in
            guard let values = observation.values[place.feature] else { return nil }
            return place.indices.map { $0 < values.count ? values[$0] : .nan }
        }
        return mayAsk && schedule.request(at: observation.sequence) != nil
    }

    /// Takes a chunk that is there. Returns whether it has taken over.
    mutating func receive(_ chunk: ChunkMessage, nowNs: UInt64) -> Bool {
        guard let now = clock.step(at: nowNs), let observedNs = clock.time(of: Double(chunk.sequence)),
            now > -1, now < Double(Self.largestSequence) * 2
        else { return false }
        let waited = Duration.nanoseconds(
            Int64(nowNs > observedNs ? min(nowNs - observedNs, 60_000_000_000) : 0)
        )
        latency.add(waited)
        let next = UInt64(max(now.rounded(.down) + 1, 0))
        guard schedule.receive(chunk, latency: waited, before: next) == .joined else { return false }
        (sequence, joinsAt) = (chunk.sequence, next)
        return true
    }

    /// The actions that will be carried out while the chunk for `sequence` is planned: row i is for step `sequence` + i. Nil
    /// where the strategy freezes none.
    func committedActions(from sequence: UInt64) -> ActionRows? { schedule.committed(from: sequence) }

    // MARK: Commands out

    /// Whether the last command left the robot at rest.
    var isAtRest: Bool { limiter.isAtRest }

    /// When the newest observation was made, by the daemon's clock; nil before the first of an episode.
    var newestObservationNs: UInt64? { clock.newestNs }

    /// When the next command is due; nil before the first observation of an episode.
    func nextTickNs(after nowNs: UInt64) -> UInt64? {
        guard let step = clock.step(at: nowNs), step > -1, step < Double(Self.largestSequence) * 2 else {
            return nil
        }
        let tick = max((step * ticksPerStep).rounded(.down) + 1, lastTick.map { Double($0) + 1 } ?? 0)
        // Half a microsecond, so that rounding does not make the tick of that time the one before.
        return clock.time(of: tick / ticksPerStep).map { $0 &+ 500 }
    }

    /// Whether there is an action for now, or will be with the next control step.
    func hasPlan(at nowNs: UInt64) -> Bool {
        guard let step = clock.step(at: nowNs) else { return false }
        return schedule.action(atTime: max(step, 0)) != nil || step < Double(joinsAt)
    }

    /// Begins to move: where the robot says it is, or else where it was told to be last. A motion that is being brought to
    /// rest ends first.
    mutating func beginMotion() { isToBegin = true }

    /// The command of the tick that has come, if one has: on with the plan.
    mutating func advance(at nowNs: UInt64) -> Tick? {
        guard let due = dueTick(at: nowNs) else { return nil }
        guard let target = schedule.action(atTime: due.step) else {
            guard due.step < Double(joinsAt) else { return .nothingPlanned }
            // The plan begins with the next control step. Until then the robot stays where it is.
            return brake(at: nowNs).flatMap { if case .nothingPlanned = $0 { nil } else { $0 } }
        }
        // What the limiter returns becomes the robot's motion only if it is published.
        var moved = limiter
        if isToBegin {
            guard limiter.isAtRest else { return brake(at: nowNs) }
            moved.begin(at: feedback ?? limiter.lastAction)
        }
        guard let command = moved.next(towards: target, after: due.interval) else {
            return .refused("there is no command towards \(target) that keeps the limits")
        }
        if let violation = command.violation, file.limits.onViolation == .stop { return .refused(violation) }
        (limiter, isToBegin) = (moved, false)
        lastTick = due.tick
        return .command(command, tick: due.tick, step: due.step, timeNs: clock.robotTime(due.timeNs))
    }

    /// The command of the tick that has come, if one has: on the way to rest.
    mutating func brake(at nowNs: UInt64) -> Tick? {
        guard let due = dueTick(at: nowNs) else { return nil }
        if isToBegin, limiter.isAtRest {
            limiter.begin(at: feedback ?? limiter.lastAction)
            isToBegin = false
        }
        guard let command = limiter.brake(after: due.interval) else { return .nothingPlanned }
        lastTick = due.tick
        return .command(command, tick: due.tick, step: due.step, timeNs: clock.robotTime(due.timeNs))
    }

    private func dueTick(at nowNs: UInt64) -> (tick: UInt64, step: Double, timeNs: UInt64, interval: Float)? {
        guard let now = clock.step(at: nowNs), now >= 0, now < Double(Self.largestSequence) * 2 else {
            return nil
        }
        let tick = UInt64(now * ticksPerStep)
        if let lastTick, tick <= lastTick { return nil }
        let step = Double(tick) / ticksPerStep
        // A daemon that was off its core must not catch up in one leap.
        let elapsed = lastTick.map { min(tick - $0, 2) } ?? 1
        return (tick, step, clock.time(of: step) ?? nowNs, Float(elapsed) * interval)
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
