import Foundation
import FoundationXML
import Testing

@testable import Drawing

@Suite struct HTMLTests {
    @Test func everythingThatIsNotOursIsEscaped() {
        let name = "<script>alert(\"1\")</script> & \u{0}\u{1b}"
        let element = HTML("p", ["title": name], text: name, [HTML(text: name)])
        #expect(
            element.text
                == "<p title=\"&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; \u{fffd}\u{fffd}\">"
                + String(
                    repeating: "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; \u{fffd}\u{fffd}",
                    count: 2
                )
                + "</p>\n"
        )
        #expect(SVG("text", text: name).text.contains("&lt;script&gt;"))
    }

    @Test func elementsWithoutContentHaveNoEndTag() {
        #expect(HTML("br").text == "<br/>\n")
        // A browser takes an empty element of another name for one that was not closed.
        #expect(HTML("td").text == "<td></td>\n")
        #expect(HTML("span", ["class": "key"]).text == "<span class=\"key\"></span>")
    }

    @Test func aPageIsWellFormedAndMayFetchNothing() throws {
        let page = Page(
            title: "<b>",
            kind: "kind",
            sections: [Page.section("One", id: "one", about: "About it.", [.paragraph("Text")])],
            footer: [.paragraph("End")]
        ).text
        #expect(page.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">"))
        #expect(XMLParser(data: Data(page.utf8)).parse())
        #expect(page.contains("default-src 'none'; style-src 'unsafe-inline'; img-src data:\""))
        #expect(page.contains("<h1>&lt;b&gt;</h1>") && page.contains("<title>&lt;b&gt;</title>"))
        #expect(!page.contains("<script"))
        #expect(page.contains("prefers-color-scheme: dark") && page.contains("@media print"))
    }

    @Test func aPageMayHaveAScriptOfItsOwn() {
        let page = Page(title: "t", kind: "k", sections: [], script: "if (1 < 2 && 3 > 2) { }").text
        #expect(XMLParser(data: Data(page.utf8)).parse())
        #expect(page.contains("script-src 'unsafe-inline'"))
        #expect(page.contains("if (1 < 2 && 3 > 2) { }"))
    }
}
