import Policy
import Robotics
import Synchronization
import TestSupport
import Testing
import Transport
import Wire

@testable import Daemon
@testable import Planning

/// A planner without a network that has cameras, and keeps what it has seen.
///
/// It observes two numbers under `observation.state`. Row k of a chunk is [the sum of the history's first numbers + k, 0].
struct SeeingPlanner: ChunkPlanner {
    /// The histories that chunks were planned from.
    final class Seen: Sendable {
        private let kept = Mutex<[[Observation]]>([])

        /// In the order of the chunks; each history oldest first.
        var histories: [[Observation]] { kept.withLock { $0 } }

        func append(_ history: [Observation]) { kept.withLock { $0.append(history) } }

        /// The pixels of a camera in the newest history, oldest first.
        func pixels(_ camera: String) -> [[UInt8]] {
            (histories.last ?? []).compactMap { observation in
                guard case .pixels(let pixels, _, _)? = observation.frames[camera]?.content else {
                    return nil
                }
                return pixels
            }
        }
    }

    let policy: PolicyDescription
    let sampler = SamplerDescription(solver: "ddim", steps: 5, method: .sequential, kernel: "toy")
    let seen: Seen

    init(cameras: [CameraDescription], nObsSteps: Int, seen: Seen) {
        policy = PolicyDescription(
            name: "seeing",
            features: [.init(name: "observation.state", count: 2)],
            cameras: cameras,
            horizon: 6,
            nObsSteps: nObsSteps,
            nActionSteps: 3,
            actionDim: 2
        )
        self.seen = seen
    }

    func makeHistory() -> ObservationHistory {
        ObservationHistory(
            features: policy.features.map {
                ObservationFeature(name: $0.name, checkpointName: $0.name, type: .state, count: $0.count)
            },
            cameras: policy.cameras.map {
                CameraFeature(
                    name: $0.name,
                    checkpointName: $0.name,
                    size: FrameSize(height: $0.height, width: $0.width)
                )
            },
            nObsSteps: policy.nObsSteps
        )
    }

    func plan(_ request: PlanningRequest) -> PlannedChunk {
        seen.append(request.history.observations)
        let sum = firstNumbers(of: request.history).reduce(0, +)
        return PlannedChunk(
            actions: (0..<3).flatMap { [sum + Float($0), 0] },
            frozen: request.frozen,
            sampling: .init(solver: "ddim", steps: 5, method: .sequential, iterations: 5, evaluations: 5),
            conditionNs: 1,
            sampleNs: 2
        )
    }
}

/// A daemon with a ``SeeingPlanner``, on endpoints inside the process unless told otherwise.
final class SeeingDaemon {
    let daemon: Daemon
    let endpoints: InfoMessage.Endpoints
    let seen = SeeingPlanner.Seen()

    init(
        cameras: [CameraDescription],
        nObsSteps: Int = 2,
        _ change: (inout DaemonConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = DaemonConfiguration.embedded()
        configuration.logger = LogLines().logger
        change(&configuration)
        daemon = try Daemon(configuration: configuration) { [seen] _ in
            SeeingPlanner(cameras: cameras, nObsSteps: nObsSteps, seen: seen)
        }
        endpoints = try daemon.start()
    }

    deinit { daemon.stop() }

    /// Publishes an observation until the daemon has it: what is published before the sockets have joined is lost.
    func publishFirst(_ observation: RobotObservation, from client: RobotClient) throws {
        try eventually(every: .milliseconds(20)) {
            if daemon.statistics.observations > 0 { return true }
            try client.publish(observation)
            return false
        }
    }
}
