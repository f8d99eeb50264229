import Drawing
import Testing

@testable import Rendering

@Suite struct CanvasTests {
    private let red = Color(0xff_0000)
    private let blue = Color(0x00_00ff)

    @Test func `shapes cover their pixels, and no others`() throws {
        let canvas = try Canvas(width: 40, height: 30)
        canvas.rectangle(SIMD2(2, 3), size: SIMD2(5, 4), red)
        canvas.disc(SIMD2(20, 15), radius: 5, blue)
        canvas.line([SIMD2(0, 28.5), SIMD2(40, 28.5)], red, width: 1)
        let pixels = try Pixels(canvas)
        #expect(pixels.count(0xff_0000, x: 0..<40, y: 0..<20) == 20)
        #expect(pixels[2, 3] == 0xff_0000 && pixels[6, 6] == 0xff_0000)
        #expect(pixels[1, 3] == 0xff_ffff && pixels[7, 6] == 0xff_ffff)
        #expect(pixels[20, 15] == 0x00_00ff && pixels[16, 15] == 0x00_00ff)
        #expect(pixels[13, 15] == 0xff_ffff && pixels[15, 10] == 0xff_ffff)
        #expect(pixels.count(0xff_0000, x: 0..<40, y: 28..<29) == 40)
        #expect(pixels.count(0xff_ffff, x: 0..<40, y: 27..<28) == 40)
    }

    @Test func `units move, turn and grow, and opacity mixes`() throws {
        let canvas = try Canvas(width: 40, height: 40)
        canvas.within(SIMD2(20, 20), scale: 2, degrees: 90) {
            canvas.rectangle(SIMD2(1, 0), size: SIMD2(4, 2), red)
        }
        // A quarter turn takes x to y, and y to -x.
        canvas.rectangle(SIMD2(0, 0), size: SIMD2(4, 4), Color(0), opacity: 0.5)
        let pixels = try Pixels(canvas)
        #expect(pixels.count(0xff_0000, x: 0..<40, y: 0..<40) == 8 * 4)
        #expect(pixels.count(0xff_0000, x: 16..<20, y: 22..<30) == 8 * 4)
        #expect(pixels[1, 1] == 0x80_8080 || pixels[1, 1] == 0x7f_7f7f)
    }

    @Test func `polygons that touch have one outline, and no seam`() throws {
        let square: [SIMD2<Double>] = [SIMD2(5, 5), SIMD2(15, 5), SIMD2(15, 15), SIMD2(5, 15)]
        let squares = [square, square.map { $0 + SIMD2(10, 0) }]
        for opacity in [1, 0.5] {
            let canvas = try Canvas(width: 30, height: 20)
            canvas.shape(squares, fill: red, stroke: Color(0), outline: 4, opacity: opacity)
            let pixels = try Pixels(canvas)
            let filled = pixels[10, 10]
            #expect(opacity == 1 ? filled == 0xff_0000 : filled != 0xff_0000)
            #expect(pixels.count(filled, x: 5..<25, y: 5..<15) == 200)
            let outline = pixels[4, 10]
            #expect(outline == pixels[25, 10])
            #expect(opacity == 1 ? outline == 0 : outline == 0x80_8080 || outline == 0x7f_7f7f)
            #expect(pixels[2, 10] == 0xff_ffff)
        }
    }

    @Test func `text stands where its anchor says`() throws {
        for (anchor, start) in [(Canvas.Anchor.start, 60.0), (.middle, 40), (.end, 20)] {
            let canvas = try Canvas(width: 120, height: 30)
            let width = canvas.textWidth("MMMM", size: 12)
            #expect((30...60).contains(width))
            canvas.text("MMMM", at: SIMD2(60, 20), size: 12, Color(0), anchor: anchor)
            let pixels = try Pixels(canvas)
            let inked = (0..<120).filter { pixels.darkest(x: $0..<$0 + 1, y: 5..<25) < 300 }
            let left = 60 - anchor.rawValue * width
            #expect(abs(Double(inked.first ?? 0) - left) < 3, "\(anchor), \(start)")
            #expect(abs(Double(inked.last ?? 0) - left - width) < 3, "\(anchor)")
            // On the baseline, not below.
            #expect(pixels.darkest(x: 0..<120, y: 22..<30) == 765)
            #expect(pixels.darkest(x: 0..<120, y: 12..<19) < 200)
        }
    }

    @Test func `text may be any string`() throws {
        let canvas = try Canvas(width: 200, height: 30)
        for text in ["", "ä ß 測試 🤖", "a\0b", "\u{1b}[2J\n", String(repeating: "x", count: 100_000)] {
            canvas.text(text, at: SIMD2(5, 20), size: 12, Color(0))
        }
        canvas.rectangle(.zero, size: SIMD2(200, 30), red)
        #expect(try Pixels(canvas).count(0xff_0000, x: 0..<200, y: 0..<30) == 6000)
    }

    @Test func `pictures are enlarged pixel by pixel`() throws {
        let canvas = try Canvas(width: 20, height: 20)
        let bytes: [UInt8] = [255, 0, 0, 0, 255, 0, 0, 0, 255, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        canvas.picture(bytes.span, height: 2, width: 3, at: SIMD2(1, 2), scale: 4)
        let pixels = try Pixels(canvas)
        let colors: [UInt32] = [0xff_0000, 0x00_ff00, 0x00_00ff, 0x01_0203, 0x04_0506, 0x07_0809]
        for (index, color) in colors.enumerated() {
            let x = 1 + 4 * (index % 3)
            let y = 2 + 4 * (index / 3)
            #expect(pixels.count(color, x: x..<x + 4, y: y..<y + 4) == 16)
        }
        #expect(pixels.count(0xff_ffff, x: 0..<20, y: 0..<20) == 400 - 96)
    }
}
