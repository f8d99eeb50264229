import Clocks

/// The moment at which a sample is due, and estimates of what the passes until then take.
struct Deadline {
    /// When the sample must be there.
    let due: MonotonicTime
    /// What passes take; learns from each pass.
    private(set) var times: ForwardTimes
    /// Samples that are drawn together: the entries of a pass of the coarse finish.
    private let samples: Int
    /// Nanoseconds that are reserved for a stall of the last pass, as long as the worst stall of earlier passes.
    private let keptBack: Double

    /// Largest share of the remaining time that is reserved for a stall. More is reserved if 8 coarse steps still fit.
    private static let stallPart = 0.125

    init(due: MonotonicTime, times: ForwardTimes, samples: Int = 1) {
        self.due = due
        self.times = times
        self.samples = samples
        let left = max(Double(due.nanoseconds(since: .now())), 0)
        let spare = left - times.estimate(batch: samples, count: Self.sufficientSteps, deviations: 1)
        keptBack = min(times.longestStall, max(left * Self.stallPart, spare))
    }

    /// Number of coarse steps beyond which PushT's score does not rise.
    static let sufficientSteps = 8

    private var remaining: Double { Double(due.nanoseconds(since: .now())) }

    /// Whether a pass of `batch` must not begin, because a coarse finish from step `step` of `count` would no longer fit
    /// after it.
    func forbids(batch: Int, step: Int, of count: Int) -> Bool {
        // The pass itself gains a step at least.
        let finish = times.estimate(batch: samples, count: min(Self.sufficientSteps, count - step - 1))
        return remaining - keptBack < times.estimate(batch: batch) + finish
    }

    /// Whether so many passes of `batch` entries, and a coarse finish after them, would probably be in time.
    func allows(passes: Int, batch: Int) -> Bool {
        let finish = times.estimate(batch: samples, count: Self.sufficientSteps)
        return remaining - keptBack >= times.estimate(batch: batch, count: passes) + finish
    }

    /// Number of coarse steps that fit, from 1 to `limit`, by the typical time of a pass. If one takes longer, the result
    /// of the step before it is used. The time reserved for stalls is used for up to two steps: two are much better than
    /// one, and stalls are rare.
    func coarseSteps(limit: Int) -> Int {
        let remaining = remaining
        var steps = min(limit, max(Int(remaining / times.estimate(batch: samples, deviations: 0)), 1))
        while steps > 1 {
            let time = steps > 2 ? remaining - keptBack : remaining
            if times.estimate(batch: samples, count: steps, deviations: 1) <= time { break }
            steps -= 1
        }
        return steps
    }

    /// Learns from the time that a pass took. A pass that was given up counts only if it took longer than a typical one.
    mutating func record(batch: Int, nanoseconds: Double, isDone: Bool) {
        guard isDone || nanoseconds > times.estimate(batch: batch, deviations: 0) else { return }
        times.record(batch: batch, nanoseconds: nanoseconds)
    }

    /// Whether a pass of the coarse finish would probably end too late.
    var isTooCloseForAPass: Bool { remaining < times.estimate(batch: samples, deviations: 0) }
}

extension Deadline? {
    /// Whether a pass must not be begun; see `Deadline.forbids`. Without a deadline every pass may.
    func forbids(batch: Int, step: Int, of count: Int) -> Bool {
        self?.forbids(batch: batch, step: step, of: count) ?? false
    }
}
