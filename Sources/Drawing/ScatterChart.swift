/// Points over two axes, each with a whisker upwards.
package struct ScatterChart {
    package struct Point {
        package let x: Double
        package let y: Double
        /// Where the whisker ends; nil: there is none.
        package let top: Double?
        /// Written beside the point.
        package let label: String
        /// Shown to a pointer above it.
        package let tip: String
        /// A class of ``Page``.
        package let color: String

        package init(x: Double, y: Double, top: Double?, label: String, tip: String, color: String) {
            (self.x, self.y, self.top) = (x, y, top)
            (self.label, self.tip, self.color) = (label, tip, color)
        }
    }

    private let points: [Point]
    private let xAxis: Axis
    private let yAxis: Axis
    private static let height = 300.0

    package init(_ points: [Point], x: Axis, y: Axis) {
        self.points = points
        (xAxis, yAxis) = (x, y)
    }

    /// The chart, with the axes' names.
    package func html(xTitle: String, yTitle: String) -> HTML {
        HTML(
            "div",
            ["class": "scatter"],
            [
                HTML.paragraph(yTitle, class: "axis-name"),
                HTML("div", ["class": "y-axis"], [yLabels]),
                HTML(
                    "div",
                    ["class": "plot"],
                    [plot(title: "\(yTitle) over \(xTitle)"), Strip.labels(of: xAxis, most: 6)]
                ),
                HTML.paragraph(xTitle, class: "axis-name end"),
            ]
        )
    }

    private func down(_ value: Double) -> Double { 8 + (1 - yAxis.place(value)) * (Self.height - 16) }

    private var yLabels: HTML {
        var strip = Strip(height: Self.height, title: "axis")
        for tick in yAxis.ticks {
            strip.label(tick.label, at: (1, down(tick.value) + 4), anchor: .end, class: "tick")
        }
        return strip.html
    }

    private func plot(title: String) -> HTML {
        var strip = Strip(height: Self.height, title: title)
        strip.grid(xAxis)
        for tick in yAxis.ticks {
            strip.line(from: (0, down(tick.value)), to: (1, down(tick.value)), class: "grid")
        }
        for point in points {
            let (x, y) = (xAxis.place(point.x), down(point.y))
            if let top = point.top {
                strip.line(from: (x, y), to: (x, down(top)), class: "whisker \(point.color)")
            }
            strip.dot(at: (x, y), radius: 5, class: "dot \(point.color)", tip: point.tip)
        }
        for point in points {
            let x = xAxis.place(point.x)
            let isRight = x > 0.9
            strip.label(
                (isRight ? "" : "\u{2002} ") + point.label + (isRight ? "\u{2002} " : ""),
                at: (x, down(point.y) + 4),
                anchor: isRight ? .end : .start,
                class: "tick"
            )
        }
        return strip.html
    }
}
