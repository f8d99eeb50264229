import Dispatch
import Logging
import Policy
import Robotics
import Stalls
import Synchronization
import TestSupport
import Testing
import Transport
import Wire

@testable import Daemon
@testable import Planning

/// A planner without a network: two features, chunks of three actions of two numbers and two beyond them.
///
/// Row k of a chunk is [the sum of the history's first numbers + k, the noise seed's low 16 bits], so that a chunk shows
/// which observations it saw. A first number of -1 in the newest observation makes it fail, -2 gives NaN, -3 a chunk of
/// the wrong size, -4 NaN beyond the chunk's actions, -5 half an action there.
struct ToyPlanner: ChunkPlanner {
    struct Failure: Error {}

    var policy = PolicyDescription(
        name: "toy",
        features: [
            .init(name: "observation.state", count: 2),
            .init(name: "observation.environment_state", count: 3),
        ],
        horizon: 6,
        nObsSteps: 2,
        nActionSteps: 3,
        actionDim: 2
    )
    let sampler = SamplerDescription(solver: "ddim", steps: 5, method: .sequential, kernel: "toy")
    let ignoredFeatures: Set<String> = ["observation.velocity"]
    let weightBytes = 4
    /// Added to the first number of each action.
    var offset: Float = 0
    /// Where set, each chunk waits to be let through.
    var gate: Gate?
    /// What there is of a chunk meanwhile.
    var interim: (any InterimChunk)?

    func makeHistory() -> ObservationHistory { emptyHistory(nObsSteps: 2) }

    func plan(_ request: PlanningRequest) throws -> PlannedChunk {
        let firsts = firstNumbers(of: request.history)
        gate?.enter(history: firsts)
        if firsts.last == -1 { throw Failure() }
        let sum = firsts.last == -2 ? .nan : firsts.reduce(0, +)
        let rows = firsts.last == -3 ? 2 : 3
        func action(_ row: Int) -> [Float] { [sum + offset + Float(row), Float(request.noiseSeed & 0xffff)] }
        let beyond: [Float] =
            switch firsts.last {
            case -4: [.nan, 0]
            case -5: [0]
            default: action(3) + action(4)
            }
        return PlannedChunk(
            actions: (0..<rows).flatMap(action),
            beyond: beyond,
            frozen: request.frozen,
            sampling: .init(solver: "ddim", steps: 5, method: .sequential, iterations: 5, evaluations: 5),
            conditionNs: 1,
            sampleNs: 2
        )
    }
}

/// A history of what ``ToyPlanner`` observes.
func emptyHistory(nObsSteps: Int) -> ObservationHistory {
    func feature(_ name: String, _ type: FeatureType, count: Int) -> ObservationFeature {
        ObservationFeature(name: name, checkpointName: name, type: type, count: count)
    }
    return ObservationHistory(
        features: [
            feature("observation.state", .state, count: 2),
            feature("observation.environment_state", .environment, count: 3),
        ],
        nObsSteps: nObsSteps
    )
}

/// The first number of each observation's state, oldest first.
func firstNumbers(of history: ObservationHistory) -> [Float] {
    history.observations.map { $0.values["observation.state"]?.first ?? .nan }
}

/// Holds a planner at the beginning of each chunk until a test lets it through.
final class Gate: Sendable {
    private let entered = DispatchSemaphore(value: 0)
    private let passes = DispatchSemaphore(value: 0)
    private let seen = Mutex<[[Float]]>([])

    /// The first numbers of each history that was planned.
    var histories: [[Float]] { seen.withLock { $0 } }

    func enter(history: [Float]) {
        seen.withLock { $0.append(history) }
        entered.signal()
        passes.wait()
    }

    /// Waits until a chunk is begun; records an issue if none is.
    func waitForEntry(sourceLocation: SourceLocation = #_sourceLocation) {
        if entered.wait(timeout: .now() + .seconds(20)) == .timedOut {
            Issue.record("no chunk is begun within 20 s", sourceLocation: sourceLocation)
        }
    }

    /// Lets chunks through.
    func pass(_ count: Int = 1) { for _ in 0..<count { passes.signal() } }
}

/// A daemon with a toy planner on endpoints inside the process.
final class ToyDaemon {
    let daemon: Daemon
    let endpoints: InfoMessage.Endpoints
    let log: LogLines
    /// What the planner got when it was made.
    let stallWatch = OneShot<StallWatch>()

    init(
        gate: Gate? = nil,
        interim: (any InterimChunk)? = nil,
        planners: [ToyPlanner]? = nil,
        _ change: (inout DaemonConfiguration) -> Void = { _ in }
    ) throws {
        let planners = planners ?? [ToyPlanner(gate: gate, interim: interim)]
        var configuration = DaemonConfiguration.embedded()
        log = LogLines()
        configuration.logger = log.logger
        change(&configuration)
        daemon = try Daemon(configuration: configuration) { [stallWatch] watch in
            stallWatch.set(watch)
            return planners
        }
        endpoints = try daemon.start()
    }

    deinit { daemon.stop() }

    /// Publishes an observation until the daemon has it: what is published before the sockets have joined is lost.
    func publish(
        _ observation: RobotObservation,
        from client: RobotClient,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let before = daemon.statistics.observations
        try eventually(every: .milliseconds(2), sourceLocation: sourceLocation) {
            if daemon.statistics.observations != before { return true }
            try client.publish(observation)
            return false
        }
    }

    func client(_ robot: String = "arm1") throws -> RobotClient {
        try RobotClient(robot: id(robot), endpoints: endpoints, context: daemon.context)
    }
}

/// A robot's id, from a text that is one.
func id(_ text: String) throws -> RobotID {
    guard let id = RobotID(text) else { throw MessageError(.outOfRange, "\(text) is no robot id") }
    return id
}

/// An observation with `first` as the first number of its state.
func observation(
    _ sequence: UInt64,
    first: Float,
    robot: String = "arm1",
    episode: EpisodeID = .number(1),
    replan: Bool = true,
    noiseSeed: UInt64? = 0,
    committed: ActionRows? = nil
) throws -> RobotObservation {
    RobotObservation(
        robot: try id(robot),
        episode: episode,
        sequence: sequence,
        timeNs: 1000 + sequence,
        values: ["observation.state": [first, 0], "observation.environment_state": [1, 2, 3]],
        replan: replan,
        noiseSeed: noiseSeed,
        committed: committed
    )
}

/// Keeps what is logged.
final class LogLines: Sendable {
    private let kept = Mutex<[String]>([])

    var lines: [String] { kept.withLock { $0 } }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(lines: self) }
    }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.kept.withLock { $0.append("\(event.level): \(event.message)") }
        }
    }
}
