import Drawing
import Foundation

/// A page that shows how each way of sampling comes to a chunk for one observation: a map of its passes, and the plan after each.
package struct Explanation {
    private let policy: String
    private let observation: String
    private let solver: String
    private let actionDim: Int
    private let version: String
    private let drawing: PlanDrawing
    /// Sequential sampling first.
    private let methods: [ExplainedMethod]
    /// By how much two plans differ, on the network's scale.
    private let deviation: ([Float], [Float]) -> Float

    /// - Parameters:
    ///   - policy: its name.
    ///   - observation: which one it is, in a few words.
    ///   - solver: how many steps of which solver, in a few words.
    ///   - version: the program's.
    ///   - methods: sequential sampling first; all from the same observation, noise and solver.
    ///   - deviation: by how much two plans differ on the network's scale.
    package init(
        policy: String,
        observation: String,
        solver: String,
        actionDim: Int,
        version: String,
        drawing: PlanDrawing,
        methods: [ExplainedMethod],
        deviation: @escaping ([Float], [Float]) -> Float
    ) {
        precondition(!methods.isEmpty, "there is sequential sampling at least")
        (self.policy, self.observation, self.solver) = (policy, observation, solver)
        (self.actionDim, self.version, self.drawing) = (actionDim, version, drawing)
        (self.methods, self.deviation) = (methods, deviation)
    }

    /// The page.
    package var html: String {
        let reference = methods[0].samplesByStep
        let mostPasses = methods.map(\.explained.passes.count).max() ?? 1
        let drawn = DrawnPlans(methods, drawing: drawing, actionDim: actionDim)
        let panels = methods.enumerated().map { index, method in
            panel(method, index: index, reference: reference, mostPasses: mostPasses, drawn: drawn)
        }
        return Page(
            title: "How a chunk is sampled",
            kind: "denoised explain",
            lead: [HTML.paragraph("\(policy), \(solver), \(observation)")],
            sections: [
                Page.section(
                    "Pass by pass",
                    id: "passes",
                    about: """
                        Each map has a row for each denoising step, the noisiest at the top, and a column for each pass of the network. A \
                        cell is an evaluation. Its colour says how far the sample was from sequential sampling's at that step: \
                        green cells are as good as settled. The pictures show what is planned after the pass that is marked. \
                        \(drawing.legend(actionDim: actionDim))
                        """,
                    [legend, controls(mostPasses: mostPasses), HTML("div", ["class": "panels"], panels)]
                ),
                Page.section("In numbers", id: "numbers", [table]),
            ],
            footer: [
                HTML.paragraph("Made by denoised \(version). docs/SAMPLING.md says how the samplers work.")
            ],
            style: Self.style,
            script: Self.script
        ).text
    }

    // MARK: Parts

    private var legend: HTML {
        let bounds = Residual.bounds.map { SVG.number($0, digits: 3) }
        let names = ["below \(bounds[0])"] + bounds.map { "from \($0)" }
        return HTML(
            "ul",
            ["class": "legend"],
            names.enumerated().map { level, name in
                HTML("li", [HTML("span", ["class": "key r\(level)"]), HTML(text: name)])
            } + [HTML("li", text: "root mean square; actions span 2")]
        )
    }

    /// Hidden until the script runs, for without it nothing moves.
    private func controls(mostPasses: Int) -> HTML {
        HTML(
            "div",
            ["class": "controls", "hidden": "hidden"],
            [
                HTML("button", ["type": "button", "id": "play"], text: "Play"),
                HTML("label", ["for": "pass"], text: "Pass"),
                HTML(
                    "input",
                    [
                        "type": "range", "id": "pass", "min": "1", "max": "\(mostPasses)",
                        "value": "\(mostPasses)",
                    ]
                ),
                HTML("output", ["for": "pass", "id": "number"], text: "\(mostPasses) of \(mostPasses)"),
            ]
        )
    }

    private func panel(
        _ method: ExplainedMethod,
        index: Int,
        reference: [[Float]],
        mostPasses: Int,
        drawn: DrawnPlans
    ) -> HTML {
        let result = method.explained.chunk.prediction
        let exact = methods[0].explained.chunk.prediction
        let map = ResidualMap(
            method: method,
            residuals: Residual.all(of: method, reference: reference),
            mostPasses: mostPasses
        )
        return HTML(
            "article",
            [
                "class": "panel \(Page.series(index))",
                "data-plans": data(of: method, drawn: drawn, exact: exact),
            ],
            [
                HTML("h3", text: method.name),
                HTML.paragraph(method.detail, class: "note"),
                HTML(
                    "div",
                    ["class": "mapped"],
                    [HTML(map.svg), HTML.paragraph(Self.axes(of: method), class: "axes")]
                ),
                HTML(
                    drawing.svg(
                        plan: drawn.lines(result),
                        reference: drawn.lines(exact),
                        title: "The plan of \(method.name)"
                    )
                ),
                HTML.paragraph(Self.sentence(method), class: "state"),
            ]
        )
    }

    private static func axes(of method: ExplainedMethod) -> String {
        "\(method.explained.passes.count) passes to the right, \(method.explained.timesteps.count) steps down"
    }

    /// What the page says below a picture before anything moves.
    private static func sentence(_ method: ExplainedMethod) -> String {
        "done after \(method.explained.passes.count) passes, \(SVG.number(method.milliseconds)) ms"
    }

    private struct MovingPart: Encodable {
        /// For each pass its window's first step and the one after its last, its evaluations, the milliseconds since the beginning,
        /// and the plan's deviation.
        let passes: [[Double]]
        /// The points of each line after every so many passes, from the first on, and after the last.
        let lines: [[String]]
        let every: Int
        let steps: Int
    }

    private func data(of method: ExplainedMethod, drawn: DrawnPlans, exact: [Float]) -> String {
        var elapsed = 0.0
        let times = method.explained.chunk.passes.map { $0.duration / .milliseconds(1) }
        let passes = method.explained.passes.enumerated().map { index, pass in
            if index < times.count { elapsed += times[index] }
            let window = (pass.steps.min() ?? 0, (pass.steps.max() ?? 0) + 1)
            let difference = Double(deviation(method.plan(after: index), exact))
            return [
                Double(window.0), Double(window.1), Double(pass.steps.count), (elapsed * 100).rounded() / 100,
                (difference * 10_000).rounded() / 10_000,
            ]
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let part = MovingPart(
            passes: passes,
            lines: drawn.lines(of: method),
            every: drawn.every,
            steps: method.explained.timesteps.count
        )
        guard let json = try? encoder.encode(part) else {
            preconditionFailure("numbers and texts can be encoded")
        }
        return String(decoding: json, as: UTF8.self)
    }

    private var table: HTML {
        let exact = methods[0]
        let head = ["", "passes", "evaluations", "ms", "times as fast", "deviation"].map {
            HTML("th", text: $0)
        }
        let rows = methods.enumerated().map { index, method in
            let report = method.explained.chunk.report
            let cells = [
                "\(report.parallelIterations)", "\(report.modelEvaluations)", SVG.number(method.milliseconds),
                index == 0 ? "" : SVG.number(exact.milliseconds / max(method.milliseconds, 1e-6), digits: 2),
                index == 0
                    ? ""
                    : SVG.number(
                        Double(
                            deviation(method.explained.chunk.prediction, exact.explained.chunk.prediction)
                        ),
                        digits: 4
                    ),
            ]
            return HTML(
                "tr",
                [
                    HTML(
                        "td",
                        ["class": "run"],
                        [
                            HTML("span", ["class": "chip \(Page.series(index))"], text: "\(index + 1)"),
                            HTML(text: method.name),
                        ]
                    )
                ] + cells.map { HTML("td", text: $0) }
            )
        }
        return HTML.table(head, rows)
    }
}
