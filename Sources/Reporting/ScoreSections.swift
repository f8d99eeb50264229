import Drawing
import Statistics

extension Report {
    /// Mean score, success and the scores of single episodes.
    var scoreSection: HTML? {
        let scored = runs.filter { !$0.run.episodes.isEmpty }
        guard !scored.isEmpty else { return nil }
        let figures = [meanFigure(scored), successFigure(scored), distributionFigure(scored)]
        return Page.section(
            "Score and success",
            id: "score",
            about:
                "Whiskers are 95 % intervals. An episode\u{2019}s score is the largest share of the wanted coverage that it reached.",
            [HTML("div", ["class": "grid"], figures.compactMap(\.self))]
        )
    }

    private func meanFigure(_ runs: [Labelled]) -> HTML? {
        let estimates = runs.compactMap { labelled in labelled.run.meanScore.map { (labelled, $0) } }
        return Self.estimateFigure("Mean score", column: "mean", estimates, text: ReportText.score)
    }

    private func successFigure(_ runs: [Labelled]) -> HTML? {
        let estimates = runs.compactMap { labelled in labelled.run.success.map { (labelled, $0) } }
        return Self.estimateFigure(
            "Success rate",
            column: "rate",
            unit: 100,
            estimates,
            text: ReportText.percent
        )
    }

    /// A row for each run: a dot with whiskers, and the numbers.
    ///
    /// - Parameter unit: what the axis counts in: 1, or 100 for percent.
    private static func estimateFigure(
        _ name: String,
        column: String,
        unit: Double = 1,
        _ estimates: [(labelled: Labelled, estimate: Estimate)],
        text: (Double) -> String
    ) -> HTML? {
        guard !estimates.isEmpty else { return nil }
        let ends = estimates.flatMap { row in
            [row.estimate.estimate, row.estimate.interval?.lowerBound, row.estimate.interval?.upperBound]
                .compactMap(\.self)
        }
        let axis = Axis.linear(ends.map { $0 * unit }, within: 0...unit, count: 4)
        var rows = estimates.map { labelled, estimate in
            HTML(
                "tr",
                [
                    labelled.cell,
                    chartCell(
                        Strip.whiskers(
                            estimate.estimate * unit,
                            estimate.interval.map { $0.lowerBound * unit...$0.upperBound * unit },
                            on: axis,
                            color: labelled.color,
                            title:
                                "\(labelled.label): \(text(estimate.estimate)), \(estimate.range(text))"
                        )
                    ),
                    HTML("td", ["class": "strong"], text: text(estimate.estimate)),
                    HTML(
                        "td",
                        ["class": "soft"],
                        text: estimate.interval == nil ? "\u{2013}" : estimate.range(text)
                    ),
                ]
            )
        }
        rows.append(axisRow(Strip.labels(of: axis, unit: unit == 100 ? " %" : ""), after: 2))
        return figure(name, ["run", "", column, "95 % interval"], rows)
    }

    private func distributionFigure(_ runs: [Labelled]) -> HTML? {
        let scores = runs.flatMap { $0.run.episodes.map(\.score) }
        let axis = Axis.linear(scores + [1], within: 0...1, count: 4)
        let width = (axis.high - axis.low) / 40
        var rows = runs.map { labelled in
            var counts = [Double](repeating: 0, count: 40)
            for episode in labelled.run.episodes {
                counts[min(max(Int((episode.score - axis.low) / width), 0), 39)] += 1
            }
            // Most episodes of a good policy reach 1; by the root of their number the others show as well.
            let bins = counts.enumerated().map { index, count in
                let start = axis.low + Double(index) * width
                return (start...start + width, count.squareRoot())
            }
            let lowest = labelled.run.episodes.map(\.score).min() ?? 0
            let sorted = Percentiles(labelled.run.episodes.map(\.score))
            return HTML(
                "tr",
                [
                    labelled.cell,
                    Self.chartCell(
                        Strip.histogram(
                            bins,
                            on: axis,
                            height: 34,
                            color: labelled.color,
                            title: "\(labelled.label): how many episodes had which score"
                        )
                    ),
                    HTML("td", text: ReportText.score(lowest)),
                    HTML("td", text: ReportText.score(sorted[50])),
                ]
            )
        }
        rows.append(Self.axisRow(Strip.labels(of: axis), after: 2))
        return Self.figure(
            "Scores of the episodes: a bar is as high as the root of their number",
            ["run", "", "lowest", "median"],
            rows,
            class: "whole"
        )
    }

    // MARK: Pairs

    /// Each run against the first, seed by seed.
    var pairsSection: HTML? {
        guard let base = runs.first(where: { !$0.run.episodes.isEmpty }) else { return nil }
        let others = runs.filter { $0.number != base.number && !$0.run.episodes.isEmpty }
        guard !others.isEmpty else { return nil }
        let pairs = others.compactMap { other in PairedRuns(base.run, other.run).map { (other, $0) } }
        guard !pairs.isEmpty else {
            return Page.section(
                "Differences by seed",
                id: "pairs",
                about: "No run has a seed that the first one has, so there is nothing to pair.",
                []
            )
        }
        var content = [HTML("div", ["class": "grid"], [differenceFigure(pairs), episodesFigure(pairs)])]
        if let solved = solvedTable(pairs, base: base) { content.append(solved) }
        let unpaired = others.count - pairs.count
        if unpaired > 0 {
            let runs = ReportText.count(unpaired, "run")
            content.append(.paragraph("\(runs) without a seed that the first one has.", class: "note"))
        }
        return Page.section(
            "Differences by seed",
            id: "pairs",
            about: "Each run against \(base.number), \(base.label), in the episodes that both played. "
                + "Pairs tell more than the two means: how hard an episode is drops out.",
            content
        )
    }

    private func differenceFigure(_ pairs: [(Labelled, PairedRuns)]) -> HTML {
        let ends = pairs.flatMap { pair in
            [pair.1.mean.estimate, pair.1.mean.interval?.lowerBound, pair.1.mean.interval?.upperBound]
                .compactMap(\.self)
        }
        let axis = Axis.linear(ends + [0], within: -1...1, count: 3)
        var rows = pairs.map { labelled, pair in
            HTML(
                "tr",
                [
                    labelled.cell,
                    Self.chartCell(
                        Strip.whiskers(
                            pair.mean.estimate,
                            pair.mean.interval,
                            on: axis,
                            from: 0,
                            color: labelled.color,
                            title: "\(labelled.label): \(ReportText.difference(pair.mean.estimate)), "
                                + pair.mean.range(ReportText.difference)
                        )
                    ),
                    HTML("td", text: String(pair.differences.count)),
                    HTML("td", ["class": "strong"], text: ReportText.difference(pair.mean.estimate)),
                    HTML(
                        "td",
                        ["class": "soft"],
                        text: pair.mean.interval == nil ? "\u{2013}" : pair.mean.range(ReportText.difference)
                    ),
                ]
            )
        }
        rows.append(Self.axisRow(Strip.labels(of: axis), after: 3))
        return Self.figure(
            "Mean difference of the score",
            ["run", "", "pairs", "mean", "95 % interval"],
            rows
        )
    }

    /// Every shared episode's difference, from the lowest to the highest.
    private func episodesFigure(_ pairs: [(Labelled, PairedRuns)]) -> HTML {
        let largest = pairs.flatMap(\.1.differences).map(abs).max() ?? 0
        let rows = pairs.map { labelled, pair in
            let sorted = pair.differences.sorted()
            let better = sorted.count { $0 > 0 }
            let worse = sorted.count { $0 < 0 }
            return HTML(
                "tr",
                [
                    labelled.cell, Self.chartCell(Self.waterfall(sorted, largest: largest, of: labelled)),
                    HTML("td", text: String(worse)), HTML("td", text: String(sorted.count - worse - better)),
                    HTML("td", text: String(better)),
                ]
            )
        }
        return Self.figure("Episodes, from worse to better", ["run", "", "worse", "same", "better"], rows)
    }

    private static func waterfall(_ sorted: [Double], largest: Double, of labelled: Labelled) -> HTML {
        var strip = Strip(height: 40, title: "\(labelled.label): the differences of all episodes, sorted")
        // More would be narrower than a pixel.
        let count = min(sorted.count, 400)
        let width = 1 / Double(count)
        let boxes = (0..<count).compactMap { index -> (x: ClosedRange<Double>, y: ClosedRange<Double>)? in
            let value = sorted[index * sorted.count / count]
            guard value != 0, largest > 0 else { return nil }
            let x = Double(index) * width...Double(index + 1) * width
            let size = max(abs(value) / largest * 19, 0.8)
            return (x, value > 0 ? 20 - size...20 : 20...20 + size)
        }
        if !boxes.isEmpty { strip.boxes(boxes, class: "fill \(labelled.color)") }
        strip.line(from: (0, 20), to: (1, 20), class: "base")
        return strip.html
    }

    /// Who solved which episodes.
    private func solvedTable(_ pairs: [(Labelled, PairedRuns)], base: Labelled) -> HTML? {
        let rows = pairs.compactMap { labelled, pair in
            pair.outcomes.map { outcomes in
                let counts = [outcomes.both, outcomes.onlySecond, outcomes.onlyFirst, outcomes.neither]
                return HTML(
                    "tr",
                    [labelled.cell] + counts.map { HTML("td", text: String($0)) }
                        + [HTML("td", text: ReportText.probability(outcomes.pValue))]
                )
            }
        }
        guard !rows.isEmpty else { return nil }
        let head = ["run", "both solved", "only this", "only \(base.number)", "neither", "p"]
        return Self.figure("Who solved which episodes", head, rows)
    }

    // MARK: Parts of figures

    static func chartCell(_ chart: HTML) -> HTML { HTML("td", ["class": "chart"], [chart]) }

    /// The last row of a table with charts: what their axis says.
    ///
    /// - Parameter after: how many columns follow that of the charts.
    static func axisRow(_ labels: HTML, after: Int) -> HTML {
        HTML(
            "tr",
            ["class": "axis"],
            [HTML("td"), chartCell(labels), HTML("td", ["colspan": String(after)])]
        )
    }

    static func figure(_ name: String, _ head: [String], _ rows: [HTML], class style: String = "") -> HTML {
        HTML(
            "figure",
            ["class": style],
            [HTML("h3", text: name), .table(head.map { HTML("th", text: $0) }, rows, class: "charts")]
        )
    }
}
