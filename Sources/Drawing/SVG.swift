import Foundation

/// The text of an SVG element. Attribute values and text come from ``SVG``'s own functions or are escaped.
package struct SVG {
    package let text: String

    /// `<name attributes>children</name>`; `text` is character data before the children.
    package init(
        _ name: String,
        _ attributes: KeyValuePairs<String, String> = [:],
        text: String = "",
        _ children: [SVG] = []
    ) {
        let opening = attributes.reduce("<\(name)") { #"\#($0) \#($1.key)="\#($1.value.escapedForMarkup)""# }
        let content = text.escapedForMarkup + children.map(\.text).joined(separator: "\n")
        self.text = content.isEmpty ? "\(opening)/>" : "\(opening)>\(content)</\(name)>"
    }

    /// The shortest decimal form of a number rounded to `digits` decimals: small files, and the same on every
    /// run.
    package static func number(_ value: Double, digits: Int = 1) -> String {
        let scale = pow(10, Double(digits))
        let rounded = (value * scale).rounded() / scale
        return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
    }

    package static func point(_ point: SIMD2<Double>) -> String {
        "\(number(point.x)),\(number(point.y))"
    }

    package static func line(
        from start: SIMD2<Double>,
        to end: SIMD2<Double>,
        _ color: String,
        width: Double = 1,
        dashes: String = "none"
    ) -> SVG {
        SVG(
            "line",
            [
                "x1": number(start.x), "y1": number(start.y), "x2": number(end.x), "y2": number(end.y),
                "stroke": color, "stroke-width": number(width), "stroke-linecap": "round",
                "stroke-dasharray": dashes,
            ]
        )
    }

    /// Text in one line, its baseline at `place`; `anchor` is start, middle or end.
    package static func label(
        _ text: String,
        at place: SIMD2<Double>,
        size: Int,
        _ color: String,
        anchor: String = "start"
    ) -> SVG {
        SVG(
            "text",
            [
                "x": number(place.x), "y": number(place.y), "font-size": String(size), "fill": color,
                "text-anchor": anchor,
            ],
            text: text
        )
    }
}
