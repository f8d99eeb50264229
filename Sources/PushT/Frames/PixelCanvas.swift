/// Red, green, blue, and a fourth byte that means nothing.
typealias PixelColor = SIMD4<UInt8>

/// A picture of colour pixels on which shapes are drawn pixel for pixel as pygame 2.6 draws them.
///
/// The rules below are those that pygame's `draw` module shows: which pixels a polygon, a disc or a line
/// covers. Whatever lies outside the picture is not drawn. Once the longest polygon has been drawn, drawing
/// allocates nothing.
struct PixelCanvas {
    let width: Int
    let height: Int
    /// Row after row, from the top.
    private(set) var pixels: [PixelColor]

    /// Where the edges of a polygon cross the row that is being filled, in ascending order.
    private var crossings: [Int] = []

    init(width: Int, height: Int, color: PixelColor) {
        self.width = width
        self.height = height
        pixels = Array(repeating: color, count: width * height)
    }

    func contains(_ x: Int, _ y: Int) -> Bool {
        x >= 0 && x < width && y >= 0 && y < height
    }

    subscript(x: Int, y: Int) -> PixelColor {
        get { pixels[y * width + x] }
        set { pixels[y * width + x] = newValue }
    }

    /// Overwrites every pixel with those of a canvas of the same size.
    mutating func copy(_ other: PixelCanvas) {
        pixels.withUnsafeMutableBufferPointer { target in
            other.pixels.withUnsafeBufferPointer { _ = target.update(fromContentsOf: $0) }
        }
    }

    /// Fills a row from one column to another, both included, in either order.
    mutating func fillRow(_ y: Int, from start: Int, through end: Int, _ color: PixelColor) {
        guard y >= 0, y < height else { return }
        let first = max(min(start, end), 0)
        let last = min(max(start, end), width - 1)
        guard first <= last else { return }
        for index in (y * width + first)...(y * width + last) { pixels[index] = color }
    }

    /// Fills a column from one row down to another, both included.
    mutating func fillColumn(_ x: Int, from top: Int, through bottom: Int, _ color: PixelColor) {
        guard x >= 0, x < width, max(top, 0) <= min(bottom, height - 1) else { return }
        for y in max(top, 0)...min(bottom, height - 1) { self[x, y] = color }
    }

    /// Fills a disc: the midpoint circle algorithm, on a centre that is a corner of four pixels.
    ///
    /// The disc of radius r spans 2 r pixels: r to the left of and above the centre's pixel, r - 1 to the right
    /// of and below it, and that pixel.
    mutating func fillDisc(center: SIMD2<Int>, radius: Int, _ color: PixelColor) {
        var (x, y) = (0, radius)
        var decision = 1 - radius
        while x < y {
            if decision >= 0 {
                y -= 1
                decision -= 2 * y
            }
            x += 1
            decision += 2 * x + 1
            // The rows at distance y are complete when the next column moves them inwards.
            if decision >= 0 { fillRows(center, distance: y, halfWidth: x, color) }
            fillRows(center, distance: x, halfWidth: y, color)
        }
    }

    private mutating func fillRows(
        _ center: SIMD2<Int>,
        distance: Int,
        halfWidth: Int,
        _ color: PixelColor
    ) {
        let (start, end) = (center.x - halfWidth, center.x + halfWidth - 1)
        fillRow(center.y + distance - 1, from: start, through: end, color)
        fillRow(center.y - distance, from: start, through: end, color)
    }

    /// Fills a polygon by the even-odd rule, its border included.
    ///
    /// An edge crosses the rows from its upper end to just above its lower end, and on the polygon's last row
    /// also its lower end; the column is rounded towards zero. Edges that lie in a row are drawn at the end,
    /// unless they lie in the first or the last row, which are full already.
    /// - Parameter corners: in order. A corner that is repeated makes an edge of one pixel, which is drawn.
    mutating func fillPolygon(_ corners: [SIMD2<Int>], _ color: PixelColor) {
        guard let first = corners.first, let last = corners.last else { return }
        var (top, bottom, left, right) = (first.y, first.y, first.x, first.x)
        for corner in corners {
            (top, bottom) = (min(top, corner.y), max(bottom, corner.y))
            (left, right) = (min(left, corner.x), max(right, corner.x))
        }
        guard top < bottom else { return fillRow(top, from: left, through: right, color) }

        crossings.reserveCapacity(corners.count)
        for y in max(top, 0)..<max(min(bottom + 1, height), max(top, 0)) {
            findCrossings(of: y, corners, bottom: bottom)
            for pair in stride(from: 0, to: crossings.count - 1, by: 2) {
                fillRow(y, from: crossings[pair], through: crossings[pair + 1], color)
            }
        }
        var previous = last
        for corner in corners {
            if corner.y == previous.y, corner.y > top, corner.y < bottom {
                fillRow(corner.y, from: previous.x, through: corner.x, color)
            }
            previous = corner
        }
    }

    private mutating func findCrossings(of y: Int, _ corners: [SIMD2<Int>], bottom: Int) {
        crossings.removeAll(keepingCapacity: true)
        guard var previous = corners.last else { return }
        for corner in corners {
            let (upper, lower) = previous.y < corner.y ? (previous, corner) : (corner, previous)
            previous = corner
            let isCrossed = (y >= upper.y && y < lower.y) || (y == bottom && lower.y == bottom)
            guard upper.y < lower.y, isCrossed else { continue }
            let run = Double(y - upper.y) * Double(lower.x - upper.x) / Double(lower.y - upper.y)
            let column = Int(run + Double(upper.x))
            var place = crossings.count
            crossings.append(column)
            while place > 0, crossings[place - 1] > column {
                crossings.swapAt(place, place - 1)
                place -= 1
            }
        }
    }
}
