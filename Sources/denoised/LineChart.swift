import Drawing
import Foundation
import Planning

/// Line charts side by side in rows of two, as a self-contained SVG.
struct LineChart {
    /// One line.
    struct Series {
        let name: String
        /// Where along the x axis, 0 to 1, with the standard error where there is one. A single point is drawn as a dashed
        /// line across the panel.
        let points: [(x: Double, y: Double, error: Double)]
    }
    /// What the y axis shows.
    enum Scale {
        /// Shares, 0 to 1: from the tenth below the lowest, so that small differences near 1 show.
        case share
        /// Amounts from 0 up.
        case amount
    }
    /// One pair of axes.
    struct Panel {
        let title: String
        let scale: Scale
        /// Where along the x axis, 0 to 1, and what it is.
        let ticks: [(x: Double, label: String)]
        let series: [Series]
    }

    let title: String
    let panels: [Panel]

    private static let size = SIMD2(300.0, 190.0)
    private static let gap = SIMD2(64.0, 66.0)
    private static let corner = SIMD2(48.0, 56.0)
    private static let textSize = 11
    private static let (ink, faint) = ("#4b5157", "#d9d6d0")
    private static let colors = ["#8b8f93", "#c9a227", "#c4694b", "#3f566e", "#5f9a6a", "#a0789c"]

    /// The drawing.
    var svg: String {
        let columns = min(panels.count, 2)
        let rows = (panels.count + 1) / 2
        let width = 2 * Self.corner.x + Double(columns) * Self.size.x + Double(columns - 1) * Self.gap.x
        let height = Self.corner.y + Double(rows) * (Self.size.y + Self.gap.y) - 28
        let picture = SVG(
            "svg",
            [
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": "0 0 \(SVG.number(width)) \(SVG.number(height))",
                "width": SVG.number(width), "height": SVG.number(height),
                "font-family": "Helvetica, Arial, sans-serif", "font-size": String(Self.textSize),
                "fill": Self.ink,
                "role": "img",
            ],
            [
                SVG("title", text: title),
                SVG("rect", ["width": "100%", "height": "100%", "rx": "8", "fill": "#ffffff"]),
            ] + legend
                + panels.enumerated().map { index, panel in
                    let place = SIMD2(Double(index % 2), Double(index / 2))
                    return SVG(
                        "g",
                        [
                            "transform":
                                "translate(\(SVG.point(Self.corner + place * (Self.size + Self.gap))))"
                        ],
                        Self.parts(of: panel)
                    )
                }
        )
        return picture.text + "\n"
    }

    private var legend: [SVG] {
        let names = panels.first?.series.map(\.name) ?? []
        var x = Self.corner.x
        return names.enumerated().flatMap { index, name in
            defer { x += 40 + 6.2 * Double(name.count) }
            return [
                SVG.line(from: SIMD2(x, 16), to: SIMD2(x + 18, 16), Self.color(index), width: 2),
                SVG.label(name, at: SIMD2(x + 24, 20), size: Self.textSize, Self.ink),
            ]
        }
    }

    private static func parts(of panel: Panel) -> [SVG] {
        let axis = axis(of: panel)
        func place(_ x: Double, _ y: Double) -> SIMD2<Double> {
            SIMD2(x * size.x, size.y * (1 - (y - axis.bottom) / (axis.top - axis.bottom)))
        }
        var parts = [SVG.label(panel.title, at: SIMD2(0, -12), size: textSize, ink)]
        for value in stride(from: axis.top, through: axis.bottom - 1e-9, by: -axis.step) {
            let point = place(0, value)
            parts.append(SVG.line(from: point, to: SIMD2(size.x, point.y), faint))
            parts.append(
                SVG.label(
                    fixed(value, panel.scale == .share ? 2 : 0),
                    at: point + SIMD2(-6, 4),
                    size: textSize,
                    ink,
                    anchor: "end"
                )
            )
        }
        for tick in panel.ticks {
            parts.append(
                SVG.label(
                    tick.label,
                    at: SIMD2(tick.x * size.x, size.y + 18),
                    size: textSize,
                    ink,
                    anchor: "middle"
                )
            )
        }
        for (index, series) in panel.series.enumerated() {
            parts += lines(of: series, color: color(index), top: axis.top, place: place)
        }
        return parts
    }

    private static func axis(of panel: Panel) -> (bottom: Double, top: Double, step: Double) {
        let points = panel.series.flatMap(\.points)
        switch panel.scale {
        case .share:
            let lowest = points.map { $0.y - $0.error }.min() ?? 0
            let bottom = min(max((lowest * 10).rounded(.down) / 10, 0), 0.9)
            return (bottom, 1, bottom < 0.5 ? 0.2 : bottom < 0.8 ? 0.1 : 0.05)
        case .amount:
            let largest = max(points.map { $0.y + $0.error }.max() ?? 0, 1)
            let magnitude = pow(10, log10(largest).rounded(.down))
            let step = [0.2, 0.5, 1, 2].map { $0 * magnitude }.first { largest <= 5 * $0 } ?? 2 * magnitude
            return (0, (largest / step).rounded(.up) * step, step)
        }
    }

    private static func lines(
        of series: Series,
        color: String,
        top: Double,
        place: (Double, Double) -> SIMD2<Double>
    ) -> [SVG] {
        if series.points.count == 1, let only = series.points.first {
            return [SVG.line(from: place(0, only.y), to: place(1, only.y), color, width: 1.5, dashes: "4 3")]
        }
        let marks = series.points.flatMap { point in
            let centre = place(point.x, point.y)
            return [
                SVG.line(
                    from: place(point.x, point.y - point.error),
                    to: place(point.x, min(point.y + point.error, top)),
                    color
                ),
                SVG(
                    "circle",
                    ["cx": SVG.number(centre.x), "cy": SVG.number(centre.y), "r": "3", "fill": color]
                ),
            ]
        }
        let path = series.points.map { SVG.point(place($0.x, $0.y)) }.joined(separator: " ")
        return [SVG("polyline", ["points": path, "fill": "none", "stroke": color, "stroke-width": "2"])]
            + marks
    }

    private static func color(_ index: Int) -> String { colors[index % colors.count] }
}
