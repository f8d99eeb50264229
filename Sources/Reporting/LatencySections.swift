import Drawing

extension Report {
    /// The times of whole chunks, run by run on one axis.
    var latencySection: HTML? {
        let timed = runs.compactMap { labelled in
            labelled.run.wholeLatency.map { (labelled: labelled, stage: $0.stage, latency: $0.latency) }
        }
        guard !timed.isEmpty else { return nil }
        let budgets = runs.compactMap(\.run.sampler?.budgetMs).filter { $0 > 0 }
        let times = timed.flatMap { row in
            [row.latency.p50, row.latency.p99, row.latency.max].compactMap(\.self)
                + (row.labelled.run.histograms[row.stage]?.bins.flatMap {
                    [$0.range.lowerBound, $0.range.upperBound]
                }
                    ?? [])
        }
        // What takes less than a microsecond is as good as nothing.
        let axis = Axis.logarithmic((times + budgets).map { max($0, 0.001) })
        let stages = Set(timed.map(\.stage))
        let columns = LatencyColumns(stage: stages.count > 1, budget: !budgets.isEmpty)
        var rows = timed.map { row in latencyRow(row.labelled, row.stage, row.latency, axis, columns) }
        rows.append(Self.axisRow(Strip.labels(of: axis, unit: " ms", most: 8), after: columns.count))
        let what =
            stages.count > 1
            ? "Mind that the runs tell different times: not all of them were seen from the robot."
            : Self.meaning(ofWhole: timed[0].stage)
        let head = ["run", ""] + columns.names
        return Page.section(
            "Latency of a chunk",
            id: "latency",
            about: "\(what) The solid mark is the median, the dashed one the 99th percentile"
                + (budgets.isEmpty
                    ? "."
                    : ", the red one the budget. In time are chunks that the daemon had ready within the budget; coarse are those "
                        + "that it finished in long steps for that."),
            [
                .table(
                    head.map { HTML("th", ["class": $0 == "time" ? "text" : ""], text: $0) },
                    rows,
                    class: "charts"
                )
            ]
        )
    }

    private static func meaning(ofWhole stage: Run.Stage) -> String {
        switch stage {
        case .roundTrip: "Milliseconds from the robot\u{2019}s observation to the chunk that it receives."
        case .total: "Milliseconds from the observation\u{2019}s receipt by the daemon to the packed chunk."
        default: "Milliseconds of sampling."
        }
    }

    /// Which columns follow the chart.
    private struct LatencyColumns {
        /// Which time it is, if that differs.
        let stage: Bool
        /// How the budget was kept, if a run had one.
        let budget: Bool

        var names: [String] {
            (stage ? ["time"] : []) + ["p50", "p90", "p99", "max"] + (budget ? ["in time", "coarse"] : [])
        }
        var count: Int { names.count }
    }

    private func latencyRow(
        _ labelled: Labelled,
        _ stage: Run.Stage,
        _ latency: Run.Latency,
        _ axis: Axis,
        _ columns: LatencyColumns
    ) -> HTML {
        let budget = labelled.run.sampler?.budgetMs ?? 0
        var marks = [
            (value: latency.p50, class: "mark", tip: "median"),
            (value: latency.p99, class: "mark far", tip: "99th percentile"),
        ]
        if budget > 0 { marks.append((value: budget, class: "limit", tip: "budget")) }
        let histogram = labelled.run.histograms[stage]
        let chart = Strip.histogram(
            histogram?.bins ?? [],
            on: axis,
            color: labelled.color,
            marks: marks,
            title: "\(labelled.label): median \(ReportText.milliseconds(latency.p50)) ms, "
                + "99th percentile \(ReportText.milliseconds(latency.p99)) ms"
        )
        let times = [latency.p50, latency.p90, latency.p99, latency.max]
        let cells = times.enumerated().map { index, time in
            HTML(
                "td",
                ["class": index == 0 ? "strong" : ""],
                text: time.map(ReportText.milliseconds) ?? "\u{2013}"
            )
        }
        return HTML(
            "tr",
            [labelled.cell, Self.chartCell(chart)]
                + (columns.stage ? [HTML("td", ["class": "text soft"], text: stage.words)] : []) + cells
                + (columns.budget ? Self.budgetCells(labelled.run) : [])
        )
    }

    /// The share of chunks that were ready within the budget, and the share that was finished in coarse steps for it.
    private static func budgetCells(_ run: Run) -> [HTML] {
        let hasBudget = (run.sampler?.budgetMs ?? 0) > 0
        func cell(_ count: Int?, of all: Int) -> HTML {
            guard hasBudget, let count, all > 0 else { return HTML("td", text: "\u{2013}") }
            return HTML("td", text: ReportText.percent(Double(count) / Double(all)))
        }
        let timed = run.chunks ?? 0
        let told = run.qualities.values.reduce(0, +)
        return [
            cell(run.lateChunks.map { timed - $0 }, of: timed), cell(run.qualities["coarse"] ?? 0, of: told),
        ]
    }

    /// Percentiles by stage.
    var stagesSection: HTML? {
        let timed = runs.filter { $0.run.latency[.total] != nil }
        guard !timed.isEmpty else { return nil }
        let times = timed.flatMap { labelled in
            labelled.run.latency.values.flatMap { [$0.p50, $0.p90, $0.p99, $0.max].compactMap(\.self) }
        }
        // What takes less than a microsecond is as good as nothing.
        let axis = Axis.logarithmic(times.map { max($0, 0.001) })
        return Page.section(
            "Stages of a chunk",
            id: "stages",
            about:
                "Milliseconds. The dots are the median, the 90th and the 99th percentile and the maximum. Percentiles of stages do not "
                + "add up to those of their sum.",
            [HTML("div", ["class": "grid"], timed.map { stagesFigure($0, axis) })]
        )
    }

    private func stagesFigure(_ labelled: Labelled, _ axis: Axis) -> HTML {
        var rows = Run.Stage.allCases.compactMap { stage in
            labelled.run.latency[stage].map { latency in
                let times = [latency.p50, latency.p90, latency.p99, latency.max]
                let isSum = stage == .total || stage == .roundTrip
                return HTML(
                    "tr",
                    [
                        HTML("td", ["class": isSum ? "strong" : ""], text: stage.words),
                        Self.chartCell(
                            Self.percentiles(latency, stage: stage, axis: axis, color: labelled.color)
                        ),
                    ]
                        + times.map { HTML("td", text: $0.map(ReportText.milliseconds) ?? "\u{2013}") }
                )
            }
        }
        rows.append(Self.axisRow(Strip.labels(of: axis, most: 3), after: 4))
        return HTML(
            "figure",
            [
                HTML("h3", [labelled.chip, HTML(text: labelled.label)]),
                .table(
                    ["stage", "", "p50", "p90", "p99", "max"].map { HTML("th", text: $0) },
                    rows,
                    class: "charts"
                ),
            ]
        )
    }

    private static func percentiles(
        _ latency: Run.Latency,
        stage: Run.Stage,
        axis: Axis,
        color: String
    ) -> HTML {
        var strip = Strip(height: 22, title: "\(stage.words): from the median to the maximum")
        strip.grid(axis)
        let places = [latency.p50, latency.p90, latency.p99, latency.max].compactMap(\.self).map(axis.place)
        if let first = places.first, let last = places.last {
            strip.line(from: (first, 11), to: (last, 11), class: "whisker \(color)")
        }
        for x in places.dropFirst() { strip.dot(at: (x, 11), radius: 2.5, class: "small \(color)") }
        if let median = places.first { strip.dot(at: (median, 11), radius: 4.5, class: "dot \(color)") }
        return strip.html
    }
}
