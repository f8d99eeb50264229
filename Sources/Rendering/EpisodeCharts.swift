import Drawing
import PushT

/// Coverage over time, and the latency of each chunk against the budget, one below the other on one axis of time.
struct EpisodeCharts {
    private typealias Style = EpisodeStyle

    private let episode: RenderedEpisode
    private let width: Double
    private let lastStep: Int

    /// Pixels of a chart without its heading.
    static let chartHeight = 52.0
    static let headingHeight = 20.0
    static let gap = 14.0
    static let footHeight = 20.0
    static let textSize = 11.0

    /// - Parameters:
    ///   - width: pixels of the axis of time.
    ///   - lastStep: the control step at its end.
    init(_ episode: RenderedEpisode, width: Double, lastStep: Int) {
        self.episode = episode
        self.width = width
        self.lastStep = lastStep
    }

    /// Pixels of both charts together.
    static var height: Double { 2 * (headingHeight + chartHeight) + gap + footHeight }

    /// Draws what is known at a control step.
    ///
    /// - Parameters:
    ///   - note: beside the length of the axis of time.
    ///   - corner: the upper left corner.
    func draw(on canvas: Canvas, step: Int, note: String, at corner: SIMD2<Double>) {
        let success = episode.recording.scenario.episode.successCoverage
        let coverage = fixed(episode.recording.frames[step].coverage, 2)
        canvas.within(corner) {
            heading(on: canvas, "coverage \(coverage)", "success above \(success)", dashes: Style.goal.stroke)
            canvas.within(SIMD2(0, Self.headingHeight)) {
                coverageCurve(on: canvas, step: step, height: Self.chartHeight)
            }
        }
        let second = Self.headingHeight + Self.chartHeight + Self.gap
        canvas.within(corner + SIMD2(0, second)) {
            let newest = episode.arrivals.last { $0.step <= step }
            let latency = newest.map { Self.milliseconds($0.latency) } ?? ""
            if let budget = episode.budget {
                heading(
                    on: canvas,
                    "chunk latency \(latency)",
                    "budget \(Self.milliseconds(budget))",
                    dashes: Style.ink
                )
            } else {
                let largest = largestLatency > 0 ? "largest \(Self.milliseconds(largestLatency))" : ""
                heading(on: canvas, "chunk latency \(latency)", largest)
            }
            canvas.within(SIMD2(0, Self.headingHeight)) { latencies(on: canvas, step: step) }
        }
        canvas.text(
            episode.time(of: lastStep) + (note.isEmpty ? "" : ", \(note)"),
            at: corner + SIMD2(width, Self.height - 4),
            size: Self.textSize,
            Style.label,
            anchor: .end
        )
    }

    /// The coverage from the start to a control step, and the coverage of success, over so many pixels of height.
    func coverageCurve(on canvas: Canvas, step: Int, height: Double) {
        let recording = episode.recording
        func point(_ step: Int) -> SIMD2<Double> {
            SIMD2(x(step), height * (1 - recording.frames[step].coverage))
        }
        let threshold = height * (1 - recording.scenario.episode.successCoverage)
        axis(on: canvas, height)
        canvas.line(
            [SIMD2(0, threshold), SIMD2(width, threshold)],
            Style.goal.stroke,
            dashes: [3, 3]
        )
        canvas.line((0...step).map(point), Style.block.fill, width: 1.5)
        canvas.disc(point(step), radius: 3, Style.block.stroke)
    }

    /// A bar for each chunk that has come.
    private func latencies(on canvas: Canvas, step: Int) {
        let largest = max(largestLatency, episode.budget ?? 0)
        guard largest > 0 else { return axis(on: canvas, Self.chartHeight) }
        // The top line is a pixel inside the chart.
        let scale = (Self.chartHeight - 1) / largest
        // Whole pixels, for sharp edges.
        let thickness = min(max(barDistance - 1, 1), 6).rounded(.down)
        for arrival in episode.arrivals where arrival.step <= step {
            let height = arrival.latency * scale
            let isLate = episode.budget.map { arrival.latency > $0 } ?? false
            canvas.rectangle(
                SIMD2(min(x(arrival.step).rounded(), width - thickness), Self.chartHeight - height),
                size: SIMD2(thickness, height),
                isLate ? Style.agent : Style.block.fill
            )
        }
        axis(on: canvas, Self.chartHeight)
        if let budget = episode.budget {
            let y = Self.chartHeight - budget * scale
            canvas.line([SIMD2(0, y), SIMD2(width, y)], Style.ink, dashes: [3, 3])
        }
    }

    private var largestLatency: Double { episode.arrivals.map(\.latency).max() ?? 0 }

    /// Pixels from one bar to the next where they are closest.
    private var barDistance: Double {
        let places = episode.arrivals.map { x($0.step) }
        return zip(places.dropFirst(), places).map { $0 - $1 }.filter { $0 > 0 }.min() ?? width
    }

    private func x(_ step: Int) -> Double { width * Double(step) / Double(max(lastStep, 1)) }

    private func axis(on canvas: Canvas, _ height: Double) {
        canvas.line([SIMD2(0, height), SIMD2(width, height)], Style.faint)
    }

    /// Left what is shown and its newest value; right what it is compared with, after the dashes of that line if it has one.
    private func heading(on canvas: Canvas, _ left: String, _ right: String, dashes: Color? = nil) {
        let baseline = Self.headingHeight - 8
        canvas.text(left, at: SIMD2(0, baseline), size: Self.textSize, Style.ink)
        let start = width - canvas.textWidth(right, size: Self.textSize)
        canvas.text(right, at: SIMD2(start, baseline), size: Self.textSize, Style.label)
        guard let dashes else { return }
        let middle = baseline - 4
        canvas.line([SIMD2(start - 22, middle), SIMD2(start - 6, middle)], dashes, dashes: [3, 3])
    }

    private static func milliseconds(_ value: Double) -> String {
        "\(fixed(value, value < 9.95 ? 1 : 0)) ms"
    }
}
