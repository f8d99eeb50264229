/// The text of an HTML element or of some text between elements. Attribute values and text are escaped. It is well-formed XML too, so
/// that any XML parser can check a page.
package struct HTML {
    package let text: String

    /// Elements that have no content, and no end tag.
    private static let void: Set = ["br", "col", "hr", "img", "link", "meta"]
    /// Elements between which white space shows. What follows another element stands on a line of its own.
    private static let inline: Set = ["a", "abbr", "b", "code", "em", "span", "strong", "sub", "sup"]

    /// `<name attributes>children</name>`; `text` is character data before the children.
    package init(
        _ name: String,
        _ attributes: KeyValuePairs<String, String> = [:],
        text: String = "",
        _ children: [HTML] = []
    ) {
        precondition(!["script", "style"].contains(name), "what is not escaped has functions of its own")
        let opening = attributes.reduce("<\(name)") { #"\#($0) \#($1.key)="\#($1.value.escapedForMarkup)""# }
        let end = Self.inline.contains(name) ? "" : "\n"
        guard !Self.void.contains(name) else {
            precondition(text.isEmpty && children.isEmpty, "\(name) has no content")
            self.text = "\(opening)/>\(end)"
            return
        }
        let content = text.escapedForMarkup + children.map(\.text).joined()
        self.text = "\(opening)>\(content)</\(name)>\(end)"
    }

    /// `<name>children</name>`.
    package init(_ name: String, _ children: [HTML]) { self.init(name, [:], children) }

    /// Text between elements.
    package init(text: String) { self.text = text.escapedForMarkup }

    /// A drawing in the page.
    package init(_ drawing: SVG) { text = drawing.text + "\n" }

    private init(markup: String) { text = markup }

    /// A style sheet: text of this program, never of a file.
    static func style(_ css: StaticString...) -> HTML {
        let css = css.map { "\($0)" }.joined(separator: "\n")
        precondition(!css.contains("<") && !css.contains("&"), "a style sheet without markup")
        return HTML(markup: "<style>\n\(css)\n</style>\n")
    }

    /// A script: text of this program, never of a file.
    static func script(_ code: StaticString) -> HTML {
        let code = "\(code)"
        precondition(!code.contains("</"), "a script cannot contain an end tag")
        // The comments make it well-formed XML, whatever operators it has.
        return HTML(markup: "<script>//<![CDATA[\n\(code)\n//]]></script>\n")
    }
}

extension HTML {
    /// A paragraph.
    package static func paragraph(_ text: String, class name: String? = nil) -> HTML {
        if let name { HTML("p", ["class": name], text: text) } else { HTML("p", text: text) }
    }

    /// A table: its head, then its rows. Wider ones than the window scroll by themselves.
    ///
    /// - Parameter style: the table's classes.
    package static func table(_ head: [HTML], _ rows: [HTML], class style: String = "") -> HTML {
        HTML(
            "div",
            ["class": "scroll"],
            [
                HTML(
                    "table",
                    ["class": style],
                    [HTML("thead", [HTML("tr", head)]), HTML("tbody", rows)]
                )
            ]
        )
    }
}
