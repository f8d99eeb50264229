/// When a sample must be there, and what the passes until then will take.
struct Deadline {
    let instant: ContinuousClock.Instant
    var times: ForwardTimes

    /// The largest part of the time left that is kept back for a stall.
    private static let stallPart = 0.125

    /// The instant by which to be done for the sample to be there at `instant` even if the last pass stalls as the
    /// slowest of the passes before did: a pass cannot be broken off, and other work on the machine may take its core.
    static func keepingBack(from instant: ContinuousClock.Instant, times: ForwardTimes) -> Deadline {
        let left = max((instant - .now) / .nanoseconds(1), 0)
        let keptBack = min(times.longestStall, left * stallPart)
        return Deadline(instant: instant - .nanoseconds(keptBack), times: times)
    }

    /// Coarse steps that give a sample worth having: with DDIM, PushT's score hardly rises beyond.
    static let sufficientSteps = 8

    private var remaining: Double { (instant - .now) / .nanoseconds(1) }

    /// Whether after a pass of `batch` there would be too little time left to finish from step `step` of `count` with as
    /// many coarse steps as it takes.
    func forbids(batch: Int, step: Int, of count: Int) -> Bool {
        // The pass itself gains a step at least.
        let finish = times.estimate(batch: 1, count: min(Self.sufficientSteps, count - step - 1))
        return remaining < times.estimate(batch: batch) + finish
    }

    /// The coarse steps there is time for, from 1 to `limit`.
    func coarseSteps(limit: Int) -> Int {
        let remaining = remaining
        var steps = min(limit, max(Int(remaining / times.estimate(batch: 1)) + 1, 1))
        while steps > 1 && times.estimate(batch: 1, count: steps) > remaining { steps -= 1 }
        return steps
    }
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
}
