import PushT

/// Several episodes side by side, each with its table and its coverage over time. An episode that has ended shows its end.
struct GridPage: FilmPage {
    private typealias Style = EpisodeStyle

    private struct Cell {
        let episode: RenderedEpisode
        let scene: TableScene
        let charts: EpisodeCharts
    }

    private let cells: [Cell]
    private let columns: Int
    private let side: Double

    private static let curveHeight = 28.0
    private static let headingHeight = 20.0
    private static let gap = 20.0
    private static let footHeight = 32.0

    let width: Int
    let height: Int
    let lastStep: Int
    let rate: Double
    var hasPhotographs: Bool { false }
    var isGrid: Bool { true }

    /// - Parameter episodes: at least one, all of one rate.
    init(_ episodes: [RenderedEpisode]) {
        precondition(!episodes.isEmpty, "a grid has episodes")
        let columns = Int(Double(episodes.count).squareRoot().rounded(.up))
        let rows = (episodes.count + columns - 1) / columns
        let side = columns <= 2 ? 320.0 : columns == 3 ? 272 : 208
        let lastStep = episodes.map(\.recording.stepCount).max() ?? 0
        cells = episodes.map {
            Cell(
                episode: $0,
                scene: TableScene($0),
                charts: EpisodeCharts($0, width: side, lastStep: lastStep)
            )
        }
        (self.columns, self.side, self.lastStep) = (columns, side, lastStep)
        rate = episodes[0].rate
        width = Int(2 * Style.margin + Double(columns) * (side + Self.gap) - Self.gap)
        height = Int(
            2 * Style.margin + Double(rows) * (Self.cellHeight(side) + Self.gap) - Self.gap + Self.footHeight
        )
    }

    private static func cellHeight(_ side: Double) -> Double { headingHeight + side + 8 + curveHeight }

    func draw(on canvas: Canvas, step: Int, note: String = "") {
        canvas.fill(Style.paper)
        for (index, cell) in cells.enumerated() {
            let place = SIMD2(Double(index % columns), Double(index / columns))
            let pitch = SIMD2(side, Self.cellHeight(side)) + Self.gap
            draw(cell, on: canvas, step: step, at: Style.margin + place * pitch)
        }
        let ended = cells.filter { $0.episode.recording.stepCount <= step }
        let successes = ended.count { $0.episode.recording.isSuccess }
        let baseline = Double(height) - Style.margin
        let time = cells[0].episode.time(of: step)
        canvas.text(
            "\(time): \(successes) of \(cells.count) episode\(cells.count == 1 ? "" : "s") succeeded",
            at: SIMD2(Style.margin, baseline),
            size: 13,
            Style.ink
        )
        canvas.text(
            note,
            at: SIMD2(Double(width) - Style.margin, baseline),
            size: EpisodeCharts.textSize,
            Style.label,
            anchor: .end
        )
    }

    private func draw(_ cell: Cell, on canvas: Canvas, step: Int, at corner: SIMD2<Double>) {
        let recording = cell.episode.recording
        let step = min(step, recording.stepCount)
        let isOver = step == recording.stepCount
        let baseline = EpisodeCharts.textSize - 1
        canvas.text(
            recording.seed.map { "seed \($0)" } ?? "a given start",
            at: corner + SIMD2(0, baseline),
            size: EpisodeCharts.textSize,
            Style.ink
        )
        let state =
            isOver
            ? (recording.isSuccess ? "success" : "no success") : fixed(recording.frames[step].coverage, 2)
        canvas.text(
            state,
            at: corner + SIMD2(side, baseline),
            size: EpisodeCharts.textSize,
            isOver && recording.isSuccess ? Style.success : Style.ink,
            anchor: .end
        )
        let top = corner + SIMD2(0, Self.headingHeight)
        cell.scene.draw(on: canvas, step: step, at: top, side: side)
        canvas.within(top + SIMD2(0, side + 8)) {
            cell.charts.coverageCurve(on: canvas, step: step, height: Self.curveHeight)
        }
    }
}
