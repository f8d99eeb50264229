/// Lines on a canvas, pixel for pixel as pygame 2.6 draws them.
extension PixelCanvas {
    /// Draws a line that is `width` pixels wide along the axis it advances less on: Bresenham's algorithm.
    ///
    /// The ends are flat and lie along that axis. A line that leaves the picture is cut at its border, but
    /// keeps the error term of the whole line; one that is one pixel wide starts anew at the cut.
    /// Source: J. Bresenham, "Algorithm for computer control of a digital plotter", IBM Systems Journal 4(1),
    /// 1965.
    mutating func drawLine(from start: SIMD2<Int>, to end: SIMD2<Int>, width: Int, _ color: PixelColor) {
        guard width >= 1, let cut = clip(from: start, to: end) else { return }
        let whole = width == 1 ? cut : (from: start, to: end)
        let distance = SIMD2(abs(whole.to.x - whole.from.x), abs(whole.to.y - whole.from.y))
        let step = SIMD2(whole.from.x < whole.to.x ? 1 : -1, whole.from.y < whole.to.y ? 1 : -1)
        let isSteep = distance.x <= distance.y
        var error = (distance.x > distance.y ? distance.x : -distance.y) / 2
        var point = cut.from

        /// Whether the cut's end lies ahead, or the line runs on along the border with half its width inside.
        func isAhead() -> Bool {
            let rest = (cut.to &- point) &* step
            if rest.x > 0 || rest.y > 0 { return true }
            let isAtEnd = isSteep ? point.y == whole.to.y : point.x == whole.to.x
            return !isAtEnd && touchesPicture(point, width: width, isSteep: isSteep)
        }
        while isAhead() {
            drawBand(point, width: width, isSteep: isSteep, color)
            let before = error
            if before > -distance.x {
                error -= distance.y
                point.x += step.x
            }
            if before < distance.y {
                error += distance.x
                point.y += step.y
            }
        }
        drawBand(point, width: width, isSteep: isSteep, color)
    }

    private mutating func drawBand(_ point: SIMD2<Int>, width: Int, isSteep: Bool, _ color: PixelColor) {
        let (before, after) = ((width - 1) / 2, width / 2)
        if isSteep {
            fillRow(point.y, from: point.x - before, through: point.x + after, color)
        } else {
            fillColumn(point.x, from: point.y - before, through: point.y + after, color)
        }
    }

    private func touchesPicture(_ point: SIMD2<Int>, width: Int, isSteep: Bool) -> Bool {
        let (before, after) = ((width - 1) / 2, width / 2)
        return isSteep
            ? contains(point.x - before, point.y) || contains(point.x + after, point.y)
            : contains(point.x, point.y - before) || contains(point.x, point.y + after)
    }

    /// The part of a line in [0, width] x [0, height], both borders included; nil if there is none.
    ///
    /// Source: Y.-D. Liang and B. Barsky, "A New Concept and Method for Line Clipping", ACM Transactions on
    /// Graphics 3(1), 1984.
    private func clip(
        from start: SIMD2<Int>,
        to end: SIMD2<Int>
    ) -> (from: SIMD2<Int>, to: SIMD2<Int>)? {
        let direction = end &- start
        var (enter, leave) = (0.0, 1.0)
        for (position, advance, limit) in [(start.x, direction.x, width), (start.y, direction.y, height)] {
            guard advance != 0 else {
                if position < 0 || position > limit { return nil }
                continue
            }
            let atLow = Double(-position) / Double(advance)
            let atHigh = Double(limit - position) / Double(advance)
            enter = max(enter, advance > 0 ? atLow : atHigh)
            leave = min(leave, advance > 0 ? atHigh : atLow)
        }
        guard enter <= leave else { return nil }
        func point(_ share: Double) -> SIMD2<Int> {
            start &+ SIMD2(halfUp(Double(direction.x) * share), halfUp(Double(direction.y) * share))
        }
        return (point(enter), point(leave))
    }

    /// The nearest whole number, halves away from zero.
    private func halfUp(_ value: Double) -> Int {
        Int(value < 0 ? value - 0.5 : value + 0.5)
    }
}
