import Drawing

extension Report {
    /// The course of each run's median chunk and of its slowest.
    var timelineSection: HTML? {
        let known = runs.filter { $0.run.median != nil }
        guard !known.isEmpty else { return nil }
        let hasVision = known.contains { $0.run.median?.stagesNs["vision"] != nil }
        let legend = Run.Stage.parts.filter { $0 != .vision || hasVision }.map { stage in
            HTML(
                "li",
                [
                    HTML("span", ["class": "key \(Self.color(of: stage))"]),
                    HTML(text: Self.meaning(of: stage)),
                ]
            )
        }
        return Page.section(
            "One chunk, from observation to actions",
            id: "timeline",
            about:
                "The chunk whose time in the daemon is the median, and the slowest. Below, each box is a pass of the network: as wide as "
                + "it took, as high as its window, from the noisiest denoising step at the top to the last at the bottom. The time between "
                + "passes is spread evenly over them.",
            [
                HTML("ul", ["class": "legend"], legend),
                HTML("div", ["class": "grid"], known.map(timelineFigure)),
            ]
        )
    }

    private static func color(of stage: Run.Stage) -> String {
        "p\((Run.Stage.parts.firstIndex(of: stage) ?? 6) + 1)"
    }

    private static func meaning(of stage: Run.Stage) -> String {
        switch stage {
        case .decode: "decode: read and check the observation"
        case .queue: "queue: wait for the planner"
        case .vision: "vision: encode frames"
        case .condition: "condition: prepare the network\u{2019}s input"
        case .sample: "sample: the denoising steps"
        case .encode: "encode: pack the actions"
        case .total, .roundTrip: stage.words
        }
    }

    private func timelineFigure(_ labelled: Labelled) -> HTML {
        let chunks = [("Median", labelled.run.median), ("Slowest", labelled.run.slowest)]
        return HTML(
            "figure",
            [HTML("h3", [labelled.chip, HTML(text: labelled.label)])]
                + chunks.flatMap { name, chunk in chunk.map { Self.timeline(name, $0) } ?? [] }
        )
    }

    private static func timeline(_ name: String, _ chunk: ExampleChunk) -> [HTML] {
        let total = max(Double(chunk.totalNs) / 1e6, 1e-6)
        let axis = Axis.linear([0, total], within: 0...total, count: 5)
        var time = 0.0
        var spans: [(range: ClosedRange<Double>, class: String, tip: String)] = []
        var sampling = 0.0...0.0
        for stage in Run.Stage.parts {
            guard let duration = chunk.milliseconds(stage), duration > 0 else { continue }
            let range = time...time + duration
            spans.append((range, color(of: stage), "\(stage.words): \(ReportText.milliseconds(duration)) ms"))
            if stage == .sample { sampling = range }
            time += duration
        }
        let sample = chunk.milliseconds(.sample) ?? 0
        let facts = [
            "\(ReportText.fixed(total, 2)) ms, of which sampling \(ReportText.fixed(sample, 2)) ms",
            chunk.iterations == 1 ? "1 pass" : "\(chunk.iterations) passes",
            ReportText.count(chunk.evaluations, "evaluation"),
            chunk.window > 1 ? "window \(chunk.window)" : nil,
            ReportText.name(chunk.quality),
            Int(chunk.episode) == nil
                ? ReportText.name(chunk.episode) : "seed \(ReportText.name(chunk.episode))",
            "control step \(chunk.step)",
        ]
        return [
            HTML(
                "p",
                ["class": "fact"],
                [
                    HTML("strong", text: "\(name): "),
                    HTML(text: facts.compactMap(\.self).joined(separator: ", ")),
                ]
            ),
            Strip.timeline(spans, on: axis, title: "\(name) chunk: its stages"),
        ] + (chunk.passes.isEmpty ? [] : [passes(of: chunk, sampling: sampling, axis: axis)]) + [
            Strip.labels(of: axis, unit: " ms", most: 6)
        ]
    }

    /// More boxes would be narrower than a pixel, and make the page large.
    private static let mostBoxes = 200

    /// The network's window, moving through the denoising steps.
    private static func passes(of chunk: ExampleChunk, sampling: ClosedRange<Double>, axis: Axis) -> HTML {
        let height = 110.0
        var strip = Strip(height: height, title: "each pass of the network: when, and over which steps")
        strip.grid(axis)
        let steps = Double(max(chunk.steps, chunk.passes.map(\.endStep).max() ?? 1, 1))
        let spent = chunk.passes.reduce(0.0) { $0 + Double($1.durationNs) / 1e6 }
        let length = sampling.upperBound - sampling.lowerBound
        // If the passes took longer than sampling as a whole, as rounding may have it, they are drawn to fit.
        let scale = spent > length && spent > 0 ? length / spent : 1
        let between = max(length - spent, 0) / Double(chunk.passes.count)
        let together = (chunk.passes.count + mostBoxes - 1) / mostBoxes
        var time = sampling.lowerBound
        for start in stride(from: 0, to: chunk.passes.count, by: together) {
            let group = chunk.passes[start..<min(start + together, chunk.passes.count)]
            let duration = group.reduce(0.0) { $0 + Double($1.durationNs) / 1e6 } * scale
            let first = group.map(\.firstStep).min() ?? 0
            let end = group.map(\.endStep).max() ?? 0
            let evaluations = group.reduce(0) { $0 + $1.evaluations }
            let top = Double(first) / steps * height
            let bottom = max(Double(end) / steps * height, top + 1.2)
            let name = together == 1 ? "pass \(start + 1)" : "passes \(start + 1) to \(start + group.count)"
            strip.box(
                axis.place(time)...axis.place(time + duration + between * Double(group.count - 1)),
                y: top...bottom,
                class: "pass p5",
                tip: "\(name): \(end - first > 1 ? "steps \(first) to \(end - 1)" : "step \(first)"), "
                    + "\(ReportText.count(evaluations, "evaluation")), \(ReportText.milliseconds(duration)) ms"
            )
            time += duration + between * Double(group.count)
        }
        strip.line(from: (0, height), to: (1, height), class: "base")
        strip.label("step 0, the noisiest", at: (1, 12), anchor: .end, class: "tick")
        strip.label("step \(Int(steps) - 1)", at: (0, height - 6), anchor: .start, class: "tick")
        return HTML("div", ["class": "passes"], [strip.html])
    }
}
