import Drawing
import PushT

/// The table at one control step: goal, T, agent, the path of the agent and what it plans.
struct TableScene {
    private typealias Style = EpisodeStyle

    private let episode: RenderedEpisode
    private let degrees: [Double]
    /// What is drawn of the world: everything within the walls and these, or the whole world if it has none.
    private let corner: SIMD2<Double>
    private let size: Double

    /// The agent's path fades in so many levels, each of so many control steps. Were every step a level, the whole path would
    /// change in every picture, and the film would be larger by half.
    private static let (pathLevels, pathLevelSteps) = (4, 10)

    init(_ episode: RenderedEpisode) {
        self.episode = episode
        degrees = episode.recording.blockDegrees
        let world = episode.recording.scenario.world
        let ends = world.walls.flatMap { wall in
            [wall.from, wall.to].flatMap { [$0 - wall.radius, $0 + wall.radius] }
        }
        let low = ends.reduce(ends.first ?? .zero) { pointwiseMin($0, $1) }
        let high = ends.reduce(ends.first ?? world.size) { pointwiseMax($0, $1) }
        (corner, size) = (low, (high - low).max())
    }

    /// Draws the table as it is before a control step of the episode.
    ///
    /// - Parameters:
    ///   - corner: the upper left corner of the picture.
    ///   - side: pixels of its longer side.
    func draw(on canvas: Canvas, step: Int, at corner: SIMD2<Double>, side: Double) {
        let recording = episode.recording
        let scenario = recording.scenario
        let frame = recording.frames[step]
        let scale = side / size
        canvas.within(corner - scale * self.corner, scale: scale) {
            for wall in scenario.world.walls {
                canvas.line([wall.from, wall.to], Style.faint, width: 2 * wall.radius, hasRoundEnds: true)
            }
            block(on: canvas, scenario.goal.position, scenario.goal.angle * 180 / .pi, Style.goal)
            block(on: canvas, recording.frames[0].blockPosition, degrees[0], Style.ghost, opacity: 0.5)
            block(on: canvas, frame.blockPosition, degrees[step], Style.block)
            path(on: canvas, step: step)
            plan(on: canvas, step: step, from: frame.agentPosition)
            canvas.disc(frame.agentPosition, radius: scenario.agent.radius, Style.agent)
        }
    }

    /// Where the agent has been lately, fainter the longer ago.
    private func path(on canvas: Canvas, step: Int) {
        let newest = step / Self.pathLevelSteps
        for level in 0..<min(Self.pathLevels, newest + 1) {
            let first = (newest - level) * Self.pathLevelSteps
            let places = episode.recording.frames[first...min(first + Self.pathLevelSteps, step)]
            let opacity = 0.6 * (1 - Double(level) / Double(Self.pathLevels))
            canvas.line(places.map(\.agentPosition), Style.agent, width: 2, opacity: opacity)
        }
    }

    /// A line from the agent through the actions to come, which fades, with a dot for each.
    private func plan(on canvas: Canvas, step: Int, from agent: SIMD2<Double>) {
        let places = episode.plan(at: step)
        var last = agent
        for (index, place) in places.enumerated() {
            let opacity = 1 - Double(index) / Double(places.count)
            canvas.line([last, place], Style.plan, width: 2.6, opacity: 0.8 * opacity)
            canvas.disc(place, radius: 4, Style.plan, opacity: opacity)
            last = place
        }
    }

    private func block(
        on canvas: Canvas,
        _ position: SIMD2<Double>,
        _ degrees: Double,
        _ paint: EpisodeStyle.Paint,
        opacity: Double = 1
    ) {
        canvas.within(position, degrees: degrees) {
            canvas.shape(
                episode.recording.scenario.block.parts,
                fill: paint.fill,
                stroke: paint.stroke,
                outline: paint.outline,
                opacity: opacity
            )
        }
    }
}
