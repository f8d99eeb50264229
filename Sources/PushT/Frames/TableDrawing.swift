import CChipmunk

/// Draws the table as gym-pusht draws its screen: a pixel for each unit of the world.
///
/// On white come the goal, then what Chipmunk's own `cpSpaceDebugDraw` lists, in its order: the block, the
/// agent, the walls, and a red line at each contact of the last physics step. Coordinates are rounded to whole
/// pixels first, halves to even, as Python's `round` does.
final class TableDrawing {
    /// The picture that was drawn last.
    private(set) var canvas: PixelCanvas

    private let background: PixelCanvas
    private var corners: [SIMD2<Int>] = []

    /// - Parameter scenario: its world has at most `FrameRenderer.longestSide` pixels a side.
    init(_ scenario: Scenario) {
        let size = scenario.world.size.rounded(.up)
        canvas = PixelCanvas(width: Int(size.x), height: Int(size.y), color: Palette.white)
        for part in PhysicsWorld.goalPolygons(scenario) {
            canvas.fillPolygon(Self.closed(part.vertices.map(Self.pixel)), Palette.goal)
        }
        background = canvas
        // A part's corners with the first one again, or the four of a bar.
        corners.reserveCapacity(max(4, 1 + (scenario.block.parts.map(\.count).max() ?? 0)))
    }

    /// Draws a world as it is after its last physics step. Allocates nothing after the first call.
    func draw(_ world: PhysicsWorld) {
        canvas.copy(background)
        var options = cpSpaceDebugDrawOptions()
        options.drawCircle = { center, _, radius, _, color, data in
            TableDrawing.of(data).disc(center, radius, PixelColor(color))
        }
        options.drawSegment = { start, end, color, data in
            TableDrawing.of(data).contact(start, end, PixelColor(color))
        }
        options.drawFatSegment = { start, end, radius, _, color, data in
            TableDrawing.of(data).bar(
                TableDrawing.pixel(start),
                TableDrawing.pixel(end),
                radius,
                PixelColor(color)
            )
        }
        options.drawPolygon = { count, corners, _, _, color, data in
            guard let corners else { return }
            let polygon = UnsafeBufferPointer(start: corners, count: Int(count))
            TableDrawing.of(data).outlinedPolygon(polygon, PixelColor(color))
        }
        options.drawDot = { _, _, _, _ in }
        options.flags = cpSpaceDebugDrawFlags(
            CP_SPACE_DEBUG_DRAW_SHAPES.rawValue | CP_SPACE_DEBUG_DRAW_COLLISION_POINTS.rawValue
        )
        options.colorForShape = { shape, _ in Palette.color(of: shape) }
        options.collisionPointColor = Palette.contact
        options.data = Unmanaged.passUnretained(self).toOpaque()
        world.debugDraw(&options)
    }

    private static func of(_ data: cpDataPointer?) -> TableDrawing {
        guard let data else { preconditionFailure("Chipmunk hands on the pointer it was given") }
        return Unmanaged<TableDrawing>.fromOpaque(data).takeUnretainedValue()
    }

    // MARK: - Shapes

    /// The agent: a rim four pixels wide around a lighter disc.
    private func disc(_ center: cpVect, _ radius: Double, _ color: PixelColor) {
        let center = Self.pixel(center)
        canvas.fillDisc(center: center, radius: Self.whole(radius), color)
        canvas.fillDisc(center: center, radius: Self.whole(radius - 4), color.lighter)
    }

    /// A part of the block: a lighter inside with a bar along each edge.
    private func outlinedPolygon(_ polygon: UnsafeBufferPointer<cpVect>, _ color: PixelColor) {
        corners.removeAll(keepingCapacity: true)
        for corner in polygon { corners.append(Self.pixel(corner)) }
        guard let first = corners.first else { return }
        corners.append(first)
        canvas.fillPolygon(corners, color.lighter)
        for edge in 0..<polygon.count {
            bar(Self.pixel(polygon[edge]), Self.pixel(polygon[(edge + 1) % polygon.count]), 2, color)
        }
    }

    /// A segment with rounded ends: a thick line, a rectangle over it where it is thicker than two pixels, and
    /// a disc at each end.
    ///
    /// gym-pusht takes the rectangle's half side from the segment's run and rise without their signs. If both
    /// have the same sign, the rectangle is askew.
    private func bar(_ start: SIMD2<Int>, _ end: SIMD2<Int>, _ radius: Double, _ color: PixelColor) {
        let thickness = Self.whole(max(1, 2 * radius))
        canvas.drawLine(from: start, to: end, width: thickness, color)
        guard thickness > 2, start != end else { return }

        let sides = SIMD2(Double(abs(end.y - start.y)), Double(abs(end.x - start.x)))
        let scale = radius / (sides * sides).sum().squareRoot()
        let side = SIMD2(Self.whole(sides.x * scale), Self.whole(sides.y * scale))
        corners.removeAll(keepingCapacity: true)
        corners.append(start &- side)
        corners.append(start &+ side)
        corners.append(end &+ side)
        corners.append(end &- side)
        canvas.fillPolygon(corners, color)
        canvas.fillDisc(center: start, radius: Self.whole(radius), color)
        canvas.fillDisc(center: end, radius: Self.whole(radius), color)
    }

    private func contact(_ start: cpVect, _ end: cpVect, _ color: PixelColor) {
        guard start.x.isFinite, start.y.isFinite, end.x.isFinite, end.y.isFinite else { return }
        canvas.drawSmoothLine(from: Self.pixel(start), to: Self.pixel(end), color)
    }

    // MARK: - Coordinates

    private static func closed(_ corners: [SIMD2<Int>]) -> [SIMD2<Int>] {
        corners + corners.prefix(1)
    }

    private static func pixel(_ point: cpVect) -> SIMD2<Int> {
        SIMD2(whole(point.x), whole(point.y))
    }

    private static func pixel(_ point: SIMD2<Double>) -> SIMD2<Int> {
        SIMD2(whole(point.x), whole(point.y))
    }

    /// The nearest whole number, halves to even, and at most 10^7 from 0: far outside every picture.
    private static func whole(_ value: Double) -> Int {
        guard abs(value) <= 1e7 else { return value < 0 ? -10_000_000 : 10_000_000 }
        return Int(value.rounded(.toNearestOrEven))
    }
}

/// The colours that gym-pusht names, by pygame's names for them.
private enum Palette {
    static let white = PixelColor(255, 255, 255, 0)
    /// LightGreen.
    static let goal = PixelColor(144, 238, 144, 0)
    /// pymunk's colour of contacts.
    static let contact = cpSpaceDebugColor(r: 231, g: 76, b: 60, a: 255)
    /// RoyalBlue.
    private static let agent = cpSpaceDebugColor(r: 65, g: 105, b: 225, a: 255)
    /// LightSlateGray.
    private static let block = cpSpaceDebugColor(r: 119, g: 136, b: 153, a: 255)
    /// LightGray.
    private static let wall = cpSpaceDebugColor(r: 211, g: 211, b: 211, a: 255)

    static func color(of shape: OpaquePointer?) -> cpSpaceDebugColor {
        switch cpBodyGetType(cpShapeGetBody(shape)) {
        case CP_BODY_TYPE_STATIC: wall
        case CP_BODY_TYPE_KINEMATIC: agent
        default: block
        }
    }
}

extension PixelColor {
    fileprivate init(_ color: cpSpaceDebugColor) {
        self.init(UInt8(color.r), UInt8(color.g), UInt8(color.b), 0)
    }

    /// Each part times 1.2, rounded, at most 255.
    fileprivate var lighter: PixelColor {
        let scaled = pointwiseMin(SIMD4<Float>(self) * 1.2, SIMD4<Float>(repeating: 255))
        return PixelColor(truncatingIfNeeded: SIMD4<Int32>(scaled, rounding: .toNearestOrEven))
    }
}
