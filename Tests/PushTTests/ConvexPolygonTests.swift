import Foundation
import PushT
import Testing

@Suite struct ConvexPolygonTests {
    static func box(_ x: ClosedRange<Double>, _ y: ClosedRange<Double>) -> ConvexPolygon {
        ConvexPolygon(
            vertices: [
                SIMD2(x.lowerBound, y.lowerBound), SIMD2(x.upperBound, y.lowerBound),
                SIMD2(x.upperBound, y.upperBound), SIMD2(x.lowerBound, y.upperBound),
            ]
        )
    }

    static func reversed(_ polygon: ConvexPolygon) -> ConvexPolygon {
        ConvexPolygon(vertices: polygon.vertices.reversed())
    }

    static let squareOnItsCorner = ConvexPolygon(
        vertices: [
            SIMD2(0.5.squareRoot(), 0), SIMD2(0, 0.5.squareRoot()),
            SIMD2(-0.5.squareRoot(), 0), SIMD2(0, -0.5.squareRoot()),
        ]
    )

    static let pairs: [(a: ConvexPolygon, b: ConvexPolygon, shared: Double)] = [
        (box(0...4, 0...3), box(0...4, 0...3), 12),
        (box(0...4, 0...3), box(2...9, 1...2), 2),
        (box(0...4, 0...3), box(1...2, 1...2), 1),
        (box(0...4, 0...3), box(4...5, 0...3), 0),
        (box(0...4, 0...3), box(7...9, 0...3), 0),
        (box(0...4, 0...3), box(4...5, 3...4), 0),
        // A unit square and itself turned by 45 degrees share a regular octagon of area 2 (sqrt 2 - 1).
        (box(-0.5...0.5, -0.5...0.5), squareOnItsCorner, 2 * (2.0.squareRoot() - 1)),
    ]

    @Test(arguments: pairs)
    func sharedArea(a: ConvexPolygon, b: ConvexPolygon, expected: Double) {
        for (first, second) in [(a, b), (b, a), (Self.reversed(a), b), (a, Self.reversed(b))] {
            #expect(abs(first.intersection(second).area - expected) <= 1e-14)
        }
    }

    /// The T's bar and stem share an edge and nothing more, whichever way they are turned.
    @Test(arguments: [0, 0.3, .pi / 4, 2, -3])
    func touchingPartsShareNoArea(angle: Double) {
        let parts = Scenario.pushT.block.parts.map { part in
            ConvexPolygon(
                vertices: part.map {
                    SIMD2(
                        cos(angle) * $0.x - sin(angle) * $0.y + 256,
                        sin(angle) * $0.x + cos(angle) * $0.y + 256
                    )
                }
            )
        }
        #expect(abs(parts[0].area - 3600) < 1e-9)
        #expect(abs(parts[1].area - 2700) < 1e-9)
        #expect(parts[0].intersection(parts[1]).area < 1e-9)
    }

    @Test func convexityIsSeen() {
        #expect(Self.box(0...1, 0...1).isConvex)
        #expect(Self.reversed(Self.box(0...1, 0...1)).isConvex)
        #expect(!ConvexPolygon(vertices: [SIMD2(0, 0), SIMD2(1, 1)]).isConvex)
        #expect(!ConvexPolygon(vertices: [SIMD2(0, 0), SIMD2(1, 1), SIMD2(2, 2)]).isConvex)
        #expect(!ConvexPolygon(vertices: [SIMD2(0, 0), SIMD2(4, 0), SIMD2(1, 1), SIMD2(0, 4)]).isConvex)
        #expect(!ConvexPolygon(vertices: [SIMD2(0, 0), SIMD2(1, 1), SIMD2(1, 0), SIMD2(0, 1)]).isConvex)
    }
}
