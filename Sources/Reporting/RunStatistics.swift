import Statistics

extension Run {
    /// The mean score; of a single episode its score, without an interval. Nil if there is no episode.
    var meanScore: Estimate? {
        guard let first = episodes.first else { return nil }
        return Estimate(episodes.map(\.score)) ?? Estimate(estimate: first.score, interval: nil)
    }

    /// The share of episodes that succeeded; nil if that is not known.
    var success: Estimate? {
        guard let successes, !episodes.isEmpty else { return nil }
        let interval = Interval.wilson(successes: successes, of: episodes.count)
        return Estimate(estimate: interval.estimate, interval: interval.low...interval.high)
    }

    /// The time of a whole chunk, as far outside as the file knows it.
    var wholeLatency: (stage: Stage, latency: Latency)? {
        for stage in [Stage.roundTrip, .total, .sample] {
            if let latency = latency[stage] { return (stage, latency) }
        }
        return nil
    }
}

extension Run.Stage {
    /// What it is called on the page.
    var words: String {
        switch self {
        case .total: "in the daemon"
        case .roundTrip: "round trip"
        default: rawValue
        }
    }
}

/// A number and the interval that it is uncertain by.
struct Estimate {
    let estimate: Double
    /// Nil: one episode does not say.
    let interval: ClosedRange<Double>?

    init(estimate: Double, interval: ClosedRange<Double>?) {
        (self.estimate, self.interval) = (estimate, interval)
    }

    /// Of a mean; nil of fewer than two values.
    init?(_ values: [Double]) {
        guard let interval = Interval.mean(values) else { return nil }
        self.init(estimate: interval.estimate, interval: interval.low...interval.high)
    }

    /// The interval in words.
    func range(_ text: (Double) -> String) -> String {
        guard let interval else { return "one episode has no interval" }
        return ReportText.interval(text(interval.lowerBound), text(interval.upperBound))
    }
}

/// A run against another one in the episodes that both played.
struct PairedRuns {
    /// The differences of the scores, of the second run less the first, in the order of the second run's episodes.
    let differences: [Double]
    /// The mean of the differences.
    let mean: Estimate
    /// Nil: a file does not say which episodes succeeded.
    let outcomes: PairedOutcomes?

    /// - Returns: nil if they share no seed.
    init?(_ base: Run, _ run: Run) {
        let first = Dictionary(base.episodes.map { ($0.seed, $0) }) { earlier, _ in earlier }
        let pairs = run.episodes.compactMap { episode in first[episode.seed].map { ($0, episode) } }
        differences = pairs.map { $1.score - $0.score }
        guard let only = differences.first else { return nil }
        mean = Estimate(differences) ?? Estimate(estimate: only, interval: nil)
        let known = pairs.compactMap { first, second in
            first.isSuccess.flatMap { one in second.isSuccess.map { (one, $0) } }
        }
        outcomes = known.count == pairs.count ? PairedOutcomes(known) : nil
    }
}
