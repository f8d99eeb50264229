import Foundation
import Planning

extension BenchRealtimeCommand {
    /// What `bench realtime` finds, printed as JSON, a table or a picture.
    struct Report: Encodable {
        struct Result: Encodable {
            /// How chunks are sampled: the solver and its steps, or the budget.
            let sampler: String
            /// `lock-step`, `synchronous`, or the strategy of an asynchronous one.
            let schedule: String
            let delayMs: Int
            let meanScore: Double
            /// The standard error of the mean.
            let scoreError: Double
            let successRate: Double
            /// The standard error of the rate.
            let successError: Double
            let stepsMean: Double
            /// The share of control steps in which the robot had no action.
            let heldShare: Double
            let chunkLatencyMs: SimReport.Latency
            let handOverMove: RealTimeReport.Moves?
            let otherMove: RealTimeReport.Moves?
            /// Where chunks took over.
            let velocityJump: JumpReport
            let otherJump: JumpReport
        }
        let policy: String
        let episodes: Int
        let results: [Result]
    }
}

extension BenchRealtimeCommand.Report.Result {
    /// - Parameter episodes: at least one.
    init(_ sampler: String, _ schedule: String, delay: Int, _ episodes: [EpisodeResult]) {
        let count = Double(episodes.count)
        let scores = episodes.map(\.recording.score)
        let mean = scores.reduce(0, +) / count
        let variance = scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / max(count - 1, 1)
        let successRate = Double(episodes.count { $0.recording.isSuccess }) / count
        let steps = Double(episodes.reduce(0) { $0 + $1.recording.stepCount })
        let realTime = RealTimeReport(episodes)
        let jumps = JumpReport.pair(episodes)
        self.init(
            sampler: sampler,
            schedule: schedule,
            delayMs: delay,
            meanScore: mean,
            scoreError: (variance / count).squareRoot(),
            successRate: successRate,
            successError: (successRate * (1 - successRate) / count).squareRoot(),
            stepsMean: steps / count,
            heldShare: Double(realTime?.heldSteps ?? 0) / steps,
            chunkLatencyMs: SimReport.Latency(episodes.flatMap(\.chunks).map(\.milliseconds)),
            handOverMove: realTime?.handOverMove,
            otherMove: realTime?.otherMove,
            velocityJump: jumps.handOver,
            otherJump: jumps.other
        )
    }
}

extension BenchRealtimeCommand.Report {
    /// Scores and jumps by delay, of the first sampler; then by sampler, at the first delay, where there are more.
    var chart: LineChart {
        let samplers = results.map(\.sampler).inOrder
        let delays = results.filter { $0.schedule != "lock-step" }.map(\.delayMs).inOrder
        let largest = Double(max(delays.max() ?? 0, 1))
        var panels = panels(
            "by added delay, ms",
            of: results.filter { $0.sampler == samplers.first },
            ticks: delays.map { (Double($0) / largest, String($0)) },
            x: { Double($0.delayMs) / largest }
        )
        if samplers.count > 1 {
            let places = Dictionary(
                uniqueKeysWithValues: samplers.enumerated().map { index, name in
                    (name, (Double(index) + 0.5) / Double(samplers.count))
                }
            )
            panels += self.panels(
                "by \(samplers[0].hasSuffix(" ms") ? "budget" : "sampler"), delay \(delays.first ?? 0) ms",
                of: results.filter { $0.schedule == "lock-step" || $0.delayMs == delays.first },
                ticks: samplers.map { (places[$0] ?? 0, $0) },
                x: { places[$0.sampler] ?? 0 }
            )
        }
        return LineChart(title: "\(policy) in real time, \(episodes) episodes of each kind", panels: panels)
    }

    private func panels(
        _ title: String,
        of results: [Result],
        ticks: [(Double, String)],
        x: (Result) -> Double
    ) -> [LineChart.Panel] {
        func panel(
            _ title: String,
            _ scale: LineChart.Scale,
            y: (Result) -> Double,
            error: (Result) -> Double
        ) -> LineChart.Panel {
            LineChart.Panel(
                title: title,
                scale: scale,
                ticks: ticks,
                series: results.map(\.schedule).inOrder.map { schedule in
                    LineChart.Series(
                        name: schedule,
                        points: results.filter { $0.schedule == schedule }.map { (x($0), y($0), error($0)) }
                    )
                }
            )
        }
        return [
            panel("mean score \(title)", .share, y: \.meanScore, error: \.scoreError),
            panel("velocity jump at hand-over \(title)", .amount, y: \.velocityJump.mean) { _ in 0 },
        ]
    }
}

extension Array where Element: Hashable {
    /// Each element once, where it came first.
    fileprivate var inOrder: [Element] { reduce(into: []) { if !$0.contains($1) { $0.append($1) } } }
}
