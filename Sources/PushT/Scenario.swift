/// A PushT task as data: the table, the block, the goal, the controller and the rules of an episode.
///
/// Lengths are pixels, x to the right and y down; angles are radians, from the x axis towards the y axis;
/// times are seconds. ``pushT`` is the standard scenario; others are files in the form of `sim/pusht.json`,
/// with these names in snake case. Read them with ``init(contentsOf:)``, which checks every field: a bare
/// `JSONDecoder` does not, and the physics engine ends the process on numbers it cannot work with.
public struct Scenario: Sendable, Hashable, Codable {
    /// A name for people.
    public let name: String
    /// The table and the physics of everything on it.
    public let world: World
    /// The disc that pushes, and the controller that moves it.
    public let agent: Agent
    /// The block that is pushed.
    public let block: Block
    /// Where the block belongs.
    public let goal: Goal
    /// How often actions come and how finely physics runs.
    public let control: Control
    /// When an episode ends.
    public let episode: Episode
    /// What a seed chooses.
    public let reset: Reset

    /// The table and the physics of everything on it.
    public struct World: Sendable, Hashable, Codable {
        /// Width and height; positions and actions lie in [0, size].
        public let size: SIMD2<Double>
        /// Segments that nothing passes.
        public let walls: [Wall]
        /// Acceleration of free bodies, in pixels per square second.
        public let gravity: SIMD2<Double>
        /// The share of its velocity that a free body keeps over one second, in [0, 1].
        public let damping: Double
        /// Passes of Chipmunk's contact solver in each physics step.
        public let solverIterations: Int
    }

    /// A wall: a segment with rounded ends.
    public struct Wall: Sendable, Hashable, Codable {
        /// One end.
        public let from: SIMD2<Double>
        /// The other end.
        public let to: SIMD2<Double>
        /// Half the thickness.
        public let radius: Double
    }

    /// The disc that pushes, moved by a proportional-derivative controller: acceleration = `positionGain`
    /// (action - position) - `velocityGain` velocity.
    public struct Agent: Sendable, Hashable, Codable {
        /// Radius of the disc.
        public let radius: Double
        /// Where the disc is made, before a reset places it.
        public let start: SIMD2<Double>
        /// k_p, per square second.
        public let positionGain: Double
        /// k_v, per second.
        public let velocityGain: Double
    }

    /// The block that is pushed: a rigid body of convex polygons that do not overlap.
    public struct Block: Sendable, Hashable, Codable {
        /// The polygons' corners in body coordinates. The centre of gravity is the mean of the polygons' centroids.
        public let parts: [[SIMD2<Double>]]
        /// Mass of the body.
        public let mass: Double
        /// The polygons whose moments of inertia, each taken with the full mass, add up to the body's.
        ///
        /// gym-pusht counts the bar of the T twice and the stem not at all, hence [0, 0] there.
        public let inertiaParts: [Int]
        /// Where the body is made, before a reset places it.
        public let start: SIMD2<Double>
    }

    /// A pose of the block.
    public struct Goal: Sendable, Hashable, Codable {
        /// Where the origin of the body coordinates lies.
        public let position: SIMD2<Double>
        /// The turn about that origin.
        public let angle: Double
    }

    /// How often actions come and how finely physics runs.
    public struct Control: Sendable, Hashable, Codable {
        /// Actions a second.
        public let rate: Double
        /// Seconds of one physics step. An action lasts a whole number of them.
        public let physicsTimeStep: Double

        /// Physics steps in one action, computed as gym-pusht does.
        public var physicsSteps: Int { Int(1 / (physicsTimeStep * rate)) }
    }

    /// When an episode ends.
    public struct Episode: Sendable, Hashable, Codable {
        /// Actions after which it ends.
        public let maxSteps: Int
        /// It succeeds, and ends, once the coverage is greater than this.
        public let successCoverage: Double
    }

    /// The half-open ranges [low, high) that a seed draws from: whole pixels for positions, any angle.
    public struct Reset: Sendable, Hashable, Codable {
        /// Agent's x, drawn first; then the others in this order.
        public let agentX: SIMD2<Int>
        /// Agent's y.
        public let agentY: SIMD2<Int>
        /// Block's x.
        public let blockX: SIMD2<Int>
        /// Block's y.
        public let blockY: SIMD2<Int>
        /// Block's angle.
        public let blockAngle: SIMD2<Double>
    }
}
