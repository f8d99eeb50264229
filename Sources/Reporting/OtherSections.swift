import Drawing

extension Report {
    /// What parallel sampling costs in evaluations and in deviation.
    var deviationSection: HTML? {
        guard !deviations.isEmpty else { return nil }
        var series: [String] = []
        var rows: [HTML] = []
        var points: [(DeviationPoint, color: String)] = []
        for (label, found) in deviations {
            for point in found {
                let name = (deviations.count > 1 ? "\(label): " : "") + Self.seriesName(point)
                if !series.contains(name) { series.append(name) }
                let color = Page.series(series.firstIndex(of: name) ?? 0)
                points.append((point, color))
                rows.append(deviationRow(point, name: name, color: color))
            }
        }
        let legend = series.enumerated().map { index, name in
            HTML("li", [HTML("span", ["class": "key \(Page.series(index))"]), HTML(text: name)])
        }
        let head = [
            "sampling", "arithmetic", "window", "passes", "evaluations", "deviation", "worst", "ms p50",
            "p99",
        ]
        return Page.section(
            "Deviation against evaluations",
            id: "deviation",
            about:
                "By how much chunks differ from the sequential ones in f32 with the same noise, in normalised units, in which the actions "
                + "span 2. Dots are means, whiskers reach up to the worst chunk, numbers are windows. What differs by less than a "
                + "millionth is drawn at the bottom.",
            [
                HTML("ul", ["class": "legend"], legend), deviationChart(points),
                .table(
                    head.enumerated().map {
                        HTML("th", ["class": $0.offset < 2 ? "text" : ""], text: $0.element)
                    },
                    rows
                ),
            ]
        )
    }

    private static func seriesName(_ point: DeviationPoint) -> String {
        ReportText.name(
            "\(point.sampler.solver) \(point.sampler.steps) \(point.sampler.method), \(point.precision)"
        )
    }

    private func deviationChart(_ points: [(DeviationPoint, color: String)]) -> HTML {
        let floor = 1e-6
        let largest = max(points.map { max($0.0.deviationMax, $0.0.deviationMean) }.max() ?? 0, 10 * floor)
        let smallest = points.map { max($0.0.deviationMean, floor) }.min() ?? floor
        let y = Axis.logarithmic([smallest * 0.7, largest * 1.4])
        let x = Axis.linear(points.map(\.0.evaluationsMean) + [0], within: 0...1e12, count: 6)
        return ScatterChart(
            points.map { point, color in
                ScatterChart.Point(
                    x: point.evaluationsMean,
                    y: max(point.deviationMean, floor),
                    top: max(point.deviationMax, floor),
                    label: point.sampler.window > 1 ? String(point.sampler.window) : "",
                    tip: "\(Self.seriesName(point)), window \(point.sampler.window): "
                        + "\(ReportText.fixed(point.evaluationsMean, 1)) evaluations, deviation "
                        + "\(ReportText.fixed(point.deviationMean, 5)), at most \(ReportText.fixed(point.deviationMax, 5))",
                    color: color
                )
            },
            x: x,
            y: y
        ).html(xTitle: "evaluations of the network, a chunk", yTitle: "deviation")
    }

    private func deviationRow(_ point: DeviationPoint, name: String, color: String) -> HTML {
        let texts = [
            String(point.sampler.window), ReportText.fixed(point.iterationsMean, 1),
            ReportText.fixed(point.evaluationsMean, 1), ReportText.fixed(point.deviationMean, 5),
            ReportText.fixed(point.deviationMax, 5), ReportText.fixed(point.latency.p50, 2),
            ReportText.fixed(point.latency.p99, 2),
        ]
        return HTML(
            "tr",
            [
                HTML(
                    "td",
                    ["class": "run"],
                    [HTML("span", ["class": "key \(color)"]), HTML(text: name)]
                ), HTML("td", ["class": "text"], text: ReportText.name(point.sampler.kernel)),
            ] + texts.map { HTML("td", text: $0) }
        )
    }

    /// Control steps of runs whose world did not wait.
    var realTimeSection: HTML? {
        let rows = runs.compactMap { labelled in
            labelled.run.realTime.map { found in
                let steps = Double(max(found.steps, 1))
                func share(_ count: Int) -> String { ReportText.percent(Double(count) / steps) }
                let texts = [
                    found.delayMs.map { ReportText.fixed($0, 0) } ?? "\u{2013}", String(found.steps),
                    share(found.heldSteps), share(found.beyondSteps), share(found.lateSteps),
                    ReportText.fixed(found.jumpMean, 0), ReportText.fixed(found.otherJumpMean, 0),
                ]
                return HTML(
                    "tr",
                    [
                        labelled.cell,
                        HTML("td", ["class": "text"], text: ReportText.name(found.schedule ?? "\u{2013}")),
                    ] + texts.map { HTML("td", text: $0) }
                )
            }
        }
        guard !rows.isEmpty else { return nil }
        let head = [
            "run", "strategy", "delay, ms", "steps", "held", "beyond", "late", "jump at hand-over",
            "elsewhere",
        ]
        return Page.section(
            "A world that does not wait",
            id: "realtime",
            about:
                "Held: control steps without an action. Beyond: with an action that the policy predicted beyond those to carry out. Late: "
                + "begun more than a tenth of a period late. Jumps are of the target\u{2019}s velocity, in the world\u{2019}s units a second, "
                + "in the mean.",
            [.table(head.map { HTML("th", ["class": $0 == "strategy" ? "text" : ""], text: $0) }, rows)]
        )
    }

    /// What became of frames.
    var cameraSection: HTML? {
        let rows = runs.compactMap { labelled in
            labelled.run.camera.map { camera in
                let texts = [camera.lostFrames, camera.repeatedFrames, camera.blindSteps].map {
                    $0.map(String.init) ?? "0"
                }
                let names = [camera.name, camera.encoding, camera.disturbances ?? "nothing"]
                return HTML(
                    "tr",
                    [labelled.cell] + names.map { HTML("td", ["class": "text"], text: ReportText.name($0)) }
                        + texts.map { HTML("td", text: $0) }
                )
            }
        }
        guard !rows.isEmpty else { return nil }
        let head = ["run", "camera", "sent as", "disturbed by", "frames lost", "repeated", "blind steps"]
        return Page.section(
            "The camera",
            id: "camera",
            about: "Blind: control steps whose newest frame was too old to plan from.",
            [
                .table(
                    head.enumerated().map {
                        HTML("th", ["class": (1...3).contains($0.offset) ? "text" : ""], text: $0.element)
                    },
                    rows
                )
            ]
        )
    }
}
