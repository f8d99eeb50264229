import Motion
import Robotics
import RobotDescription
import TestRandom

@testable import Daemon
@testable import Piloting
@testable import Planning

/// A robot, its pilot and its planner on a clock that only this moves, with whatever can go wrong between them: rates that are
/// not the robot file's, jitter, losses, delays, a daemon that stops for a while, clocks that are set, new episodes, resets,
/// stops, holds and resumes.
///
/// The robot is where its last command put it, at once, unless somebody moves it while no commands come.
struct MotionRide {
    /// A command as it was published, and where the robot was just before it.
    struct Published {
        let command: RobotCommand
        let truth: [Float]
    }

    private struct Arrival {
        let atNs: UInt64
        let observation: RobotObservation
    }

    let file: RobotFile
    private(set) var published: [Published] = []
    private(set) var episodes = 1
    private(set) var states: Set<RobotState> = []

    private var random: SplitMix64
    private var pilot: Pilot
    private var nowNs: UInt64 = 7_000_000_000_000
    private var place: [Float]
    private var lastCommandNs: UInt64 = .max
    private var isPaused = false
    private var clockAheadNs: UInt64 = 3_000_000_000_000
    private var sequence: UInt64 = 0
    private var episode: UInt64 = 1
    private var nextStepNs: UInt64
    private var arrivals: [Arrival] = []
    private var chunks: [(atNs: UInt64, chunk: RobotChunk)] = []
    /// How fast the planned action moves, in units a control step; it may be beyond every limit.
    private var pace: [Float]
    private let stepNs: Double
    private let jitterNs: Double
    private let delayNs: Double
    private let loss: Double
    private let planningNs: UInt64
    private let policy: PolicyDescription
    private let hasSteadyClock: Bool

    init(seed: UInt64) throws {
        random = SplitMix64(seed: seed)
        let controlHz = random.one(of: [2.0, 10, 10, 30])
        let commandHz = controlHz * (random.one(of: [1.0, 3, 5, 10]))
        let dimensions = Int.random(in: 1...3, using: &random)
        let clock = random.one(of: ["own", "own", "monotonic"])
        hasSteadyClock = clock == "monotonic"
        if clock == "monotonic" { clockAheadNs = 0 }
        file = try Self.file(controlHz, commandHz, dimensions, clock, &random)
        policy = PolicyDescription(
            name: "random",
            features: [.init(name: "observation.state", count: dimensions)],
            horizon: 16,
            nObsSteps: 1,
            nActionSteps: 8,
            actionDim: dimensions
        )
        let rate = random.one(of: [0.5, 0.8, 1, 1, 1.2, 2, 5, 20])
        stepNs = 1e9 / controlHz / rate
        jitterNs = stepNs * (random.one(of: [0, 0.02, 0.05, 0.3]))
        delayNs = random.one(of: [1e5, 2e6, 3e7, 1.5e8])
        loss = random.one(of: [0, 0, 0.02, 0.3])
        planningNs = random.one(of: [1, 10, 60, 200]) * 1_000_000
        place = file.limits.dimensions.map { dimension in
            dimension.position.map { $0.lowerBound / 2 + $0.upperBound / 2 } ?? 0
        }
        pace = Array(repeating: 0, count: dimensions)
        nextStepNs = nowNs
        pilot = Pilot(
            robot: try id("arm1"),
            file: file,
            strategy: random.one(of: ChunkStrategy.allCases),
            policy: policy,
            now: at(nowNs)
        )
        choosePace()
    }

    private static func file(
        _ controlHz: Double,
        _ commandHz: Double,
        _ dimensions: Int,
        _ clock: String,
        _ random: inout SplitMix64
    ) throws -> RobotFile {
        var actions: [String] = []
        for index in 0..<dimensions {
            let velocity = Float.random(in: 30...500, using: &random)
            let acceleration = velocity * .random(in: 1...20, using: &random)
            let isVelocity = index > 0 && Int.random(in: 0..<4, using: &random) == 0
            var fields = ["name: d\(index)", "velocity: \(velocity)", "acceleration: \(acceleration)"]
            if isVelocity { fields.append("kind: velocity") }
            if !isVelocity, Bool.random(using: &random) {
                fields.append("position: [\(-2 * velocity), \(2 * velocity)]")
            }
            if Int.random(in: 0..<3, using: &random) == 0 {
                fields.append("deceleration: \(acceleration * .random(in: 0.5...2, using: &random))")
            }
            if Int.random(in: 0..<4, using: &random) == 0 {
                fields.append("jerk: \(acceleration * .random(in: 5...50, using: &random))")
            }
            actions.append("{\(fields.joined(separator: ", "))}")
        }
        let interpolation = random.one(of: ["hold", "linear", "cubic"])
        let feedback = Int.random(in: 0..<3, using: &random)
        let error = feedback == 2 ? ", following_error: 400" : ""
        return try RobotFile(
            """
            control_hz: \(controlHz)
            command_hz: \(commandHz)
            clock: \(clock)
            interpolation: \(interpolation)
            on_violation: \(Int.random(in: 0..<5, using: &random) == 0 ? "stop" : "clamp")
            actions: [\(actions.joined(separator: ", "))]
            \(feedback > 0 ? "feedback: {feature: observation.state\(error)}" : "")
            """
        )
    }

    private mutating func choosePace() {
        for (index, dimension) in file.limits.dimensions.enumerated() {
            let most = (dimension.velocity ?? 1) / Float(file.controlHz)
            let times = Float(random.one(of: [0, 0.3, 0.9, 1.5, 30]))
            pace[index] = most * times * .random(in: -1...1, using: &random)
        }
    }

    /// Lives for a time, in which about every second one thing or other happens.
    mutating func go(seconds: Double) throws {
        let endNs = nowNs + UInt64(seconds * 1e9)
        while nowNs < endNs {
            var next = min(nextStepNs, endNs)
            if let first = arrivals.first { next = min(next, first.atNs) }
            if let first = chunks.first { next = min(next, first.atNs) }
            if let dueNs = pilot.nextTick(after: at(nowNs))?.unsignedNs {
                next = min(next, dueNs + lateness())
            }
            nowNs = max(nowNs, next)
            if Int.random(in: 0..<Int(20 * file.commandHz), using: &random) == 0 { pause() }
            try deliverChunk()
            tick()
            try receiveObservations()
            tick()
            try observe()
            try disturb()
            states.insert(pilot.state)
        }
    }

    /// How late the daemon's thread wakes up, in nanoseconds.
    private mutating func lateness() -> UInt64 {
        switch Int.random(in: 0..<100, using: &random) {
        case 0: .random(in: 0...20_000_000, using: &random)
        case 1..<10: .random(in: 0...3_000_000, using: &random)
        default: .random(in: 0...200_000, using: &random)
        }
    }

    /// The daemon does not run for a while; somebody may move the robot meanwhile.
    private mutating func pause() {
        let lengths: [UInt64] = [25, 60, 150, 300, 800, 3000, 7000]
        let endNs = nowNs + (random.one(of: lengths)) * 1_000_000
        // Early enough that the robot can tell before the pause is over.
        var isMoved = Double(endNs - nowNs) > 3 * stepNs + 1e9 && Bool.random(using: &random)
        isPaused = true
        while nowNs < endNs {
            nowNs = min(max(nextStepNs, nowNs), endNs)
            if isMoved, nowNs > lastCommandNs, nowNs - lastCommandNs > 200_000_000 {
                moveByHand()
                isMoved = false
            }
            try? observe()
        }
        isPaused = false
    }

    private mutating func moveByHand() {
        for (index, dimension) in file.limits.dimensions.enumerated() where dimension.kind == .position {
            let moved = place[index] + .random(in: -50...50, using: &random)
            place[index] = dimension.clamped(moved)
        }
    }

    private mutating func tick() {
        guard let command = pilot.tick(now: at(nowNs)) else { return }
        published.append(Published(command: command, truth: place))
        place = command.action
        lastCommandNs = nowNs
    }

    private mutating func observe() throws {
        guard nextStepNs <= nowNs else { return }
        let jitter = UInt64(jitterNs > 0 ? Double.random(in: 0...jitterNs, using: &random) : 0)
        let madeNs = nextStepNs
        nextStepNs += UInt64(stepNs)
        sequence += 1
        guard isPaused || Double.random(in: 0..<1, using: &random) >= loss else { return }
        let delay = UInt64(Double.random(in: 0...delayNs, using: &random)) + jitter
        let atNs = max(madeNs + delay, arrivals.last?.atNs ?? 0)
        arrivals.append(
            Arrival(
                atNs: max(atNs, nowNs),
                observation: RobotObservation(
                    robot: try id("arm1"),
                    episode: .number(episode),
                    sequence: sequence,
                    timeNs: madeNs &- clockAheadNs,
                    values: ["observation.state": place],
                    replan: nil
                )
            )
        )
    }

    private mutating func receiveObservations() throws {
        while let first = arrivals.first, first.atNs <= nowNs {
            arrivals.removeFirst()
            let observation = first.observation
            guard (try? pilot.admit(observation, received: at(nowNs))) != nil else { continue }
            if pilot.observe(observation, isNew: true, received: at(nowNs)), pilot.mayMove {
                chunks.append((nowNs + planningNs, chunk(for: observation)))
            }
        }
    }

    private mutating func chunk(for observation: RobotObservation) -> RobotChunk {
        if Int.random(in: 0..<6, using: &random) == 0 { choosePace() }
        let start = observation.values["observation.state"] ?? place
        func actions(_ rows: Range<Int>) -> [Float] {
            rows.flatMap { row in
                file.limits.dimensions.indices.map { index in
                    file.limits.dimensions[index].kind == .velocity
                        ? pace[index] * Float(file.controlHz) : start[index] + Float(row) * pace[index]
                }
            }
        }
        return RobotChunk(
            robot: observation.robot,
            episode: observation.episode,
            sequence: observation.sequence,
            timeNs: observation.timeNs,
            firstStep: observation.sequence,
            actions: actions(0..<8),
            actionSteps: 8,
            actionDim: policy.actionDim,
            beyond: actions(8..<16),
            noiseSeed: 0,
            sampling: .init(solver: "ddim", steps: 1, method: .sequential, iterations: 1, evaluations: 1),
            timing: .init(receivedNs: 0)
        )
    }

    private mutating func deliverChunk() throws {
        guard let first = chunks.first, first.atNs <= nowNs else { return }
        chunks.removeFirst()
        var chunk = first.chunk
        guard chunk.episode == .number(episode) else { return }
        try? pilot.receive(&chunk, isCarriedOut: true, now: at(nowNs))
    }

    /// What people and robots do, about every second.
    private mutating func disturb() throws {
        guard Int.random(in: 0..<Int(1.5 * file.commandHz), using: &random) == 0 else {
            if !pilot.mayMove, Int.random(in: 0..<Int(file.commandHz), using: &random) == 0 {
                _ = pilot.resume(now: at(nowNs))
            }
            return
        }
        switch random.below(hasSteadyClock ? 6 : 7) {
        case 0, 1, 2, 3:
            episode += 1
            episodes += 1
            sequence = 0
            if !hasSteadyClock, Bool.random(using: &random) { clockAheadNs += 1_000_000_000 }
        case 4:
            pilot.endEpisode("the robot was reset", now: at(nowNs))
            episodes += 1
        case 5:
            if Bool.random(using: &random) {
                _ = pilot.stop("a stop was requested", now: at(nowNs))
            } else {
                _ = pilot.hold("a hold was requested", now: at(nowNs))
            }
        default: clockAheadNs &-= random.one(of: [60_000_000, 400_000_000, 5_000_000_000])
        }
    }
}
