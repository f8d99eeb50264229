/// Antialiased lines on a canvas, pixel for pixel as pygame 2.6 draws them.
extension PixelCanvas {
    /// Draws a line one pixel wide that shares each step's colour among the two pixels it passes between:
    /// Wu's algorithm, in single precision.
    ///
    /// Source: X. Wu, "An Efficient Antialiasing Technique", SIGGRAPH 1991.
    mutating func drawSmoothLine(from start: SIMD2<Int>, to end: SIMD2<Int>, _ color: PixelColor) {
        guard start != end else { return blend(start.x, start.y, color, 1) }
        guard let line = SmoothLine(from: start, to: end, width: width, height: height) else { return }

        var first = Int(line.from.x)
        var crossing = line.from.y + line.gradient * (Float(first) - line.from.x)
        if line.to.x > line.low.x + 1 {
            drawStep(line, first, crossing, share: Float(1 + first) - line.from.x, color)
            crossing += line.gradient
            first += 1
        }
        let last = Int(line.to.x.rounded(.up))
        if line.from.x < line.high.x - 1 {
            let lastCrossing = line.to.y + line.gradient * (Float(last) - line.to.x)
            drawStep(line, last, lastCrossing, share: Float(1 - last) + line.to.x, color)
        }
        for position in first..<max(first, last) {
            // The near pixel goes first here, the far one at the ends: where steps meet, the order shows.
            let whole = Int(crossing)
            let near = 1 - crossing + Float(whole)
            blend(line, position, whole - 1, color, near)
            if Float(whole) < crossing { blend(line, position, whole, color, 1 - near) }
            crossing += line.gradient
        }
    }

    /// Draws an end of a line, of which the pixel holds a share.
    private mutating func drawStep(
        _ line: SmoothLine,
        _ position: Int,
        _ crossing: Float,
        share: Float,
        _ color: PixelColor
    ) {
        let whole = Int(crossing)
        let far = crossing - Float(whole)
        if Float(whole) < crossing { blend(line, position, whole, color, far * share) }
        blend(line, position, whole - 1, color, (1 - far) * share)
    }

    private mutating func blend(
        _ line: SmoothLine,
        _ along: Int,
        _ across: Int,
        _ color: PixelColor,
        _ brightness: Float
    ) {
        if line.isSteep {
            blend(across, along, color, brightness)
        } else {
            blend(along, across, color, brightness)
        }
    }

    private mutating func blend(_ x: Int, _ y: Int, _ color: PixelColor, _ brightness: Float) {
        guard contains(x, y) else { return }
        let below = self[x, y]
        let mixed = brightness * SIMD4<Float>(color) + (1 - brightness) * SIMD4<Float>(below)
        self[x, y] = PixelColor(truncatingIfNeeded: SIMD4<Int32>(mixed, rounding: .towardZero))
    }
}

/// A line as Wu's algorithm goes along it: turned so that x is the axis it advances more on, and upwards, then
/// cut one pixel outside the picture. Its y is one more than the picture's, lest it be negative.
private struct SmoothLine {
    var from: SIMD2<Float>
    var to: SIMD2<Float>
    let gradient: Float
    /// The borders, turned as the line is.
    let low: SIMD2<Float>
    let high: SIMD2<Float>
    let isSteep: Bool

    /// The line from one pixel to another one; nil if it misses the picture.
    init?(from start: SIMD2<Int>, to end: SIMD2<Int>, width: Int, height: Int) {
        from = SIMD2<Float>(start)
        to = SIMD2<Float>(end)
        low = SIMD2(-1, -1)
        var high = SIMD2(Float(width), Float(height))
        isSteep = abs(to.x - from.x) < abs(to.y - from.y)
        if isSteep {
            (from, to) = (SIMD2(from.y, from.x), SIMD2(to.y, to.x))
            high = SIMD2(high.y, high.x)
        }
        self.high = high
        if to.x < from.x { (from, to) = (to, from) }
        gradient = (to.y - from.y) / (to.x - from.x)
        guard cutAlong(), cutAcross() else { return nil }
        from.y += 1
        to.y += 1
    }

    private mutating func cutAlong() -> Bool {
        guard to.x > low.x, from.x < high.x else { return false }
        if from.x < low.x {
            from.y += gradient * (low.x - from.x)
            from.x = low.x
        }
        if to.x > high.x {
            to.y += gradient * (high.x - to.x)
            to.x = high.x
        }
        return true
    }

    private mutating func cutAcross() -> Bool {
        let isRising = gradient > 0
        let (first, last) = isRising ? (from, to) : (to, from)
        guard last.y > low.y, first.y < high.y else { return false }
        if first.y < low.y {
            let cut = SIMD2(first.x + (low.y - first.y) / gradient, low.y)
            if isRising { from = cut } else { to = cut }
        }
        if last.y > high.y {
            let cut = SIMD2(last.x + (high.y - last.y) / gradient, high.y)
            if isRising { to = cut } else { from = cut }
        }
        return true
    }
}
