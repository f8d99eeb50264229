/// When a sample must be there, and what the passes until then will take.
struct Deadline {
    /// When the sample must be there.
    let due: ContinuousClock.Instant
    var times: ForwardTimes
    /// What is kept back of the time, in nanoseconds, for the sample to be there even if its last pass stalls as the slowest
    /// of the passes before did: other work on the machine may take its core.
    private let keptBack: Double

    /// The part of the time left that is kept back for a stall at most, unless what is left then does for a sample worth having.
    private static let stallPart = 0.125

    init(due: ContinuousClock.Instant, times: ForwardTimes) {
        self.due = due
        self.times = times
        let left = max((due - .now) / .nanoseconds(1), 0)
        let spare = left - times.estimate(batch: 1, count: Self.sufficientSteps, deviations: 1)
        keptBack = min(times.longestStall, max(left * Self.stallPart, spare))
    }

    /// Coarse steps that give a sample worth having: PushT's score does not rise beyond.
    static let sufficientSteps = 8

    private var remaining: Double { (due - .now) / .nanoseconds(1) }

    /// Whether after a pass of `batch` there would be too little time left to finish from step `step` of `count` with as
    /// many coarse steps as it takes.
    func forbids(batch: Int, step: Int, of count: Int) -> Bool {
        // The pass itself gains a step at least.
        let finish = times.estimate(batch: 1, count: min(Self.sufficientSteps, count - step - 1))
        return remaining - keptBack < times.estimate(batch: batch) + finish
    }

    /// The coarse steps there is time for, from 1 to `limit`, as passes mostly go: where one takes longer, the steps before it
    /// have a result. Without the time kept back it is two at the most: those are much better than one, and need not be missed
    /// for stalls that are rare.
    func coarseSteps(limit: Int) -> Int {
        let remaining = remaining
        var steps = min(limit, max(Int(remaining / times.estimate(batch: 1, deviations: 0)), 1))
        while steps > 1 {
            let time = steps > 2 ? remaining - keptBack : remaining
            if times.estimate(batch: 1, count: steps, deviations: 1) <= time { break }
            steps -= 1
        }
        return steps
    }

    /// Whether a pass over one sample would not be done in time, as passes go.
    var isTooCloseForAPass: Bool { remaining < times.estimate(batch: 1, deviations: 0) }
}

extension Deadline? {
    /// Whether a pass must not be begun; see `Deadline.forbids`.
    func forbids(batch: Int, step: Int, of count: Int) -> Bool {
        self?.forbids(batch: batch, step: step, of: count) ?? false
    }

    /// The time at which a pass begins; nil where no time is kept.
    func passBegins() -> ContinuousClock.Instant? { self.map { _ in .now } }

    /// Learns from the time that a pass took.
    mutating func passEnded(batch: Int, begun: ContinuousClock.Instant?) {
        guard let begun else { return }
        self?.times.record(batch: batch, nanoseconds: (ContinuousClock.now - begun) / .nanoseconds(1))
    }

    /// Learns from the time that a pass took which was given up, as long as it is more than passes take.
    mutating func passGivenUp(batch: Int, begun: ContinuousClock.Instant?) {
        guard let begun, let typical = self?.times.estimate(batch: batch, deviations: 0) else { return }
        if (ContinuousClock.now - begun) / .nanoseconds(1) > typical { passEnded(batch: batch, begun: begun) }
    }
}
