import Wire

/// When a robot that does not stand still asks for its next chunk, and what it carries out meanwhile. The rules alone: no
/// socket, no clock.
///
/// At the beginning of every control step the robot observes, asks or not (``asks(at:)``), and carries out
/// ``action(at:)``. A chunk that arrives (``receive(_:latency:before:)``) takes over with the next control step.
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
        /// Control steps over which one chunk fades into the next, where the robot does not hold between them.
        public var crossFade: Int

        /// Settings of these values.
        public init(mode: Mode, period: Duration, actionSteps: Int, predictedSteps: Int, crossFade: Int) {
            precondition(
                period > .zero && actionSteps > 0 && predictedSteps >= actionSteps && crossFade >= 0,
                "settings out of range"
            )
            self.mode = mode
            self.period = period
            self.actionSteps = actionSteps
            self.predictedSteps = predictedSteps
            self.crossFade = crossFade
        }
    }

    /// What became of a chunk.
    public enum Reception: Sendable, Hashable {
        /// It has taken over.
        case joined
        /// The plan was made from a newer observation, or the same.
        case outdated
        /// It has no action for the next control step: those of a chunk that is too late are for steps that have begun.
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
    ///   - latency: how long a chunk has taken so far, an added observation delay included.
    ///   - planning: for how much of that the planner was busy.
    public init(_ settings: Settings, latency: LatencyEstimate, planning: Duration) {
        self.settings = settings
        self.latency = latency
        self.planning = planning
    }

    /// Whether the observation of a control step is to ask for a chunk, which is then counted on.
    public mutating func asks(at step: UInt64) -> Bool {
        // What has been waited for so long will not come: the planner failed, or a message was lost.
        let patience = 3 * lead + 10
        requests.removeAll { step > $0 + patience }
        let asks =
            switch settings.mode {
            case .synchronous: requests.isEmpty && action(at: step) == nil
            case .asynchronous: asksAhead(at: step)
            }
        if asks { requests.append(step) }
        return asks
    }

    /// What to carry out at a control step; nil: hold what was carried out last.
    public func action(at step: UInt64) -> ActionPlan.Action? {
        switch settings.mode {
        case .synchronous: step < planIsSpent ? plan.action(at: step) : nil
        case .asynchronous: plan.action(at: step)
        }
    }

    /// Takes a chunk that has arrived.
    ///
    /// - Parameters:
    ///   - latency: from the control step of its observation to its arrival.
    ///   - step: the next control step to begin.
    @discardableResult
    public mutating func receive(
        _ chunk: ChunkMessage,
        latency: Duration,
        before step: UInt64
    ) -> Reception {
        self.latency.add(latency)
        planning = .nanoseconds(chunk.timing.stages.condition) + .nanoseconds(chunk.timing.stages.sample)
        // A planner takes the newest observation: older ones are answered before it or never.
        requests.removeAll { $0 <= chunk.sequence }
        if let planned, planned >= chunk.sequence { return .outdated }
        let crossFade = settings.mode == .synchronous ? 0 : settings.crossFade
        guard plan.join(chunk, at: step, crossFade: crossFade) else { return .unusable }
        planned = chunk.sequence
        return .joined
    }

    /// The control steps from a request to the first step that its chunk can take over.
    private var lead: UInt64 { UInt64(max(steps(latency.longest), 1)) }

    /// The control step at which the plan has been carried out for as long as a chunk is.
    private var planIsSpent: UInt64 { min(plan.firstStep + UInt64(settings.actionSteps), plan.end) }

    /// Asks where the chunk would take over when all that is planned or counted on is spent, but not more often than the
    /// planner can plan.
    private func asksAhead(at step: UInt64) -> Bool {
        guard let newest = requests.last else { return step + lead >= planIsSpent }
        let newestIsSpent =
            newest + min(lead + UInt64(settings.actionSteps), UInt64(settings.predictedSteps))
        return step + lead >= newestIsSpent && step >= newest + UInt64(max(steps(planning), 1))
    }

    /// Control periods that a duration touches, at most a million.
    private func steps(_ duration: Duration) -> Int {
        Int(min(duration / settings.period, 1e6).rounded(.up))
    }
}
