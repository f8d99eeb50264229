import Robotics

/// When a robot that does not stand still asks for its next chunk, and what it carries out meanwhile. The rules alone: no
/// socket, no clock.
///
/// At the beginning of every control step the robot observes, asks or not (``request(at:)``), and carries out
/// ``action(at:)``, or between the steps ``action(atTime:)``. A chunk that arrives (``receive(_:latency:before:)``)
/// takes over as soon as it may, by the strategy. One value schedules one episode of one robot.
public struct ChunkSchedule: Sendable {
    /// When a chunk is asked for.
    public enum Mode: String, Sendable, CaseIterable {
        /// When no action is left. Until the chunk is there the robot holds.
        case synchronous
        /// While the chunk before is carried out, so early that it is there when that has run out.
        case asynchronous
    }

    /// The settings of a schedule.
    public struct Settings: Sendable, Hashable {
        /// When a chunk is asked for.
        public var mode: Mode
        /// The time from one control step to the next.
        public var period: Duration
        /// Control steps for which a chunk is carried out, as far as it goes: `nActionSteps`, of which a late chunk has
        /// some among the actions beyond.
        public var actionSteps: Int
        /// The actions of a chunk, those beyond included: `horizon` - `nObsSteps` + 1.
        public var predictedSteps: Int
        /// How chunks are joined, where the robot does not hold between them.
        public var strategy: ChunkStrategy
        /// Control steps over which one chunk fades into the next, from 0; the ensemble has no use for it.
        public var crossFade: Int
        /// What is carried out between the steps. It decides how many steps ahead a chunk must not change.
        public var interpolation: ActionInterpolation

        /// Settings of these values; without `crossFade`, that of ``ChunkStrategy/standardCrossFade``.
        public init(
            mode: Mode,
            period: Duration,
            actionSteps: Int,
            predictedSteps: Int,
            strategy: ChunkStrategy = .standard,
            crossFade: Int? = nil,
            interpolation: ActionInterpolation = .hold
        ) {
            let crossFade = crossFade ?? strategy.standardCrossFade
            precondition(
                period > .zero && actionSteps > 0 && predictedSteps >= actionSteps && crossFade >= 0,
                "settings out of range"
            )
            self.mode = mode
            self.period = period
            self.actionSteps = actionSteps
            self.predictedSteps = predictedSteps
            self.strategy = strategy
            self.crossFade = crossFade
            self.interpolation = interpolation
        }
    }

    /// What became of a chunk.
    public enum Reception: Sendable, Hashable {
        /// It has taken over.
        case joined
        /// The plan was made from a newer observation, or the same.
        case outdated
        /// It has no action for the step with which it could take over: those of a chunk that is too late are for steps
        /// that have begun.
        case unusable
    }

    private let settings: Settings
    private var plan = ActionPlan()
    /// The observation that the plan is from.
    private var planned: UInt64?
    /// The control steps of the observations whose chunks have not arrived, oldest first.
    private var requests: [UInt64] = []
    private var latency: LatencyEstimate
    /// The time the planner was busy with the newest chunk.
    private var planning: Duration

    /// A schedule for one episode.
    ///
    /// - Parameters:
    ///   - settings: how chunks are asked for and joined.
    ///   - latency: how long a chunk has taken so far, an added observation delay included.
    ///   - planning: for how much of that the planner was busy.
    public init(_ settings: Settings, latency: LatencyEstimate, planning: Duration) {
        self.settings = settings
        self.latency = latency
        self.planning = planning
    }

    /// What the observation of a control step is to ask for; nil: nothing. A chunk that was asked for is counted on.
    ///
    /// - Parameter step: the control step that begins; each once, in order.
    public mutating func request(at step: UInt64) -> ChunkRequest? {
        // What has been waited for so long will not come: the planner failed, or a message was lost.
        let patience = 3 * lead + 10
        requests.removeAll { step > $0 + patience }
        let asks =
            switch settings.mode {
            case .synchronous: requests.isEmpty && action(at: step) == nil
            case .asynchronous: asksAhead(at: step)
            }
        guard asks else { return nil }
        requests.append(step)
        return ChunkRequest(step: step, committed: committed(from: step))
    }

    /// What to carry out at a control step; nil: hold what was carried out last.
    public func action(at step: UInt64) -> ActionPlan.Action? {
        switch settings.mode {
        case .synchronous: step < planIsSpent ? plan.action(at: step) : nil
        case .asynchronous: plan.action(at: step)
        }
    }

    /// What to carry out at a time between control steps, by the interpolation of the settings; nil: hold what was
    /// carried out last.
    ///
    /// - Parameter time: in control steps; step k begins at k.
    public func action(atTime time: Double) -> [Float]? {
        guard time >= 0, time < Double(UInt64.max), action(at: UInt64(time)) != nil else { return nil }
        return plan.action(at: time, interpolation: settings.interpolation)
    }

    /// Takes a chunk that has arrived.
    ///
    /// - Parameters:
    ///   - chunk: what the planner has sampled.
    ///   - latency: from the control step of its observation to its arrival.
    ///   - step: the next control step to begin.
    @discardableResult
    public mutating func receive(
        _ chunk: RobotChunk,
        latency: Duration,
        before step: UInt64
    ) -> Reception {
        self.latency.add(latency)
        let stages = chunk.timing.stages
        planning = .nanoseconds((stages.vision ?? 0) + stages.condition + stages.sample)
        // A planner takes the newest observation: older ones are answered before it or never.
        requests.removeAll { $0 <= chunk.sequence }
        if let planned, planned >= chunk.sequence { return .outdated }
        guard plan.join(chunk, at: takeOver(before: step), by: joining) else { return .unusable }
        planned = chunk.sequence
        return .joined
    }

    private var joining: ActionPlan.Joining {
        switch (settings.mode, settings.strategy) {
        case (.synchronous, _): .fade(steps: 0)
        case (.asynchronous, .ensemble): .average(decay: ChunkStrategy.ensembleDecay)
        case (.asynchronous, _): .fade(steps: settings.crossFade)
        }
    }

    /// The step with which a chunk takes over that arrives before `step`: where the robot is under way, after those
    /// that the motion between the steps depends on already.
    private func takeOver(before step: UInt64) -> UInt64 {
        guard settings.mode == .asynchronous, plan.action(at: step) != nil else { return step }
        return min(step + UInt64(settings.interpolation.lookahead), plan.end)
    }

    /// The planned actions from `step` up to the one with which a chunk that is asked for at `step` can take over. Nil
    /// where the strategy freezes nothing, or nothing is planned.
    public func committed(from step: UInt64) -> ActionRows? {
        guard settings.mode == .asynchronous, settings.strategy == .inpaint,
            let first = plan.action(at: step)?.values, !first.isEmpty
        else { return nil }
        var values: [Float] = []
        for ahead in 0..<min(lead, UInt64(settings.predictedSteps)) {
            guard let action = plan.action(at: step + ahead)?.values, action.count == first.count else {
                break
            }
            values += action
        }
        return ActionRows(values, actionDim: first.count)
    }

    /// The control steps from a request to the first step that its chunk can take over.
    private var lead: UInt64 {
        UInt64(max(steps(latency.longest), 1) + settings.interpolation.lookahead)
    }

    /// The control step at which the plan has been carried out for as long as a chunk is.
    private var planIsSpent: UInt64 { min(plan.firstStep + UInt64(settings.actionSteps), plan.end) }

    /// Asks where the chunk would take over when all that is planned or counted on is spent, for an ensemble always,
    /// but not more often than the planner can plan.
    private func asksAhead(at step: UInt64) -> Bool {
        let canPlan = requests.last.map { step >= $0 + UInt64(max(steps(planning), 1)) } ?? true
        guard settings.strategy != .ensemble else { return canPlan }
        guard let newest = requests.last else { return step + lead >= planIsSpent }
        let newestIsSpent =
            newest + min(lead + UInt64(settings.actionSteps), UInt64(settings.predictedSteps))
        return step + lead >= newestIsSpent && canPlan
    }

    /// Control periods that a duration touches, at most a million.
    private func steps(_ duration: Duration) -> Int {
        Int(min(duration / settings.period, 1e6).rounded(.up))
    }
}
