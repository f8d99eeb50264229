import Drawing
import ForeignText

/// Runs side by side, as a page.
package struct Report {
    /// A run with what it is called on the page.
    struct Labelled {
        let run: Run
        let label: String
        /// From 1, as its chip says.
        let number: Int

        /// The class of its colour.
        var color: String { Page.series(number - 1) }

        /// The coloured number.
        var chip: HTML { HTML("span", ["class": "chip \(color)"], text: String(number)) }

        /// The first cell of its row.
        var cell: HTML {
            HTML(
                "td",
                ["class": "run", "title": label],
                [chip, HTML("span", ["class": "label"], text: label)]
            )
        }
    }

    let runs: [Labelled]
    let deviations: [(label: String, points: [DeviationPoint])]
    private let title: String
    private let version: String

    /// - Parameters:
    ///   - files: in the order in which they are to be shown; runs are compared with the first.
    ///   - title: nil: what is in the files.
    ///   - version: of the program that makes the report.
    package init(_ files: [(path: String, file: RunFile)], title: String?, version: String) {
        let labels = RunLabels.labels(of: files.map(\.path))
        var runs: [Labelled] = []
        var deviations: [(label: String, points: [DeviationPoint])] = []
        for (label, (_, file)) in zip(labels, files) {
            for run in file.runs {
                let part = run.part.isEmpty ? "" : ": \(ReportText.name(run.part))"
                runs.append(Labelled(run: run, label: label + part, number: runs.count + 1))
            }
            if !file.deviations.isEmpty { deviations.append((label, file.deviations)) }
        }
        self.runs = runs
        self.deviations = deviations
        self.version = version
        self.title = title.map(ReportText.name) ?? Self.title(runs, deviations)
    }

    private static func title(
        _ runs: [Labelled],
        _ deviations: [(label: String, points: [DeviationPoint])]
    ) -> String {
        let policies = Set(runs.compactMap(\.run.policy) + deviations.flatMap(\.points).map(\.policy))
        let of = policies.count == 1 ? policies.first.map { ReportText.name($0) + ": " } ?? "" : ""
        switch (runs.count, deviations.count) {
        case (0, _): return of + "deviation of chunks"
        case (1, _): return of + runs[0].label
        default: return of + "\(runs.count) runs compared"
        }
    }

    /// The page.
    package var html: String {
        let sections = [
            runsSection, notesSection, scoreSection, pairsSection, latencySection, stagesSection,
            timelineSection,
            deviationSection, realTimeSection, cameraSection,
        ]
        return Page(
            title: title,
            kind: "denoised report",
            lead: tiles.isEmpty ? [] : [HTML("div", ["class": "tiles"], tiles)],
            sections: sections.compactMap(\.self),
            footer: footer
        ).text
    }

    /// A run's scores, for a terminal.
    package struct Score: Sendable, Hashable {
        package let run: String
        package let episodes: String
        package let mean: String
        package let meanInterval: String
        /// `-` as the other one if the file does not tell who succeeded.
        package let success: String
        package let successInterval: String
    }

    /// Those of the runs that have episodes.
    package var scores: [Score] {
        runs.compactMap { labelled in
            let run = labelled.run
            guard let mean = run.meanScore else { return nil }
            func interval(_ estimate: Estimate?, _ text: (Double) -> String) -> String {
                estimate.flatMap { $0.interval == nil ? nil : $0.range(text) } ?? "-"
            }
            return Score(
                run: labelled.label,
                episodes: Self.episodes(of: run),
                mean: ReportText.score(mean.estimate),
                meanInterval: interval(mean, ReportText.score),
                success: run.success.map { ReportText.percent($0.estimate) } ?? "-",
                successInterval: interval(run.success, ReportText.percent)
            )
        }
    }

    /// What the runs are called that lack episodes.
    package var incompleteRuns: [String] {
        runs.filter { $0.run.joining?.isComplete == false }.map(\.label)
    }

    // MARK: What is in the files

    /// The figures of a single run at a glance.
    private var tiles: [HTML] {
        guard runs.count == 1, let run = runs.first?.run else { return [] }
        func tile(_ name: String, _ value: String, _ more: String) -> HTML {
            HTML(
                "div",
                ["class": "tile"],
                [
                    .paragraph(name, class: "name"), .paragraph(value, class: "value"),
                    .paragraph(more, class: "more"),
                ]
            )
        }
        var tiles: [HTML] = []
        if let score = run.meanScore {
            tiles.append(tile("Mean score", ReportText.score(score.estimate), score.range(ReportText.score)))
        }
        if let success = run.success {
            tiles.append(
                tile("Success", ReportText.percent(success.estimate), success.range(ReportText.percent))
            )
        }
        if let (stage, latency) = run.wholeLatency {
            tiles.append(
                tile(
                    "Chunk, median",
                    ReportText.fixed(latency.p50, 2) + " ms",
                    "99th percentile \(ReportText.fixed(latency.p99, 2)) ms, \(stage.words)"
                )
            )
        }
        if let iterations = run.iterationsMean, let evaluations = run.evaluationsMean {
            tiles.append(
                tile(
                    "Passes a chunk",
                    ReportText.fixed(iterations, 1),
                    "\(ReportText.fixed(evaluations, 1)) evaluations, in the mean"
                )
            )
        }
        return tiles
    }

    private var runsSection: HTML? {
        guard !runs.isEmpty else { return nil }
        let head = ["run", "policy", "sampling", "arithmetic", "episodes", "chunks", "passes", "evaluations"]
        let texts: Set = ["policy", "sampling", "arithmetic"]
        let rows = runs.map { labelled in
            let run = labelled.run
            let seeds = run.episodes.map(\.seed)
            let range = seeds.min().flatMap { low in seeds.max().map { (low, $0) } }
            let cells: [(String, Bool)] = [
                (ReportText.name(run.policy ?? "\u{2013}"), true),
                (run.sampler.map(Self.words) ?? "\u{2013}", true),
                (run.sampler.map { ReportText.name($0.kernel) } ?? "\u{2013}", true),
                (
                    run.origin == .recording
                        ? "\u{2013}"
                        : Self.episodes(of: run)
                            + (range.map { ", seeds \($0.0) to \($0.1)" } ?? ""), false
                ),
                (run.chunks.map(String.init) ?? "\u{2013}", false),
                (run.iterationsMean.map { ReportText.fixed($0, 1) } ?? "\u{2013}", false),
                (run.evaluationsMean.map { ReportText.fixed($0, 1) } ?? "\u{2013}", false),
            ]
            return HTML(
                "tr",
                [labelled.cell]
                    + cells.enumerated().map { index, cell in
                        HTML("td", ["class": index == 1 ? "text long" : cell.1 ? "text" : ""], text: cell.0)
                    }
            )
        }
        return Page.section(
            runs.count == 1 ? "The run" : "The runs",
            id: "runs",
            about: "Passes and evaluations are those of a chunk, in the mean.",
            [.table(head.map { HTML("th", ["class": texts.contains($0) ? "text" : ""], text: $0) }, rows)]
        )
    }

    private static func episodes(of run: Run) -> String {
        let wanted = run.joining.flatMap { $0.isComplete ? nil : " of \($0.episodes)" } ?? ""
        return String(run.episodes.count) + wanted
    }

    private static func words(_ sampler: Run.Sampler) -> String {
        let parts = [
            ReportText.name(sampler.name),
            sampler.tolerance > 0 ? "tolerance \(ReportText.short(sampler.tolerance))" : nil,
            sampler.budgetMs > 0 ? "budget \(ReportText.short(sampler.budgetMs, places: 6)) ms" : nil,
        ]
        return parts.compactMap(\.self).joined(separator: ", ")
    }

    /// What files lack. A note that several have is told once.
    private var notesSection: HTML? {
        var notes: [(text: String, runs: [Labelled])] = []
        for labelled in runs {
            for note in labelled.run.notes {
                if let index = notes.firstIndex(where: { $0.text == note }) {
                    notes[index].runs.append(labelled)
                } else {
                    notes.append((note, [labelled]))
                }
            }
        }
        guard !notes.isEmpty else { return nil }
        let items = notes.map { note in
            HTML("li", note.runs.map(\.chip) + ReportText.sentence(note.text))
        }
        return Page.section(
            "What the files do not tell",
            id: "notes",
            [HTML("ul", ["class": "notes"], items)]
        )
    }

    private var footer: [HTML] {
        let files = Set(runs.flatMap(\.run.files) + deviations.flatMap(\.points).map(\.file)).sorted()
        return [
            HTML("h2", text: "How it is computed"),
            HTML(
                "ul",
                [
                    "Success: Wilson\u{2019}s 95 % interval.",
                    "Mean scores and their differences: the 2.5th to the 97.5th percentile of the means of 10 000 samples of the "
                        + "episodes, drawn with replacement; of more than 10 000 episodes, the normal distribution\u{2019}s interval.",
                    "p: McNemar\u{2019}s exact test. If two runs succeed alike, so likely is it that the episodes which only one of "
                        + "them solved are divided as unevenly as they are, or more so.",
                    "Percentiles of times are times that were measured (nearest rank).",
                ].map { HTML("li", text: $0) }
            ),
            .paragraph(
                "Made by denoised \(version) from \(files.map(ReportText.name).joined(separator: ", "))."
            ),
        ]
    }
}
