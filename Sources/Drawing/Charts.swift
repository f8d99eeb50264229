extension Strip {
    /// The labels of an axis below other strips.
    ///
    /// - Parameters:
    ///   - unit: stands after the last label.
    ///   - most: how many labels have room.
    package static func labels(of axis: Axis, unit: String = "", most: Int = 5) -> HTML {
        var strip = Strip(height: 18, title: "axis")
        let every = max(1, (axis.ticks.count + most - 1) / most)
        // The last one is always there: it has the unit.
        let shown = axis.ticks.indices.filter { (axis.ticks.count - 1 - $0).isMultiple(of: every) }
        for (place, index) in shown.enumerated() {
            let x = axis.place(axis.ticks[index].value)
            let anchor: Anchor = x < 0.04 ? .start : x > 0.92 ? .end : .middle
            let label = axis.ticks[index].label + (index == shown.last ? unit : "")
            // A narrow window shows every second label.
            let isMinor = !(shown.count - 1 - place).isMultiple(of: 2)
            strip.label(label, at: (x, 13), anchor: anchor, class: isMinor ? "tick minor" : "tick")
        }
        return strip.html
    }

    /// A dot with whiskers.
    ///
    /// - Parameters:
    ///   - whiskers: nil: there is no interval.
    ///   - origin: a value from which a bar leads to the dot; nil: none does.
    ///   - color: a class of ``Page``.
    package static func whiskers(
        _ value: Double,
        _ whiskers: ClosedRange<Double>?,
        on axis: Axis,
        from origin: Double? = nil,
        color: String,
        title: String
    ) -> HTML {
        var strip = Strip(height: 28, title: title)
        strip.grid(axis)
        let x = axis.place(value)
        if let origin {
            let start = axis.place(origin)
            strip.line(from: (start, 0), to: (start, 28), class: "zero")
            strip.box(min(start, x)...max(start, x), y: 9...19, class: "bar \(color)")
        }
        if let whiskers {
            let (low, high) = (axis.place(whiskers.lowerBound), axis.place(whiskers.upperBound))
            strip.line(from: (low, 14), to: (high, 14), class: "whisker \(color)")
            for end in [low, high] { strip.line(from: (end, 9), to: (end, 19), class: "whisker \(color)") }
        }
        strip.dot(at: (x, 14), radius: 4.5, class: "dot \(color)", tip: title)
        return strip.html
    }

    /// How often values fall into ranges that follow one another.
    ///
    /// - Parameters:
    ///   - bins: each range, and how many values are in it; the highest fills the strip.
    ///   - marks: values with a line across, and what is said of each.
    package static func histogram(
        _ bins: [(range: ClosedRange<Double>, count: Double)],
        on axis: Axis,
        height: Double = 44,
        color: String,
        marks: [(value: Double, class: String, tip: String)] = [],
        title: String
    ) -> HTML {
        var strip = Strip(height: height, title: title)
        strip.grid(axis)
        let most = bins.map(\.count).max() ?? 0
        if most > 0 {
            strip.boxes(
                bins.filter { $0.count > 0 }.map { bin in
                    let x = axis.place(bin.range.lowerBound)...axis.place(bin.range.upperBound)
                    // What is there shows, however little it is.
                    let size = max(bin.count / most * (height - 6), 1.2)
                    return (x, height - size...height)
                },
                class: "fill \(color)"
            )
        }
        for mark in marks {
            let x = axis.place(mark.value)
            strip.line(from: (x, 2), to: (x, height), class: mark.class)
        }
        strip.line(from: (0, height - 0.5), to: (1, height - 0.5), class: "base")
        return strip.html
    }

    /// Spans that follow one another on one line.
    package static func timeline(
        _ spans: [(range: ClosedRange<Double>, class: String, tip: String)],
        on axis: Axis,
        height: Double = 22,
        title: String
    ) -> HTML {
        var strip = Strip(height: height, title: title)
        for span in spans {
            let x = axis.place(span.range.lowerBound)...axis.place(span.range.upperBound)
            strip.box(x, y: 2...height - 2, class: "span \(span.class)", tip: span.tip)
        }
        return strip.html
    }
}
