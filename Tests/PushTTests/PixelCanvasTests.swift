import NumPyRandom
import Testing

@testable import PushT

/// Shapes against pygame's, byte for byte, cut by the picture's border too.
@Suite struct PixelCanvasTests {
    /// The shapes of `drawing` in Tests/Oracles/pusht_frames.py.
    @Test(arguments: Array(GymFrames.gym.drawings.enumerated()))
    func shapesArePygames(seed: Int, expected: String) {
        var generator = PCG64(seed: UInt64(seed))
        func number(_ range: Range<Int>) -> Int { generator.integer(in: range) }
        func point() -> SIMD2<Int> {
            let x = number(-20..<70)
            return SIMD2(x, number(-20..<70))
        }
        var canvas = PixelCanvas(width: 48, height: 40, color: PixelColor(255, 255, 255, 0))
        for _ in 0..<12 {
            let kind = number(0..<4)
            let parts = (0..<3).map { _ in UInt8(number(0..<256)) }
            let color = PixelColor(parts[0], parts[1], parts[2], 0)
            if kind == 0 {
                let corners = (0..<number(3..<8)).map { _ in point() }
                canvas.fillPolygon(corners, color)
                continue
            }
            let start = point()
            switch kind {
            case 1:
                canvas.fillDisc(center: start, radius: number(0..<25), color)
            case 2:
                let end = point()
                canvas.drawLine(from: start, to: end, width: number(1..<7), color)
            default:
                canvas.drawSmoothLine(from: start, to: point(), color)
            }
        }
        #expect(fnv1a(canvas.pixels.flatMap { [$0.x, $0.y, $0.z] }) == expected)
    }

    @Test func degenerateShapesDrawLittle() {
        let (white, red) = (PixelColor(255, 255, 255, 0), PixelColor(255, 0, 0, 0))
        func drawn(_ draw: (inout PixelCanvas) -> Void) -> Int {
            var canvas = PixelCanvas(width: 10, height: 8, color: white)
            draw(&canvas)
            return canvas.pixels.count { $0 != white }
        }
        let point = SIMD2(4, 4)
        #expect(drawn { $0.fillPolygon([], red) } == 0)
        #expect(drawn { $0.fillPolygon([point, point, point], red) } == 1)
        #expect(drawn { $0.fillPolygon([SIMD2(-3, 4), SIMD2(20, 4)], red) } == 10)
        #expect(drawn { $0.fillDisc(center: point, radius: -1, red) } == 0)
        #expect(drawn { $0.drawLine(from: point, to: point, width: 1, red) } == 1)
        #expect(drawn { $0.drawLine(from: point, to: SIMD2(6, 4), width: 0, red) } == 0)
        #expect(drawn { $0.drawSmoothLine(from: point, to: point, red) } == 1)
        #expect(drawn { $0.drawSmoothLine(from: SIMD2(-9, -9), to: SIMD2(-9, -9), red) } == 0)
        let far = SIMD2(10_000_000, -10_000_000)
        #expect(drawn { $0.fillPolygon([far, 0 &- far, SIMD2(far.x, 3)], red) } > 0)
        #expect(drawn { $0.drawLine(from: far, to: far &+ 5, width: 4, red) } == 0)
    }
}
