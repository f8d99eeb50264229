/// A drawing as wide as the place that it gets, and of a fixed height. Along x, places are shares of the width; along y they are
/// pixels. So its text and its lines keep their size on a telephone.
///
/// Colours come from the classes of ``Page``: `s1` to `s10` for series, `p1` to `p8` for parts.
package struct Strip {
    /// Which side of its place a text is on.
    package enum Anchor: String { case start, middle, end }

    package let height: Double
    private let title: String
    private var parts: [SVG] = []

    /// - Parameters:
    ///   - height: in pixels.
    ///   - title: what it shows, for people who do not see it.
    package init(height: Double, title: String) {
        self.height = height
        self.title = title
    }

    private static func percent(_ share: Double) -> String { SVG.number(share * 100, digits: 2) + "%" }

    /// A box from one share of the width to another.
    ///
    /// - Parameter tip: shown to a pointer above it.
    package mutating func box(
        _ x: ClosedRange<Double>,
        y: ClosedRange<Double>,
        class style: String,
        tip: String? = nil
    ) {
        parts.append(
            SVG(
                "rect",
                [
                    "x": Self.percent(x.lowerBound), "y": SVG.number(y.lowerBound),
                    "width": Self.percent(x.upperBound - x.lowerBound),
                    "height": SVG.number(y.upperBound - y.lowerBound), "class": style,
                ],
                tip.map { [SVG("title", text: $0)] } ?? []
            )
        )
    }

    package mutating func line(
        from start: (x: Double, y: Double),
        to end: (x: Double, y: Double),
        class style: String
    ) {
        parts.append(
            SVG(
                "line",
                [
                    "x1": Self.percent(start.x), "y1": SVG.number(start.y), "x2": Self.percent(end.x),
                    "y2": SVG.number(end.y), "class": style,
                ]
            )
        )
    }

    package mutating func dot(
        at place: (x: Double, y: Double),
        radius: Double,
        class style: String,
        tip: String? = nil
    ) {
        parts.append(
            SVG(
                "circle",
                [
                    "cx": Self.percent(place.x), "cy": SVG.number(place.y), "r": SVG.number(radius),
                    "class": style,
                ],
                tip.map { [SVG("title", text: $0)] } ?? []
            )
        )
    }

    /// Text in one line, its baseline at `place`.
    package mutating func label(
        _ text: String,
        at place: (x: Double, y: Double),
        anchor: Anchor = .middle,
        class style: String = ""
    ) {
        parts.append(
            SVG(
                "text",
                [
                    "x": Self.percent(place.x), "y": SVG.number(place.y), "text-anchor": anchor.rawValue,
                    "class": style,
                ],
                text: text
            )
        )
    }

    /// A closed shape of which only the outline's corners are given; it is stretched with the width.
    ///
    /// - Parameter corners: x from 0 to 1, y in pixels.
    package mutating func shape(_ corners: [(x: Double, y: Double)], class style: String) {
        let path = corners.map {
            "\(SVG.number($0.x * Self.unit)) \(SVG.number($0.y))"
        }
        stretched("M" + path.joined(separator: "L") + "Z", class: style)
    }

    /// Boxes as one shape, which takes little room in the file.
    package mutating func boxes(
        _ boxes: [(x: ClosedRange<Double>, y: ClosedRange<Double>)],
        class style: String
    ) {
        let path = boxes.map { box in
            let width = SVG.number((box.x.upperBound - box.x.lowerBound) * Self.unit)
            let height = SVG.number(box.y.upperBound - box.y.lowerBound)
            return
                "M\(SVG.number(box.x.lowerBound * Self.unit)) \(SVG.number(box.y.lowerBound))h\(width)v\(height)h-\(width)z"
        }
        stretched(path.joined(), class: style)
    }

    /// The width of a path in its own units.
    private static let unit = 1000.0

    private mutating func stretched(_ path: String, class style: String) {
        parts.append(
            SVG(
                "svg",
                [
                    "width": "100%", "height": SVG.number(height), "preserveAspectRatio": "none",
                    "viewBox": "0 0 \(SVG.number(Self.unit)) \(SVG.number(height))",
                ],
                [SVG("path", ["d": path, "class": style])]
            )
        )
    }

    /// Lines across the strip at an axis's ticks.
    package mutating func grid(_ axis: Axis) {
        for tick in axis.ticks {
            let x = axis.place(tick.value)
            line(from: (x, 0), to: (x, height), class: "grid")
        }
    }

    /// The drawing.
    package var html: HTML {
        HTML(
            SVG(
                "svg",
                [
                    "width": "100%", "height": SVG.number(height), "class": "strip", "role": "img",
                    "aria-label": title,
                ],
                parts
            )
        )
    }
}
