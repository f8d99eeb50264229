import Drawing
import Foundation

/// Draws a recorded episode as a self-contained SVG: no script, no font file, no link.
///
/// Each drawing of the standard task stays under 100 kB, however long the episode is.
public struct EpisodeDrawing: Sendable {
    private let recording: EpisodeRecording
    /// Block angles in degrees without jumps at a full turn, so that what is drawn between two frames turns
    /// the short way.
    private let angles: [Double]

    /// A drawing of an episode.
    public init(_ recording: EpisodeRecording) {
        self.recording = recording
        var angles: [Double] = []
        for frame in recording.frames {
            let degrees = frame.blockAngle * 180 / .pi
            let last = angles.last ?? degrees
            angles.append(last + (degrees - last).remainder(dividingBy: 360))
        }
        self.angles = angles
    }

    /// One picture of the whole episode: the goal, the block's poses from faint to full, and the agent's
    /// path.
    public func timeLapse() -> String {
        let ghosts = posesApart()
        let trail = ghosts.enumerated().map { order, index in
            let age = Double(order + 1) / Double(ghosts.count + 1)
            return block(at: index, Style.ghost, opacity: 0.1 + 0.45 * age)
        }
        let last = recording.frames.count - 1
        return page(
            scene: trail + [
                goal,
                path(0...last),
                disc(at: 0, ["fill": Style.paper, "stroke": Style.agent, "stroke-width": "1.5"]),
                block(at: last, Style.block, opacity: 1),
                disc(at: last, ["fill": Style.agent]),
            ],
            chart: [coverageCurve()]
        )
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
                SVG("circle", ["r": SVG.number(recording.scenario.agent.radius), "fill": Style.agent]),
            ]
        )
        let travelled = pathLengths()
        let length = SVG.number(travelled[last])
        let growingPath = path(
            0...last,
            // One dash as long as the path, pushed back by what the agent has still to go.
            dashes: "\(length) \(length)",
            [film.attribute("stroke-dashoffset") { SVG.number(travelled[last] - travelled[$0]) }]
        )
        let cursor = SVG(
            "circle",
            [
                "r": "3.5", "fill": Style.block.stroke,
                "transform": "translate(\(SVG.point(chartPoint(last))))",
            ],
            [film.transform("translate") { SVG.point(chartPoint($0)) }]
        )
        return page(
            note: "\(SVG.number(speed))x speed",
            scene: [block(at: 0, Style.ghost, opacity: 0.5), growingPath, movingBlock, movingAgent],
            chart: [coverageCurve(), cursor]
        )
    }

    /// Moments of the episode side by side, each with the agent's path since the one before.
    /// - Parameter panels: how many moments, at equal distances in time; 2 or more.
    public func filmstrip(panels: Int = 5) -> String {
        precondition(panels >= 2, "a filmstrip has 2 panels or more")
        let last = recording.frames.count - 1
        let size = recording.scenario.world.size
        let gap = 24.0
        let moments = (0..<panels).map { Int((Double($0 * last) / Double(panels - 1)).rounded()) }
        let pictures = moments.enumerated().map { order, index in
            let earlier = order == 0 ? 0 : moments[order - 1]
            let corner = SIMD2(Style.margin + Double(order) * (size.x + gap), Style.margin)
            let seconds = Double(index) / recording.scenario.control.rate
            let text = "\(SVG.number(seconds)) s, coverage \(Self.share(recording.frames[index].coverage))"
            return SVG(
                "g",
                ["transform": "translate(\(SVG.point(corner)))"],
                [
                    SVG("use", ["href": "#table"]),
                    block(at: earlier, Style.ghost, opacity: 0.6),
                    path(earlier...index),
                    block(at: index, Style.block, opacity: 1),
                    disc(at: index, ["fill": Style.agent]),
                    SVG.label(text, at: SIMD2(4, size.y + 34), size: 28, Style.ink),
                ]
            )
        }
        let width = 2 * Style.margin + Double(panels) * size.x + Double(panels - 1) * gap
        return document(width: width, height: size.y + 2 * Style.margin + 40, scale: 0.4, pictures)
    }

    // MARK: - Parts of a picture

    private enum Style {
        static let margin = 16.0
        static let chartHeight = 56.0
        static let paper = "#ffffff"
        static let ink = "#4b5157"
        static let label = "#8b8f93"
        static let faint = "#d9d6d0"
        // Wider than the block's, so that a rim of the goal shows around a block that covers it.
        static let goal = Paint(fill: "#e9f2e9", stroke: "#9cc3a2", outline: 7)
        static let block = Paint(fill: "#7d93ab", stroke: "#3f566e", outline: 3)
        static let ghost = Paint(fill: "#dfe5ec", stroke: "#7d93ab", outline: 2)
        static let agent = "#c4694b"
    }

    private struct Paint {
        let fill: String
        let stroke: String
        /// Twice what shows of the outline: the fill covers the inner half.
        let outline: Int

        var attributes: KeyValuePairs<String, String> {
            ["href": "#block", "fill": fill, "stroke": stroke, "stroke-width": String(outline)]
        }
    }

    /// The table, the coverage over time below it, and a line of text.
    private func page(note: String = "", scene: [SVG], chart: [SVG]) -> String {
        let size = recording.scenario.world.size
        let success = recording.scenario.episode.successCoverage
        let threshold = chartY(success)
        let frame = [
            SVG.line(from: SIMD2(0, Style.chartHeight), to: SIMD2(size.x, Style.chartHeight), Style.faint),
            SVG.line(
                from: SIMD2(0, threshold),
                to: SIMD2(size.x, threshold),
                Style.goal.stroke,
                dashes: "3 3"
            ),
            SVG.label("coverage", at: SIMD2(0, threshold + 14), size: 10, Style.label),
            SVG.label(
                "success above \(success)",
                at: SIMD2(size.x, threshold - 5),
                size: 10,
                Style.label,
                anchor: "end"
            ),
        ]
        let captionY = size.y + Style.margin + Style.chartHeight + 50
        return document(
            width: size.x + 2 * Style.margin,
            height: captionY + Style.margin,
            scale: 1,
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
                SVG.label(summary, at: SIMD2(Style.margin, captionY), size: 13, Style.ink),
                SVG.label(
                    note,
                    at: SIMD2(size.x + Style.margin, captionY),
                    size: 13,
                    Style.label,
                    anchor: "end"
                ),
            ]
        )
    }

    private func document(width: Double, height: Double, scale: Double, _ content: [SVG]) -> String {
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
        let table = SVG(
            "g",
            ["id": "table"],
            scenario.world.walls.map { SVG.line(from: $0.from, to: $0.to, Style.faint, width: 2 * $0.radius) }
                + [goal]
        )
        let picture = SVG(
            "svg",
            [
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": "0 0 \(SVG.number(width)) \(SVG.number(height))",
                "width": SVG.number(width * scale), "height": SVG.number(height * scale),
                "font-family": "Helvetica, Arial, sans-serif", "fill": Style.ink, "role": "img",
            ],
            [
                SVG("title", text: summary), SVG("defs", [:], [block, table]),
                SVG("rect", ["width": "100%", "height": "100%", "rx": "8", "fill": Style.paper]),
            ] + content
        )
        return picture.text + "\n"
    }

    private func pose(_ position: SIMD2<Double>, _ degrees: Double, _ paint: Paint, opacity: Double) -> SVG {
        SVG(
            "g",
            [
                "transform": "translate(\(SVG.point(position))) rotate(\(SVG.number(degrees)))",
                "opacity": SVG.number(opacity, digits: 2),
            ],
            [SVG("use", paint.attributes)]
        )
    }

    private var goal: SVG {
        pose(
            recording.scenario.goal.position,
            recording.scenario.goal.angle * 180 / .pi,
            Style.goal,
            opacity: 1
        )
    }

    private func block(at index: Int, _ paint: Paint, opacity: Double) -> SVG {
        pose(recording.frames[index].blockPosition, angles[index], paint, opacity: opacity)
    }

    private func disc(at index: Int, _ attributes: KeyValuePairs<String, String>) -> SVG {
        let centre = recording.frames[index].agentPosition
        return SVG(
            "g",
            attributes,
            [
                SVG(
                    "circle",
                    [
                        "cx": SVG.number(centre.x), "cy": SVG.number(centre.y),
                        "r": SVG.number(recording.scenario.agent.radius),
                    ]
                )
            ]
        )
    }

    private func path(_ indices: ClosedRange<Int>, dashes: String = "none", _ animations: [SVG] = []) -> SVG {
        SVG(
            "polyline",
            [
                "points": recording.frames[indices].map { SVG.point($0.agentPosition) }.joined(
                    separator: " "
                ),
                "stroke-dasharray": dashes, "fill": "none", "stroke": Style.agent, "stroke-width": "1.5",
                "stroke-opacity": "0.7", "stroke-linejoin": "round",
            ],
            animations
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
                "fill": "none", "stroke": Style.block.fill, "stroke-width": "1.5", "stroke-linejoin": "round",
            ]
        )
    }

    private func chartPoint(_ index: Int) -> SIMD2<Double> {
        let last = Double(max(recording.frames.count - 1, 1))
        let x = recording.scenario.world.size.x * Double(index) / last
        return SIMD2(x, chartY(recording.frames[index].coverage))
    }

    private func chartY(_ coverage: Double) -> Double {
        Style.chartHeight * (1 - coverage)
    }

    /// Frames whose blocks are far enough apart to be told apart, at most 16: where the block rests, one is
    /// enough.
    private func posesApart() -> [Int] {
        // 40 pixels from a block's origin, a turn of one degree moves the block by 0.7 pixels.
        func distance(_ a: Int, _ b: Int) -> Double {
            let move = recording.frames[a].blockPosition - recording.frames[b].blockPosition
            return (move * move).sum().squareRoot() + 0.7 * abs(angles[a] - angles[b])
        }
        let travelled = recording.frames.indices.dropFirst().reduce(0) { $0 + distance($1 - 1, $1) }
        let spacing = max(travelled / 16, 8)
        return recording.frames.indices.dropFirst().reduce(into: [0]) { poses, index in
            if let last = poses.last, distance(last, index) >= spacing { poses.append(index) }
        }
    }

    private var summary: String {
        let start = recording.seed.map { "seed \($0)" } ?? "a given start"
        let outcome = recording.isSuccess ? "success" : "no success"
        return "\(recording.scenario.name), \(start): coverage \(Self.share(recording.maxCoverage)) "
            + "in \(recording.stepCount) steps, \(outcome)"
    }

    private static func share(_ coverage: Double) -> String {
        String(format: "%.2f", coverage)
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
