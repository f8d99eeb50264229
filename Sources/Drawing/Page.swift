/// A page of HTML that needs nothing else: no network, no other file. It follows the reader's choice of light and dark, prints well,
/// and is readable on a telephone.
///
/// Its style sheet has classes for what is drawn: `s1` to `s10` are the colours of series, `p1` to `p8` those of the parts of a whole.
package struct Page {
    /// How many colours there are for series.
    package static let seriesCount = 10

    private let title: String
    private let kind: String
    private let lead: [HTML]
    private let sections: [HTML]
    private let footer: [HTML]
    private let style: StaticString
    private let script: StaticString?

    /// - Parameters:
    ///   - title: the page's heading.
    ///   - kind: what kind of page it is, in two or three words above the heading.
    ///   - lead: what follows the heading.
    ///   - sections: what ``section(_:id:about:_:)`` makes.
    ///   - style: rules beside those that every page has.
    ///   - script: what makes the page move; nil: the page is allowed to run none.
    package init(
        title: String,
        kind: String,
        lead: [HTML] = [],
        sections: [HTML],
        footer: [HTML] = [],
        style: StaticString = "",
        script: StaticString? = nil
    ) {
        (self.title, self.kind, self.lead) = (title, kind, lead)
        (self.sections, self.footer) = (sections, footer)
        (self.style, self.script) = (style, script)
    }

    /// A part of a page with a heading.
    ///
    /// - Parameter about: what is to be seen, in a sentence or two; empty: nothing is said.
    package static func section(_ heading: String, id: String, about: String = "", _ content: [HTML]) -> HTML
    {
        let about = about.isEmpty ? [] : [HTML.paragraph(about, class: "about")]
        return HTML("section", ["id": id], [HTML("h2", text: heading)] + about + content)
    }

    /// The class of the colour of a series.
    ///
    /// - Parameter index: from 0; colours come again after ``seriesCount``.
    package static func series(_ index: Int) -> String { "s\(index % seriesCount + 1)" }

    /// The page.
    package var text: String {
        // Whatever a page is made of, the browser may neither fetch nor run anything else.
        let policy =
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
            + (script == nil ? "" : "; script-src 'unsafe-inline'")
        let head = HTML(
            "head",
            [
                HTML("meta", ["charset": "utf-8"]),
                HTML("meta", ["http-equiv": "Content-Security-Policy", "content": policy]),
                HTML("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
                HTML("meta", ["name": "color-scheme", "content": "light dark"]),
                HTML("title", text: title),
                HTML.style(Self.colors, Self.layout, Self.drawings, Self.print, style),
            ]
        )
        let body = HTML(
            "body",
            [
                HTML("header", [HTML.paragraph(kind, class: "kind"), HTML("h1", text: title)] + lead),
                HTML("main", sections),
                HTML("footer", footer),
            ] + (script.map { [HTML.script($0)] } ?? [])
        )
        return "<!DOCTYPE html>\n" + HTML("html", ["lang": "en"], [head, body]).text
    }
}

extension Page {
    private static let colors: StaticString = """
        :root {
          --paper: #faf9f6; --card: #ffffff; --ink: #1f2429; --soft: #656d75; --line: #e3dfd7; --grid: #ece8e1;
          --s1: #2f6db3; --s2: #d4761f; --s3: #3f9157; --s4: #bf3f5b; --s5: #7b5fb5;
          --s6: #1f9399; --s7: #a8890f; --s8: #c266a0; --s9: #6d7a86; --s10: #8a5a3c;
          --p1: #a89b86; --p2: #d3c8b5; --p3: #7b5fb5; --p4: #d1a72c; --p5: #2f6db3; --p6: #c4694b; --p7: #8b959e; --p8: #3f9157;
        }
        @media screen and (prefers-color-scheme: dark) {
          :root {
            --paper: #14171a; --card: #1b1f23; --ink: #e8e6e1; --soft: #9aa3ab; --line: #30363c; --grid: #262b30;
            --s1: #6ba6e8; --s2: #f0a05a; --s3: #74c28a; --s4: #ec7f95; --s5: #ad96e6;
            --s6: #5cc6cb; --s7: #d8bc4a; --s8: #e59bc9; --s9: #a7b3be; --s10: #c99a79;
            --p1: #8c8170; --p2: #5c564b; --p3: #ad96e6; --p4: #d8b54a; --p5: #6ba6e8; --p6: #de8a6d; --p7: #7c868f; --p8: #74c28a;
          }
        }
        .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); } .s4 { --c: var(--s4); }
        .s5 { --c: var(--s5); } .s6 { --c: var(--s6); } .s7 { --c: var(--s7); } .s8 { --c: var(--s8); }
        .s9 { --c: var(--s9); } .s10 { --c: var(--s10); }
        .p1 { --c: var(--p1); } .p2 { --c: var(--p2); } .p3 { --c: var(--p3); } .p4 { --c: var(--p4); }
        .p5 { --c: var(--p5); } .p6 { --c: var(--p6); } .p7 { --c: var(--p7); } .p8 { --c: var(--p8); }
        """

    private static let layout: StaticString = """
        * { box-sizing: border-box; }
        html { -webkit-text-size-adjust: 100%; }
        body {
          margin: 0 auto; padding: 2.5rem 1.5rem 3rem; max-width: 78rem; background: var(--paper); color: var(--ink);
          font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
          font-variant-numeric: tabular-nums;
        }
        header { margin-bottom: 2rem; }
        .kind { margin: 0; color: var(--soft); font-size: .8rem; font-weight: 600; letter-spacing: .08em; text-transform: uppercase; }
        h1 { margin: .1rem 0 .6rem; font-size: clamp(1.6rem, 4.5vw, 2.3rem); line-height: 1.15; letter-spacing: -.015em; }
        h1, h2, h3, p, li { overflow-wrap: anywhere; }
        h2 { margin: 0 0 .3rem; font-size: 1.3rem; letter-spacing: -.01em; }
        h3 { margin: 0 0 .5rem; font-size: .95rem; font-weight: 600; }
        section { margin: 0 0 1.5rem; padding: 1.4rem 1.5rem 1.5rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
        p { margin: .3rem 0; } .about { margin: 0 0 1.1rem; max-width: 46rem; color: var(--soft); }
        .note { color: var(--soft); font-size: .87rem; max-width: 52rem; }
        ul { margin: .3rem 0; padding-left: 1.2rem; }
        footer { color: var(--soft); font-size: .85rem; }
        footer h2 { font-size: 1rem; color: var(--ink); }
        .grid { display: grid; gap: 1.6rem 2.2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); }
        .grid > * { min-width: 0; } .grid > .whole { grid-column: 1 / -1; } .grid + * { margin-top: 1.6rem; }
        .tiles { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); margin: 0 0 1.5rem; }
        .tile { padding: 1rem 1.2rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
        .tile p { margin: 0; } .tile .name { color: var(--soft); font-size: .85rem; }
        .tile .value { font-size: 1.75rem; font-weight: 600; line-height: 1.25; letter-spacing: -.02em; }
        .tile .more { color: var(--soft); font-size: .85rem; }
        .scroll { overflow-x: auto; }
        table { width: 100%; border-collapse: collapse; font-size: .9rem; }
        th { padding: .3rem .55rem; color: var(--soft); font-size: .8rem; font-weight: 500; text-align: right; vertical-align: bottom; white-space: nowrap; }
        td { padding: .35rem .55rem; text-align: right; border-top: 1px solid var(--line); white-space: nowrap; }
        th:first-child, td:first-child { padding-left: 0; text-align: left; } th:last-child, td:last-child { padding-right: 0; }
        th.text, td.text { text-align: left; } td.long { white-space: normal; min-width: 10rem; }
        td.run { max-width: 15rem; overflow: hidden; text-overflow: ellipsis; }
        td.chart { width: 55%; min-width: 8rem; padding-top: 0; padding-bottom: 0; }
        tr.axis td { border-top: 0; padding-top: 0; }
        .chip {
          display: inline-block; min-width: 1.6rem; margin-right: .5rem; padding: 0 .3rem; border-radius: 5px; background: var(--c); color: var(--paper);
          font-size: .75rem; font-weight: 700; line-height: 1.35rem; text-align: center; vertical-align: .05em;
        }
        .legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: 0 0 1rem; padding: 0; list-style: none; font-size: .85rem; color: var(--soft); }
        figure { margin: 0; }
        .fact { margin: .9rem 0 .15rem; font-size: .87rem; color: var(--soft); } .fact strong { color: var(--ink); }
        .key { display: inline-block; width: .8rem; height: .8rem; margin-right: .45rem; border-radius: 3px; background: var(--c); vertical-align: -.08em; }
        .soft { color: var(--soft); } .strong { font-weight: 600; }
        @media (max-width: 40rem) {
          body { padding: 1.5rem .8rem 2rem; } section { padding: 1.1rem .9rem 1.2rem; } table { font-size: .84rem; }
          td, th { padding-left: .35rem; padding-right: .35rem; } td.run { max-width: 9rem; } td.chart { min-width: 5.5rem; } section { border-radius: 8px; }
          .charts { font-size: .8rem; } .charts td, .charts th { padding-left: .25rem; padding-right: .25rem; }
          .charts .label, .minor { display: none; }
        }
        """

    private static let drawings: StaticString = """
        svg { display: block; } .strip { overflow: visible; }
        svg text { font-size: 11px; fill: var(--ink); } svg .tick { fill: var(--soft); }
        line.grid { stroke: var(--grid); stroke-width: 1; } .base { stroke: var(--line); stroke-width: 1; }
        .zero { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 3; } .small { fill: var(--c); }
        .pass { fill: var(--c); fill-opacity: .8; } .bar { fill: var(--c); fill-opacity: .22; } .fill { fill: var(--c); fill-opacity: .85; } .span { fill: var(--c); }
        .whisker { stroke: var(--c); stroke-width: 1.75; } .dot { fill: var(--c); stroke: var(--card); stroke-width: 1.5; }
        .mark { stroke: var(--ink); stroke-width: 1.25; } .mark.far { stroke-dasharray: 2 2; } .limit { stroke: var(--s4); stroke-width: 1.5; }
        .scatter { display: grid; grid-template-columns: 3.2rem 1fr; column-gap: .5rem; margin: 0 0 1.4rem; } .scatter .plot { min-width: 0; }
        .axis-name { grid-column: 1 / -1; margin: 0 0 .3rem; color: var(--soft); font-size: .8rem; } .axis-name.end { text-align: right; }
        """

    private static let print: StaticString = """
        @media print {
          :root { --paper: #ffffff; --ink: #000000; --soft: #4a5157; --line: #cfcac1; --grid: #e6e2da; }
          * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
          body { max-width: none; padding: 0; font-size: 10pt; } section { padding: 0; border: 0; } .scroll { overflow: visible; }
          figure, tr, .tile { break-inside: avoid; } h2, h3, .about { break-after: avoid; }
        }
        """
}
