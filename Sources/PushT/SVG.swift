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
        let opening = attributes.reduce("<\(name)") { #"\#($0) \#($1.key)="\#(SVG.escaped($1.value))""# }
        let content = SVG.escaped(text) + children.map(\.text).joined(separator: "\n")
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

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
