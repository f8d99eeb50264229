import Foundation

extension Scenario {
    /// gym-pusht's task, as `sim/pusht.json` has it, built into the program.
    public static let pushT: Scenario = {
        do {
            return try Scenario(json: Data(PackageResources.pusht_json), source: "pusht.json")
        } catch {
            preconditionFailure("the built-in scenario does not pass its own checks: \(error)")
        }
    }()

    /// Reads and checks a scenario file.
    /// - Throws: ``DataFileError`` that names the file, the field, the value found and what was expected.
    public init(contentsOf url: URL) throws(DataFileError) {
        try self.init(json: DataFile.contents(of: url), source: url.lastPathComponent)
    }

    /// Reads and checks a scenario.
    /// - Parameters:
    ///   - json: the contents of the file.
    ///   - source: the name that errors give it.
    /// - Throws: ``DataFileError``.
    public init(json: Data, source: String) throws(DataFileError) {
        self = try DataFile.decode(Scenario.self, from: json, source: source)
        var checks = FieldChecks(source: source)
        check(&checks)
        if let error = checks.error { throw error }
    }

    private func check(_ checks: inout FieldChecks) {
        checks.inRange("world.size", world.size, in: 1...1e6)
        for (index, wall) in world.walls.enumerated() {
            let field = "world.walls[\(index)]"
            checks.require("\(field).to", wall.to, "an end apart from the other") {
                $0 != wall.from
            }
            checks.inRange("\(field).from", wall.from, in: -1e6...1e6)
            checks.inRange("\(field).to", wall.to, in: -1e6...1e6)
            checks.inRange("\(field).radius", wall.radius, in: 0...1e6)
        }
        checks.inRange("world.gravity", world.gravity, in: -1e6...1e6)
        checks.inRange("world.damping", world.damping, in: 0...1)
        checks.inRange("world.solver_iterations", world.solverIterations, in: 1...1000)

        checks.inRange("agent.radius", agent.radius, in: 0.1...1e6)
        checks.inWorld("agent.start", agent.start, world)
        checks.inRange("agent.position_gain", agent.positionGain, in: 0...1e6)
        checks.inRange("agent.velocity_gain", agent.velocityGain, in: 0...1e6)

        checkBlock(&checks)
        checkController(&checks)

        checks.inWorld("goal.position", goal.position, world)
        checks.inRange("goal.angle", goal.angle, in: -7...7)

        checks.inRange("control.physics_time_step", control.physicsTimeStep, in: 1e-6...1)
        checks.inRange("control.rate", control.rate, in: 1e-3...1e6)
        let stepsPerAction = 1 / (control.physicsTimeStep * control.rate)
        checks.require(
            "control.physics_time_step",
            control.physicsTimeStep,
            "a whole fraction of an action's \(1 / control.rate) s"
        ) { _ in stepsPerAction >= 1 && abs(stepsPerAction - stepsPerAction.rounded()) < 1e-9 }

        checks.inRange("episode.max_steps", episode.maxSteps, in: 1...1_000_000)
        checks.inRange("episode.success_coverage", episode.successCoverage, in: 0.01...1)

        let width = Int(min(world.size.x, 1e6))
        let height = Int(min(world.size.y, 1e6))
        checks.ordered("reset.agent_x", reset.agentX, in: 0...width)
        checks.ordered("reset.agent_y", reset.agentY, in: 0...height)
        checks.ordered("reset.block_x", reset.blockX, in: 0...width)
        checks.ordered("reset.block_y", reset.blockY, in: 0...height)
        checks.ordered("reset.block_angle", reset.blockAngle, in: -7...7)
    }

    /// The agent's position error and velocity follow a linear map at each physics step, with the
    /// characteristic polynomial z^2 - (2 - k_v dt - k_p dt^2) z + 1 - k_v dt. Its roots lie in the unit
    /// circle under the conditions below (Jury's criterion); outside it the agent flies off and Chipmunk ends
    /// the process.
    private func checkController(_ checks: inout FieldChecks) {
        let timeStep = control.physicsTimeStep
        let brake = agent.velocityGain * timeStep
        checks.require(
            "agent.velocity_gain",
            agent.velocityGain,
            "at most \(2 / timeStep), a stable controller"
        ) { _ in
            brake <= 2
        }
        let limit = (4 - 2 * brake) / (timeStep * timeStep)
        checks.require("agent.position_gain", agent.positionGain, "less than \(limit), a stable controller") {
            $0 < limit
        }
    }

    private func checkBlock(_ checks: inout FieldChecks) {
        let polygons = block.parts.map(ConvexPolygon.init(vertices:))
        checks.require("block.parts", block.parts.count, "at least one part") { $0 > 0 }
        for (index, polygon) in polygons.enumerated() {
            let field = "block.parts[\(index)]"
            for (corner, point) in polygon.vertices.enumerated() {
                checks.inRange("\(field)[\(corner)]", point, in: -1e6...1e6)
            }
            checks.require(field, block.parts[index], "three or more corners, in order, of a convex polygon")
            { _ in
                polygon.isConvex
            }
            // The coverage adds up the parts' shares, which counts an overlap twice.
            for (other, earlier) in polygons.prefix(index).enumerated() {
                checks.require(field, block.parts[index], "a part that does not overlap part \(other)") { _ in
                    polygon.intersection(earlier).area <= 1e-9 * polygon.area
                }
            }
        }
        checks.inRange("block.mass", block.mass, in: 1e-6...1e6)
        checks.require("block.inertia_parts", block.inertiaParts, "one or more indices of parts") { parts in
            !parts.isEmpty && parts.allSatisfy(block.parts.indices.contains)
        }
        checks.inWorld("block.start", block.start, world)
    }
}

/// Collects the first field of a file that is not as it must be.
struct FieldChecks {
    let source: String
    private(set) var error: DataFileError?

    init(source: String) {
        self.source = source
    }

    mutating func require<Value>(
        _ field: String,
        _ value: Value,
        _ expected: String,
        _ holds: (Value) -> Bool
    ) {
        guard error == nil, !holds(value) else { return }
        error = .invalid(file: source, field: field, value: Self.text(value), expected: expected)
    }

    mutating func inRange<Value: Comparable>(_ field: String, _ value: Value, in range: ClosedRange<Value>) {
        require(field, value, "a number in \(range.lowerBound)...\(range.upperBound)") { range.contains($0) }
    }

    mutating func inRange(_ field: String, _ value: SIMD2<Double>, in range: ClosedRange<Double>) {
        require(field, value, "two numbers in \(range.lowerBound)...\(range.upperBound)") {
            range.contains($0.x) && range.contains($0.y)
        }
    }

    mutating func inWorld(_ field: String, _ value: SIMD2<Double>, _ world: Scenario.World) {
        require(field, value, "a point in the world, [0, \(world.size.x)] by [0, \(world.size.y)]") {
            world.contains($0)
        }
    }

    mutating func ordered<Value: Comparable>(
        _ field: String,
        _ value: SIMD2<Value>,
        in range: ClosedRange<Value>
    ) {
        let expected = "[low, high] with low < high, in \(range.lowerBound)...\(range.upperBound)"
        require(field, value, expected) {
            range.contains($0.x) && range.contains($0.y) && $0.x < $0.y
        }
    }

    private static func text<Value>(_ value: Value) -> String {
        switch value {
        case let pair as SIMD2<Double>: "[\(pair.x), \(pair.y)]"
        case let pair as SIMD2<Int>: "[\(pair.x), \(pair.y)]"
        case let points as [SIMD2<Double>]: "[" + points.map { text($0) }.joined(separator: ", ") + "]"
        default: "\(value)"
        }
    }
}

extension Scenario.World {
    /// Whether a point is finite and on the table, borders included.
    public func contains(_ point: SIMD2<Double>) -> Bool {
        (0...size.x).contains(point.x) && (0...size.y).contains(point.y)
    }

    /// The point of the table that is nearest; not a number stays not a number.
    public func clamp(_ point: SIMD2<Double>) -> SIMD2<Double> {
        guard point.x.isFinite, point.y.isFinite else { return point }
        return point.clamped(lowerBound: .zero, upperBound: size)
    }
}
