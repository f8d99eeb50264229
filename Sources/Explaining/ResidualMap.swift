import Drawing

/// A method's evaluations: timesteps as rows, passes as columns, coloured by residual. What is dark has still to move.
struct ResidualMap {
    let method: ExplainedMethod
    let residuals: [Residual]
    /// The passes of the method that has most: a column is as wide in all maps.
    let mostPasses: Int

    /// A column's width and the map's height, in the units of the drawing.
    private static let width = 640.0
    private static let height = 400.0
    /// Of a cell, so that single ones are seen among a thousand steps.
    private static let leastHeight = 5.0

    private var rows: Int { method.explained.timesteps.count }
    private var passes: Int { method.explained.passes.count }
    private var cell: (width: Double, height: Double) {
        (Self.width / Double(max(mostPasses, 1)), Self.height / Double(max(rows, 1)))
    }

    /// The map. Its cells stand in one path for each colour, which keeps the page small.
    var svg: SVG {
        let (width, height) = (cell.width * Double(passes), Self.height)
        return SVG(
            "svg",
            [
                "viewBox": "0 0 \(SVG.number(width, digits: 2)) \(SVG.number(height))", "class": "map",
                "role": "img", "style": "width: \(SVG.number(100 * width / Self.width, digits: 2))%",
                "data-passes": "\(passes)", "preserveAspectRatio": "none",
            ],
            [
                SVG(
                    "title",
                    text:
                        "\(method.name): which of \(rows) timesteps each of \(passes) passes evaluates, and how far its sample "
                        + "still is from sequential sampling's"
                ),
                SVG(
                    "rect",
                    ["width": SVG.number(width, digits: 2), "height": SVG.number(height), "class": "ground"]
                ),
            ] + (0...Residual.bounds.count).compactMap(path)
                + [
                    SVG(
                        "rect",
                        [
                            "class": "now", "x": "0", "y": "0", "width": SVG.number(cell.width, digits: 2),
                            "height": SVG.number(height),
                        ]
                    )
                ]
        )
    }

    private func path(of level: Int) -> SVG? {
        let cells = residuals.filter { $0.level == level }
        guard !cells.isEmpty else { return nil }
        let (width, height) = cell
        let outline = cells.map { cell in
            let x = SVG.number(Double(cell.pass) * width, digits: 2)
            let y = SVG.number(Double(cell.step) * height, digits: 2)
            let (w, h) = (SVG.number(width, digits: 2), SVG.number(max(height, Self.leastHeight), digits: 2))
            return "M\(x) \(y)h\(w)v\(h)h-\(w)z"
        }
        return SVG("path", ["class": "r\(level)", "d": outline.joined()])
    }
}
