import Drawing

/// Draws a recorded episode as a self-contained SVG: no script, no font file, no link.
///
/// Each drawing of the standard task stays under 100 kB, however long the episode is.
public struct EpisodeDrawing: Sendable {
    private typealias Style = EpisodeStyle

    private let recording: EpisodeRecording
    private let angles: [Double]
    private static let chartHeight = 56.0

    /// A drawing of an episode.
    public init(_ recording: EpisodeRecording) {
        self.recording = recording
        angles = recording.blockDegrees
    }

    /// The episode as a film that repeats, animated with SMIL, as browsers show it in an image element too.
    ///
    /// A viewer that does not animate shows the last frame.
    /// - Parameter speed: how many times faster than the episode; more than 0.
    public func animation(speed: Double = 4) -> String {
        precondition(speed > 0, "the speed must be more than 0")
        let frames = recording.frames
        let last = frames.count - 1
        let film = Film(frameCount: frames.count, rate: recording.scenario.control.rate * speed)
        let angle = SVG(
            "g",
            ["transform": "rotate(\(SVG.number(angles[last])))"],
            [
                film.transform("rotate") { SVG.number(angles[$0]) },
                SVG("use", Style.block.attributes),
            ]
        )
        let movingBlock = SVG(
            "g",
            ["transform": "translate(\(SVG.point(frames[last].blockPosition)))"],
            [film.transform("translate") { SVG.point(frames[$0].blockPosition) }, angle]
        )
        let movingAgent = SVG(
            "g",
            ["transform": "translate(\(SVG.point(frames[last].agentPosition)))"],
            [
                film.transform("translate") { SVG.point(frames[$0].agentPosition) },
                SVG(
                    "circle",
                    ["r": SVG.number(recording.scenario.agent.radius), "fill": Style.agent.hex]
                ),
            ]
        )
        let cursor = SVG(
            "circle",
            [
                "r": "3.5", "fill": Style.block.stroke.hex,
                "transform": "translate(\(SVG.point(chartPoint(last))))",
            ],
            [film.transform("translate") { SVG.point(chartPoint($0)) }]
        )
        let start = pose(frames[0].blockPosition, angles[0], Style.ghost, opacity: 0.5)
        return page(
            note: "\(SVG.number(speed))x speed",
            scene: [start, growingPath(film), movingBlock, movingAgent],
            chart: [coverageCurve(), cursor]
        )
    }

    // MARK: - Parts of a picture

    /// The table, the coverage over time below it, and a line of text.
    private func page(note: String, scene: [SVG], chart: [SVG]) -> String {
        let size = recording.scenario.world.size
        let success = recording.scenario.episode.successCoverage
        let threshold = chartY(success)
        let frame = [
            SVG.line(
                from: SIMD2(0, Self.chartHeight),
                to: SIMD2(size.x, Self.chartHeight),
                Style.faint.hex
            ),
            SVG.line(
                from: SIMD2(0, threshold),
                to: SIMD2(size.x, threshold),
                Style.goal.stroke.hex,
                dashes: "3 3"
            ),
            SVG.label("coverage", at: SIMD2(0, threshold + 14), size: 10, Style.label.hex),
            SVG.label(
                "success above \(success)",
                at: SIMD2(size.x, threshold - 5),
                size: 10,
                Style.label.hex,
                anchor: "end"
            ),
        ]
        let captionY = size.y + Style.margin + Self.chartHeight + 50
        return document(
            width: size.x + 2 * Style.margin,
            height: captionY + Style.margin,
            [
                SVG(
                    "g",
                    ["transform": "translate(\(SVG.point(SIMD2(Style.margin, Style.margin))))"],
                    [SVG("use", ["href": "#table"])] + scene
                ),
                SVG(
                    "g",
                    ["transform": "translate(\(SVG.point(SIMD2(Style.margin, size.y + Style.margin + 24))))"],
                    frame + chart
                ),
                SVG.label(summary, at: SIMD2(Style.margin, captionY), size: 13, Style.ink.hex),
                SVG.label(
                    note,
                    at: SIMD2(size.x + Style.margin, captionY),
                    size: 13,
                    Style.label.hex,
                    anchor: "end"
                ),
            ]
        )
    }

    private func document(width: Double, height: Double, _ content: [SVG]) -> String {
        let scenario = recording.scenario
        let outline = scenario.block.parts.map { "M" + $0.map(SVG.point).joined(separator: " ") + "Z" }
            .joined()
        // The outline is drawn first and the parts cover its inner half, so that no seam shows between two
        // parts.
        let block = SVG(
            "g",
            ["id": "block"],
            [
                SVG("path", ["d": outline, "fill": "none", "stroke-linejoin": "round"]),
                SVG("path", ["d": outline, "stroke": "none"]),
            ]
        )
        let goal = pose(scenario.goal.position, scenario.goal.angle * 180 / .pi, Style.goal, opacity: 1)
        let walls = scenario.world.walls.map {
            SVG.line(from: $0.from, to: $0.to, Style.faint.hex, width: 2 * $0.radius)
        }
        let picture = SVG(
            "svg",
            [
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": "0 0 \(SVG.number(width)) \(SVG.number(height))",
                "width": SVG.number(width), "height": SVG.number(height),
                "font-family": "Helvetica, Arial, sans-serif", "fill": Style.ink.hex, "role": "img",
            ],
            [
                SVG("title", text: summary),
                SVG("defs", [:], [block, SVG("g", ["id": "table"], walls + [goal])]),
                SVG("rect", ["width": "100%", "height": "100%", "rx": "8", "fill": Style.paper.hex]),
            ] + content
        )
        return picture.text + "\n"
    }

    private func pose(
        _ position: SIMD2<Double>,
        _ degrees: Double,
        _ paint: Style.Paint,
        opacity: Double
    ) -> SVG {
        SVG(
            "g",
            [
                "transform": "translate(\(SVG.point(position))) rotate(\(SVG.number(degrees)))",
                "opacity": SVG.number(opacity, digits: 2),
            ],
            [SVG("use", paint.attributes)]
        )
    }

    /// The agent's path, as far as it has come.
    private func growingPath(_ film: Film) -> SVG {
        let travelled = pathLengths()
        let whole = travelled[travelled.count - 1]
        let length = SVG.number(whole)
        return SVG(
            "polyline",
            [
                "points": recording.frames.map { SVG.point($0.agentPosition) }.joined(separator: " "),
                // One dash as long as the path, pushed back by what the agent has still to go.
                "stroke-dasharray": "\(length) \(length)", "fill": "none", "stroke": Style.agent.hex,
                "stroke-width": "1.5", "stroke-opacity": "0.7", "stroke-linejoin": "round",
            ],
            [film.attribute("stroke-dashoffset") { SVG.number(whole - travelled[$0]) }]
        )
    }

    /// How far the agent has come at each frame, in pixels.
    private func pathLengths() -> [Double] {
        var lengths = [0.0]
        for (frame, next) in zip(recording.frames, recording.frames.dropFirst()) {
            let move = next.agentPosition - frame.agentPosition
            lengths.append(lengths[lengths.count - 1] + (move * move).sum().squareRoot())
        }
        return lengths
    }

    private func coverageCurve() -> SVG {
        SVG(
            "polyline",
            [
                "points": recording.frames.indices.map { SVG.point(chartPoint($0)) }.joined(separator: " "),
                "fill": "none", "stroke": Style.block.fill.hex, "stroke-width": "1.5",
                "stroke-linejoin": "round",
            ]
        )
    }

    private func chartPoint(_ index: Int) -> SIMD2<Double> {
        let last = Double(max(recording.frames.count - 1, 1))
        let x = recording.scenario.world.size.x * Double(index) / last
        return SIMD2(x, chartY(recording.frames[index].coverage))
    }

    private func chartY(_ coverage: Double) -> Double {
        Self.chartHeight * (1 - coverage)
    }

    private var summary: String { "\(recording.title): \(recording.outcome)" }
}

extension EpisodeStyle.Paint {
    /// Of a `use` element that shows the block's outline.
    fileprivate var attributes: KeyValuePairs<String, String> {
        ["href": "#block", "fill": fill.hex, "stroke": stroke.hex, "stroke-width": SVG.number(outline)]
    }
}

/// The timing of an animation: the frames at a steady rate, and the last one held for two seconds.
private struct Film {
    private let times: [Int]
    private let duration: String

    /// - Parameter rate: frames a second.
    init(frameCount: Int, rate: Double) {
        let held = Int((2 * rate).rounded(.up))
        times = Array(0..<frameCount) + Array(repeating: frameCount - 1, count: held)
        duration = "\(SVG.number(Double(times.count - 1) / rate, digits: 3))s"
    }

    func transform(_ type: String, _ value: (Int) -> String) -> SVG {
        SVG(
            "animateTransform",
            [
                "attributeName": "transform", "type": type, "dur": duration, "repeatCount": "indefinite",
                "values": times.map(value).joined(separator: ";"),
            ]
        )
    }

    func attribute(_ name: String, _ value: (Int) -> String) -> SVG {
        SVG(
            "animate",
            [
                "attributeName": name, "dur": duration, "repeatCount": "indefinite",
                "values": times.map(value).joined(separator: ";"),
            ]
        )
    }
}
