import Clocks
import Robotics
import RobotDescription

@testable import Daemon
@testable import Piloting
@testable import Planning

/// A robot with a robot file, its pilot and a planner that takes a set time, on a clock that only this moves.
///
/// The planner's action for a control step is the step's number, whichever observation it starts from.
struct Ride {
    static let startNs: UInt64 = 5_000_000_000_000
    /// The robot's clock began so much later.
    static let behindNs: UInt64 = 4_999_000_000_000
    static let policy = PolicyDescription(
        name: "steps",
        features: [.init(name: "observation.state", count: 1)],
        horizon: 12,
        nObsSteps: 1,
        nActionSteps: 8,
        actionDim: 1
    )

    var pilot: Pilot
    var nowNs = Ride.startNs
    /// For how long the robot's clock has stood still.
    var lostNs: UInt64 = 0
    /// By how much the robot's clock was set forward.
    var aheadNs: UInt64 = 0
    /// Whether the robot stamps with the daemon's clock.
    var usesDaemonClock = false
    var step: UInt64 = 0
    var episode = EpisodeID.number(1)
    var session: UInt64? = 1
    var planningNs: UInt64 = 30_000_000
    /// From one observation to the next; by the robot file it is 100 ms.
    var stepNs: UInt64 = 100_000_000
    var doesObserve = true
    var doesPlan = true
    var state: Float = 0
    var value: (UInt64) -> Float = { Float($0) }
    var commands: [RobotCommand] = []
    private var dueChunks: [(chunk: RobotChunk, atNs: UInt64)] = []
    private var nextObservationNs = Ride.startNs

    init(_ lines: String..., controlHz: Double = 10, commandHz: Int = 50, commandRate: Double? = nil) throws {
        let text = """
            control_hz: \(controlHz)
            command_hz: \(commandRate ?? Double(commandHz))
            \(lines.contains { $0.hasPrefix("interpolation") } ? "" : "interpolation: hold")
            \(lines.joined(separator: "\n"))
            """
        let file = try RobotFile(text.contains("actions:") ? text : text + "\nactions: [{name: x}]")
        pilot = Pilot(
            robot: try id("arm1"),
            file: file,
            strategy: .receding,
            policy: Ride.policy,
            now: at(nowNs)
        )
    }

    /// The robot and its clock stand still for a time.
    mutating func standStill(forMs milliseconds: UInt64) throws {
        lostNs += milliseconds * 1_000_000
        nextObservationNs += milliseconds * 1_000_000
        try go(forMs: milliseconds)
    }

    func observation(_ step: UInt64, timeNs: UInt64? = nil) throws -> RobotObservation {
        RobotObservation(
            robot: try id("arm1"),
            episode: episode,
            sequence: step,
            timeNs: timeNs ?? nowNs - (usesDaemonClock ? 0 : Ride.behindNs) - lostNs + aheadNs,
            values: ["observation.state": [state]],
            replan: nil,
            session: session
        )
    }

    func chunk(_ sequence: UInt64, episode: EpisodeID? = nil) throws -> RobotChunk {
        RobotChunk(
            robot: try id("arm1"),
            episode: episode ?? self.episode,
            sequence: sequence,
            timeNs: 0,
            firstStep: sequence,
            actions: (0..<8).map { value(sequence + $0) },
            actionSteps: 8,
            actionDim: 1,
            beyond: (8..<12).map { value(sequence + $0) },
            noiseSeed: 0,
            sampling: .init(solver: "ddim", steps: 1, method: .sequential, iterations: 1, evaluations: 1),
            timing: .init(receivedNs: 0)
        )
    }

    /// Has the robot observe. Returns whether a chunk is asked for.
    @discardableResult
    mutating func observe(_ observation: RobotObservation) throws -> Bool {
        try pilot.admit(observation, received: at(nowNs))
        return pilot.observe(observation, isNew: true, received: at(nowNs)) && pilot.mayMove
    }

    /// The daemon does not run for a time. The robot observes, and its observations are read afterwards.
    mutating func pause(forMs milliseconds: UInt64) throws {
        let endNs = nowNs + milliseconds * 1_000_000
        var missed: [RobotObservation] = []
        while doesObserve, nextObservationNs < endNs {
            nowNs = nextObservationNs
            missed.append(try observation(step))
            step += 1
            nextObservationNs += stepNs
        }
        nowNs = endNs
        dueChunks = []
        if let command = pilot.tick(now: at(nowNs)) { commands.append(command) }
        for observation in missed where try observe(observation) && doesPlan {
            dueChunks.append((try chunk(observation.sequence), nowNs + planningNs))
        }
    }

    /// Goes on for a time: observes every `stepNs`, plans, and takes each command when it is due.
    mutating func go(forMs milliseconds: UInt64) throws {
        let endNs = nowNs + milliseconds * 1_000_000
        while true {
            var nextNs = endNs
            if doesObserve { nextNs = min(nextNs, nextObservationNs) }
            if let chunk = dueChunks.first { nextNs = min(nextNs, chunk.atNs) }
            if let tickNs = pilot.nextTick(after: at(nowNs))?.unsignedNs { nextNs = min(nextNs, tickNs) }
            nextNs = min(nextNs, nowNs + 100_000_000)
            nowNs = max(nowNs, nextNs)
            if let command = pilot.tick(now: at(nowNs)) { commands.append(command) }
            if let due = dueChunks.first, due.atNs <= nowNs {
                dueChunks.removeFirst()
                var chunk = due.chunk
                do throws(MessageError) {
                    try pilot.receive(&chunk, isCarriedOut: true, now: at(nowNs))
                } catch {
                    guard error.code == .stopped else { throw error }
                }
            }
            if doesObserve, nextObservationNs <= nowNs {
                if try observe(observation(step)), doesPlan {
                    dueChunks.append((try chunk(step), nowNs + planningNs))
                }
                step += 1
                nextObservationNs += stepNs
            }
            if nowNs >= endNs { return }
        }
    }

    /// The states of the commands so far, each where it changed.
    var states: [RobotCommand.State] {
        commands.reduce(into: []) { if $0.last != $1.state { $0.append($1.state) } }
    }
}

/// The moment at which the monotonic clock shows so many nanoseconds.
func at(_ nanoseconds: UInt64) -> MonotonicTime { MonotonicTime(nanoseconds: nanoseconds) }
