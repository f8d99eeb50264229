/// Resamples a canvas to another size as OpenCV's `cv2.resize` does by default: bilinear, in the fixed-point
/// arithmetic that it uses for 8-bit pictures, bit for bit.
///
/// A pixel of the result lies between four of the canvas; those in between are left out, however much smaller
/// the result is. Weights are whole multiples of 2^-11.
struct BilinearResampling {
    let width: Int
    let height: Int

    private let columns: [Taps]
    private let rows: [Taps]

    /// The two pixels along an axis that a pixel of the result lies between.
    private struct Taps {
        let first: Int
        let second: Int
        /// In units of 2^-11; both together are 2048.
        let firstWeight: Int32
        let secondWeight: Int32
    }

    /// - Parameters:
    ///   - sourceWidth: pixels in a row of the canvas.
    ///   - sourceHeight: rows of the canvas.
    ///   - width: pixels in a row of the result.
    ///   - height: rows of the result.
    init(sourceWidth: Int, sourceHeight: Int, width: Int, height: Int) {
        self.width = width
        self.height = height
        columns = Self.taps(source: sourceWidth, target: width)
        rows = Self.taps(source: sourceHeight, target: height)
    }

    /// Overwrites `frame` with the resampled canvas, [height, width, 3]. Allocates nothing.
    func resample(_ canvas: PixelCanvas, into frame: inout MutableSpan<UInt8>) {
        let pixels = canvas.pixels.span
        var position = 0
        for row in rows {
            let upper = row.first * canvas.width
            let lower = row.second * canvas.width
            for column in columns {
                let corners = (
                    pixels[upper + column.first], pixels[upper + column.second],
                    pixels[lower + column.first], pixels[lower + column.second]
                )
                var color = corners.0
                // Between equal pixels the arithmetic gives that pixel. Most of a table is of one colour.
                if corners.1 != color || corners.2 != color || corners.3 != color {
                    color = Self.blend(
                        Self.between(corners.0, corners.1, column),
                        Self.between(corners.2, corners.3, column),
                        row
                    )
                }
                frame[position] = color.x
                frame[position + 1] = color.y
                frame[position + 2] = color.z
                position += 3
            }
        }
    }

    /// In units of 2^-7.
    @inline(__always)
    private static func between(_ first: PixelColor, _ second: PixelColor, _ taps: Taps) -> SIMD4<Int32> {
        let sum =
            SIMD4<Int32>(truncatingIfNeeded: first) &* taps.firstWeight
            &+ SIMD4<Int32>(truncatingIfNeeded: second) &* taps.secondWeight
        return sum &>> 4
    }

    @inline(__always)
    private static func blend(_ upper: SIMD4<Int32>, _ lower: SIMD4<Int32>, _ taps: Taps) -> PixelColor {
        // Each share is cut to units of 2^-2 before they are added.
        let sum = ((upper &* taps.firstWeight) &>> 16) &+ ((lower &* taps.secondWeight) &>> 16)
        return PixelColor(truncatingIfNeeded: (sum &+ 2) &>> 2)
    }

    private static func taps(source: Int, target: Int) -> [Taps] {
        let scale = 1 / (Double(target) / Double(source))
        return (0..<target).map { index in
            // Centres of pixels lie at halves.
            let position = Float((Double(index) + 0.5) * scale - 0.5)
            let whole = position.rounded(.down)
            let fraction = position - whole
            let first = min(max(Int(whole), 0), source - 1)
            return Taps(
                first: first,
                second: min(max(Int(whole) + 1, 0), source - 1),
                firstWeight: Int32(((1 - fraction) * 2048).rounded(.toNearestOrEven)),
                secondWeight: Int32((fraction * 2048).rounded(.toNearestOrEven))
            )
        }
    }
}
