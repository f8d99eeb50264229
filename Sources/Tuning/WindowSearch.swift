import Policy
import Sampling

/// Finds the window with which a chunk takes the least time.
///
/// A chunk is sampled with the window that is expected to be the fastest, then with the next one, as long as any may still be
/// faster than the fastest so far. Wider windows take fewer passes and more evaluations. So a window takes no fewer passes than a
/// wider one that was tried, no fewer evaluations than a narrower one, and no less time than such passes. And time falls towards
/// the fastest window from both sides: what lies beyond a window that is much slower is not tried.
///
/// Then more chunks are sampled with the windows that are close to the fastest.
struct WindowSearch<Predictor: NoisePredictor> {
    private let samplers: [Int: Sampler]
    private let steps: Int
    private let meter: PassMeter<Predictor>
    private let isOver: () -> Bool
    /// The windows tried so far.
    private var trials: [WindowTrial] = []

    /// - Parameters:
    ///   - samplers: for the windows to choose from, at least one.
    ///   - steps: the solver's.
    ///   - meter: has timed passes of 1 and of the largest batch.
    ///   - isOver: whether there is no time left; one window is tried in any case.
    init(
        samplers: [Int: Sampler],
        steps: Int,
        meter: PassMeter<Predictor>,
        isOver: @escaping () -> Bool = { false }
    ) {
        self.samplers = samplers
        self.steps = steps
        self.meter = meter
        self.isOver = isOver
    }

    /// The windows that stayed close to the fastest, by width, with the same chunks each.
    ///
    /// - Parameter beforeChunk: gives the predictor the observation of a chunk, from 1 on, and returns a guess of its result,
    ///   [sampleSize], or nil. Called for each chunk of each window.
    mutating func fastest(beforeChunk: (Int) -> [Float]? = { _ in nil }) -> [Calibration.Window] {
        while let window = nextWindow(), let sampler = samplers[window] {
            var trial = WindowTrial(window: window, sampler: sampler)
            trial.sampleChunk(1, guess: beforeChunk(1), meter: meter)
            trials.append(trial)
        }
        keepFastest(chunks: 1)
        for chunk in 2...WindowSearchRule.mostChunks where !isOver() {
            for index in trials.indices {
                trials[index].sampleChunk(chunk, guess: beforeChunk(chunk), meter: meter)
            }
            keepFastest(chunks: chunk)
        }
        let times = ForwardTimes(of: meter.timings)
        return trials.map { $0.result(times) }.sorted { $0.window < $1.window }
    }

    private mutating func keepFastest(chunks: Int) {
        let times = ForwardTimes(of: meter.timings)
        let costs = trials.map { $0.nanoseconds(times) }
        let most = costs.reduce(.infinity, min) * (1 + WindowSearchRule.firstMargin / Double(chunks))
        trials = zip(trials, costs).filter { $1 <= most }.map(\.0)
    }

    /// The window to try next; nil if none may be faster, or there is no time. A window of one step is tried even then if it is bound
    /// to be faster than those that were.
    private func nextWindow() -> Int? {
        let rule = WindowSearchRule(steps: steps, times: ForwardTimes(of: meter.timings), trials: trials)
        if !trials.isEmpty, isOver() { return samplers[1] != nil && rule.isOneFaster ? 1 : nil }
        return samplers.keys.filter { rule.mayBeFastest($0) }.min {
            (rule.expectedNanoseconds($0), $0) < (rule.expectedNanoseconds($1), $1)
        }
    }
}

/// What the windows tried so far say of the others.
struct WindowSearchRule {
    let steps: Int
    let times: ForwardTimes
    let trials: [WindowTrial]

    /// The windows to choose from.
    static let windows = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32]
    /// The most chunks that are sampled with a window.
    static let mostChunks = 6
    /// By how much of the fastest window's time another may be slower after its first chunk, after two by half of that, and
    /// so on.
    static let firstMargin = 0.5
    /// A window that can save no more than this share of the time is not tried.
    private static let leastGain = 0.03
    /// A window that is so many times as slow as the fastest marks where time rises.
    private static let rising = 1.15
    /// How passes fall with the window: by a share of the steps that are left out, and by what overlapping windows cost.
    /// Of trained policies with 100 steps, docs/BENCHMARKS.md.
    private static let evaluatedShare = 0.95
    private static let overlap = 1.0 / 16

    private var fastest: (window: Int, nanoseconds: Double)? {
        trials.map { ($0.window, $0.nanoseconds(times)) }.min { $0.1 < $1.1 }
    }

    private var narrowerFirst: [WindowTrial] { trials.sorted { $0.window < $1.window } }

    /// Whether a window has not been tried and may be faster than those that have.
    func mayBeFastest(_ window: Int) -> Bool {
        guard !trials.contains(where: { $0.window == window }) else { return false }
        guard let fastest else { return true }
        let between = min(window, fastest.window)...max(window, fastest.window)
        let isBeyondSlower = trials.contains {
            between.contains($0.window) && $0.nanoseconds(times) > Self.rising * fastest.nanoseconds
        }
        return !isBeyondSlower
            && leastNanoseconds(window) < (1 - Self.leastGain) * fastest.nanoseconds
    }

    /// Whether a window of one step has not been tried and is faster than those that have: it takes no more passes than there are
    /// steps, as a rule.
    var isOneFaster: Bool {
        guard let fastest, !trials.contains(where: { $0.window == 1 }) else { return false }
        return Double(steps) * times.typical(batch: 1) < (1 - Self.leastGain) * fastest.nanoseconds
    }

    /// What a chunk may take at least: the evaluations of a narrower window in the passes of a wider one.
    private func leastNanoseconds(_ window: Int) -> Double {
        let evaluations = narrowerFirst.last { $0.window < window }?.evaluations ?? 1
        let passes = max(
            narrowerFirst.first { $0.window > window }?.passes ?? 1,
            evaluations / Double(window)
        )
        return passes * nanoseconds(samplesOfPass: max(evaluations / passes, 1))
    }

    /// What a chunk is expected to take.
    func expectedNanoseconds(_ window: Int) -> Double {
        let nearest = trials.min { abs($0.window - window) < abs($1.window - window) }
        let scale = nearest.map { $0.passes / Self.usualPasses($0.window, steps: steps) } ?? 1
        return scale * Self.usualPasses(window, steps: steps) * times.typical(batch: window)
    }

    private static func usualPasses(_ window: Int, steps: Int) -> Double {
        evaluatedShare * Double(steps) / Double(window) * (1 + overlap * Double(window))
    }

    /// The time of a pass over a number of samples that need not be whole.
    private func nanoseconds(samplesOfPass samples: Double) -> Double {
        let (lower, part) = (Int(samples), samples - samples.rounded(.down))
        return (1 - part) * times.typical(batch: lower) + part * times.typical(batch: lower + 1)
    }
}
