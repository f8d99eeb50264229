import PushT

/// One episode: the table, what the camera sees beside it, and the charts below.
struct EpisodePage: FilmPage {
    private typealias Style = EpisodeStyle

    private let episode: RenderedEpisode
    private let scene: TableScene
    private let charts: EpisodeCharts
    private let camera: CameraPanel?

    /// Pixels of the table's side; four for each of a camera's.
    private static let side = 384.0
    private static let titleHeight = 24.0
    private static let titleSize = 13.0

    private let chartsTop: Double
    let width: Int
    let height: Int

    /// - Throws: `PictureError` if there is no memory.
    init(_ episode: RenderedEpisode) throws {
        self.episode = episode
        scene = TableScene(episode)
        camera = try episode.frames.map(CameraPanel.init)
        let content = camera == nil ? Self.side : 2 * Self.side + Style.margin
        charts = EpisodeCharts(episode, width: content, lastStep: episode.recording.stepCount)
        width = Int(content + 2 * Style.margin)
        chartsTop = Self.tableTop + Self.side + (camera == nil ? 20 : CameraPanel.captionHeight + 16)
        height = Int(chartsTop + EpisodeCharts.height + Style.margin)
    }

    private static var tableTop: Double { Style.margin + titleHeight }

    var lastStep: Int { episode.recording.stepCount }
    var rate: Double { episode.rate }
    var hasPhotographs: Bool { camera != nil }
    var isGrid: Bool { false }

    func draw(on canvas: Canvas, step: Int, note: String = "") throws {
        canvas.fill(Style.paper)
        title(on: canvas, step: step)
        let corner = SIMD2(Style.margin, Self.tableTop)
        scene.draw(on: canvas, step: step, at: corner, side: Self.side)
        try camera?.draw(
            on: canvas,
            step: step,
            at: corner + SIMD2(Self.side + Style.margin, 0),
            side: Self.side
        )
        charts.draw(on: canvas, step: step, note: note, at: SIMD2(Style.margin, chartsTop))
    }

    private func title(on canvas: Canvas, step: Int) {
        let recording = episode.recording
        let baseline = Style.margin + Self.titleSize - 2
        canvas.text(
            recording.title,
            at: SIMD2(Style.margin, baseline),
            size: Self.titleSize,
            Style.ink
        )
        let outcome = recording.isSuccess ? "success after" : "no success in"
        canvas.text(
            step < lastStep ? episode.time(of: step) : "\(outcome) \(episode.time(of: step))",
            at: SIMD2(Double(width) - Style.margin, baseline),
            size: Self.titleSize,
            Style.ink,
            anchor: .end
        )
    }
}
