import CChipmunk

/// The bodies and shapes of one scenario in a Chipmunk space, built in the order in which gym-pusht builds
/// them.
///
/// The order matters: Chipmunk solves contacts in the order in which it finds them, and it finds them by the
/// order in which shapes were added. This class owns every Chipmunk object it makes, and frees it.
final class PhysicsWorld {
    private let space: OpaquePointer
    private let walls: OpaquePointer
    private let agent: OpaquePointer
    private let block: OpaquePointer
    private let blockParts: [OpaquePointer]
    private let otherShapes: [OpaquePointer]

    init(_ scenario: Scenario) {
        ChipmunkBanner.keepOffStandardOutput
        space = cpSpaceNew()
        cpSpaceSetGravity(space, cpVect(scenario.world.gravity))
        cpSpaceSetDamping(space, scenario.world.damping)
        cpSpaceSetIterations(space, Int32(scenario.world.solverIterations))

        let walls: OpaquePointer = cpBodyNewStatic()
        self.walls = walls
        cpSpaceAddBody(space, walls)
        var otherShapes: [OpaquePointer] = scenario.world.walls.map { wall in
            cpSegmentShapeNew(walls, cpVect(wall.from), cpVect(wall.to), wall.radius)
        }
        for wall in otherShapes { cpSpaceAddShape(space, wall) }

        agent = cpBodyNewKinematic()
        cpBodySetPosition(agent, cpVect(scenario.agent.start))
        let disc: OpaquePointer = cpCircleShapeNew(agent, scenario.agent.radius, cpVect(x: 0, y: 0))
        cpSpaceAddBody(space, agent)
        cpSpaceAddShape(space, disc)
        otherShapes.append(disc)
        self.otherShapes = otherShapes

        let block = Self.makeBlock(scenario.block)
        (self.block, blockParts) = block
        cpSpaceAddBody(space, block.body)
        for part in block.parts { cpSpaceAddShape(space, part) }
    }

    deinit {
        for shape in blockParts + otherShapes {
            cpSpaceRemoveShape(space, shape)
            cpShapeFree(shape)
        }
        for body in [block, agent, walls] {
            cpSpaceRemoveBody(space, body)
            cpBodyFree(body)
        }
        cpSpaceFree(space)
    }

    var agentPosition: SIMD2<Double> {
        get { SIMD2(cpBodyGetPosition(agent)) }
        set { cpBodySetPosition(agent, cpVect(newValue)) }
    }

    var agentVelocity: SIMD2<Double> {
        get { SIMD2(cpBodyGetVelocity(agent)) }
        set { cpBodySetVelocity(agent, cpVect(newValue)) }
    }

    var blockPosition: SIMD2<Double> { SIMD2(cpBodyGetPosition(block)) }

    /// Radians, not reduced to one turn.
    var blockAngle: Double { cpBodyGetAngle(block) }

    /// The block's polygons where they are now, in world pixels.
    var blockPolygons: [ConvexPolygon] { Self.polygons(body: block, parts: blockParts) }

    /// The block's corners in body coordinates, polygon after polygon, in the order in which Chipmunk keeps them.
    var blockLocalCorners: [SIMD2<Double>] { blockParts.flatMap(Self.localCorners) }

    /// Moves the block, then turns it about its centre of gravity: the turn moves the position it was just
    /// given.
    func placeBlock(position: SIMD2<Double>, thenTurnTo angle: Double) {
        cpBodySetPosition(block, cpVect(position))
        cpBodySetAngle(block, angle)
    }

    func step(_ timeStep: Double) {
        cpSpaceStep(space, timeStep)
    }

    /// Hands the shapes and the contacts of the last step to callbacks, in the order in which gym-pusht draws
    /// them.
    func debugDraw(_ options: inout cpSpaceDebugDrawOptions) {
        cpSpaceDebugDraw(space, &options)
    }

    /// The block's polygons at the goal pose, in world pixels.
    static func goalPolygons(_ scenario: Scenario) -> [ConvexPolygon] {
        let (block, parts) = makeBlock(scenario.block)
        let goal: OpaquePointer = cpBodyNew(1, 1)
        defer {
            for part in parts { cpShapeFree(part) }
            cpBodyFree(block)
            cpBodyFree(goal)
        }
        cpBodySetPosition(goal, cpVect(scenario.goal.position))
        cpBodySetAngle(goal, scenario.goal.angle)
        return polygons(body: goal, parts: parts)
    }

    private static func makeBlock(_ block: Scenario.Block) -> (body: OpaquePointer, parts: [OpaquePointer]) {
        let outlines = block.parts.map { $0.map { cpVect($0) } }
        let origin = cpVect(x: 0, y: 0)
        let inertias = block.inertiaParts.map { part in
            cpMomentForPoly(block.mass, Int32(outlines[part].count), outlines[part], origin, 0)
        }
        let body: OpaquePointer = cpBodyNew(block.mass, inertias.reduce(0, +))
        let parts: [OpaquePointer] = outlines.map { outline in
            cpPolyShapeNew(body, Int32(outline.count), outline, cpTransformIdentity, 0)
        }
        let centres = parts.map { SIMD2(cpShapeGetCenterOfGravity($0)) }
        cpBodySetCenterOfGravity(body, cpVect(centres.reduce(.zero, +) / Double(centres.count)))
        cpBodySetAngle(body, 0)
        cpBodySetPosition(body, cpVect(block.start))
        return (body, parts)
    }

    private static func localCorners(_ part: OpaquePointer) -> [SIMD2<Double>] {
        (0..<cpPolyShapeGetCount(part)).map { SIMD2(cpPolyShapeGetVert(part, $0)) }
    }

    private static func polygons(body: OpaquePointer, parts: [OpaquePointer]) -> [ConvexPolygon] {
        parts.map { part in
            ConvexPolygon(vertices: localCorners(part).map { SIMD2(cpBodyLocalToWorld(body, cpVect($0))) })
        }
    }
}

extension cpVect {
    fileprivate init(_ vector: SIMD2<Double>) {
        self.init(x: vector.x, y: vector.y)
    }
}

extension SIMD2<Double> {
    fileprivate init(_ vector: cpVect) {
        self.init(vector.x, vector.y)
    }
}
