import Foundation
import NumPyRandom

/// What a robot would see.
public struct PushTObservation: Sendable, Hashable {
    /// The agent's centre.
    public let agentPosition: SIMD2<Double>
    /// The origin of the block's body coordinates (on a T, the middle of the top edge).
    public let blockPosition: SIMD2<Double>
    /// The block's angle in [0, 2 pi).
    public let blockAngle: Double
    /// The block's corners, polygon after polygon, [x0, y0, x1, y1, ...]: 16 numbers for the T, in the order of
    /// gym-pusht's `environment_state`.
    public let keypoints: [Double]

    /// gym-pusht's `state`: [agent x, agent y, block x, block y, block angle].
    public var state: [Double] {
        [agentPosition.x, agentPosition.y, blockPosition.x, blockPosition.y, blockAngle]
    }
}

/// What one action led to.
public struct StepOutcome: Sendable, Hashable {
    /// What a robot would see now.
    public let observation: PushTObservation
    /// The share of the goal that the block covers, in [0, 1].
    public let coverage: Double
    /// `coverage` over the success coverage, at most 1.
    public let reward: Double
    /// Whether the coverage is above the success coverage now.
    public let isSuccess: Bool
    /// Actions since the reset, this one included.
    public let stepCount: Int
    /// Whether the episode is over: a success, or the last control step allowed.
    public let isEpisodeOver: Bool
}

/// Why the simulation refuses an input. It has not moved then.
public enum PushTError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A number of an action is not in the world.
    case action(component: String, value: Double)
    /// A number of a state is none that it may be.
    case state(component: String, value: Double, expected: String)
    /// A state has too many or too few numbers.
    case stateCount(Int)
    /// A picture cannot have this size.
    case frame(component: String, value: String, expected: String)

    /// Component, value and expectation in one line.
    public var description: String {
        switch self {
        case .action(let component, let value):
            "action \(component) is \(value), expected a number in [-\(PushTSimulation.reach), \(PushTSimulation.reach)]"
        case .state(let component, let value, let expected):
            "state \(component) is \(value), expected \(expected)"
        case .stateCount(let count):
            "the state has \(count) numbers, expected 5: agent x, agent y, block x, block y, block angle"
        case .frame(let component, let value, let expected):
            "frame \(component) is \(value), expected \(expected)"
        }
    }
}

/// The PushT task: a disc follows position targets and pushes a T-shaped block into its goal pose.
///
/// Equal to gym-pusht 0.1.8 number for number: Chipmunk2D physics, driven in the same order with the same
/// arithmetic. A new simulation stands at the reset of seed 0. One thread at a time; many simulations may run
/// at once.
public final class PushTSimulation {
    /// How far from the origin a coordinate may lie, twenty tables away: much farther out, the springs of the
    /// controller would tear the physics apart.
    public static let reach = 10_000.0

    /// The task.
    public let scenario: Scenario
    /// Actions since the reset.
    public private(set) var stepCount = 0

    private(set) var world: PhysicsWorld
    private let goal: [ConvexPolygon]
    private let goalArea: Double

    /// A simulation of a scenario, at the reset of seed 0.
    public init(scenario: Scenario = .pushT) {
        self.scenario = scenario
        goal = PhysicsWorld.goalPolygons(scenario)
        goalArea = goal.reduce(0) { $0 + $1.area }
        world = PhysicsWorld(scenario)
        reset(seed: 0)
    }

    /// Starts an episode at the pose that gym-pusht's `reset(seed=...)` gives for the seed.
    @discardableResult
    public func reset(seed: UInt64) -> PushTObservation {
        var generator = PCG64(seed: seed)
        let reset = scenario.reset
        let agentX = generator.integer(in: reset.agentX.x..<reset.agentX.y)
        let agentY = generator.integer(in: reset.agentY.x..<reset.agentY.y)
        let blockX = generator.integer(in: reset.blockX.x..<reset.blockX.y)
        let blockY = generator.integer(in: reset.blockY.x..<reset.blockY.y)
        let angle = generator.uniform(low: reset.blockAngle.x, high: reset.blockAngle.y)
        return place(
            agent: SIMD2(Double(agentX), Double(agentY)),
            block: SIMD2(Double(blockX), Double(blockY)),
            angle: angle
        )
    }

    /// Starts an episode as gym-pusht's `reset(options={"reset_to_state": state})` does.
    ///
    /// As there, the block is placed and then turned about its centre of gravity, which moves it: the
    /// observation's block position is not the one given.
    /// - Parameter state: agent x, agent y, block x, block y in the world, and the block's angle in radians.
    /// - Throws: ``PushTError`` for a state of another length, or a number that is not finite or beyond
    ///   `reach`.
    @discardableResult
    public func reset(to state: [Double]) throws(PushTError) -> PushTObservation {
        guard state.count == 5 else { throw .stateCount(state.count) }
        for (component, value) in zip(["agent x", "agent y", "block x", "block y"], state)
        where !(abs(value) <= Self.reach) {
            throw .state(
                component: component,
                value: value,
                expected: "a number in [-\(Self.reach), \(Self.reach)]"
            )
        }
        guard abs(state[4]) <= 1e6 else {
            throw .state(component: "block angle", value: state[4], expected: "a number in [-1e6, 1e6]")
        }
        return place(agent: SIMD2(state[0], state[1]), block: SIMD2(state[2], state[3]), angle: state[4])
    }

    /// Moves the agent towards a target for one control period.
    /// - Parameter action: the target position. It may lie beyond the walls, which then hold the agent back, as
    ///   in gym-pusht; `scenario.world.clamp` keeps a target on the table.
    /// - Throws: ``PushTError`` for a target that is not finite or beyond `reach`; nothing has moved then.
    @discardableResult
    public func step(_ action: SIMD2<Double>) throws(PushTError) -> StepOutcome {
        guard abs(action.x) <= Self.reach else { throw .action(component: "x", value: action.x) }
        guard abs(action.y) <= Self.reach else { throw .action(component: "y", value: action.y) }

        let agent = scenario.agent
        let timeStep = scenario.control.physicsTimeStep
        for _ in 0..<scenario.control.physicsSteps {
            let pull = agent.positionGain * (action - world.agentPosition)
            let brake = agent.velocityGain * (0 - world.agentVelocity)
            world.agentVelocity += (pull + brake) * timeStep
            world.step(timeStep)
        }
        stepCount += 1

        let coverage = coverage
        let isSuccess = coverage > scenario.episode.successCoverage
        return StepOutcome(
            observation: observation,
            coverage: coverage,
            reward: scenario.reward(coverage: coverage),
            isSuccess: isSuccess,
            stepCount: stepCount,
            isEpisodeOver: isSuccess || stepCount >= scenario.episode.maxSteps
        )
    }

    /// What a robot would see now.
    public var observation: PushTObservation {
        let position = world.blockPosition
        let angle = world.blockAngle
        let (sine, cosine) = (sin(angle), cos(angle))
        let corners = world.blockLocalCorners.map { corner in
            position + SIMD2(corner.x * cosine - corner.y * sine, corner.x * sine + corner.y * cosine)
        }
        return PushTObservation(
            agentPosition: world.agentPosition,
            blockPosition: position,
            blockAngle: Self.wholeTurnsRemoved(angle),
            keypoints: corners.flatMap { [$0.x, $0.y] }
        )
    }

    /// The share of the goal that the block covers now, in [0, 1].
    public var coverage: Double {
        let block = world.blockPolygons
        var shared = 0.0
        for goalPart in goal {
            for blockPart in block {
                shared += goalPart.intersection(blockPart).area
            }
        }
        return shared / goalArea
    }

    private func place(agent: SIMD2<Double>, block: SIMD2<Double>, angle: Double) -> PushTObservation {
        // A fresh space: a used one remembers contacts and the order in which it met its shapes.
        world = PhysicsWorld(scenario)
        world.agentPosition = agent
        world.placeBlock(position: block, thenTurnTo: angle)
        world.step(scenario.control.physicsTimeStep)
        stepCount = 0
        return observation
    }

    /// Python's `angle % (2 * pi)`: in [0, 2 pi), for negative angles too.
    private static func wholeTurnsRemoved(_ angle: Double) -> Double {
        let remainder = fmod(angle, 2 * .pi)
        return remainder < 0 ? remainder + 2 * .pi : abs(remainder)
    }
}

extension Scenario {
    /// gym-pusht's reward of a coverage: the coverage over the success coverage, in [0, 1].
    public func reward(coverage: Double) -> Double {
        min(max(coverage / episode.successCoverage, 0), 1)
    }
}
