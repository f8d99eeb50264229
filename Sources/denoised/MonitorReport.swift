import Robotics
import Sampling
import Wire

/// A daemon's state as `monitor --json` prints it.
struct MonitorReport: Encodable {
    struct Sampler: Encodable {
        let solver: String
        let steps: Int
        let method: String
        let window: Int
        let tolerance: Double
        let kernel: String
        let budgetMs: Double
    }

    struct Robot: Encodable {
        let state: String
        let reason: String
        let forNs: UInt64
        let episode: Episode
        let sequence: UInt64
        let silentNs: UInt64
        let chunks: UInt64
        let commands: UInt64
        let limitViolations: UInt64
        /// What drives it, if the daemon runs several policies and the robot has named one.
        let policy: String?
    }

    struct Policy: Encodable {
        let name: String
        let sampler: Sampler
        let weightBytes: Int
        let calibrationPercent: UInt64
    }

    /// A number or a name, as the robot sent it.
    struct Episode: Encodable {
        let id: EpisodeID

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch id {
            case .number(let number): try container.encode(number)
            case .name(let name): try container.encode(name)
            }
        }
    }

    let daemonVersion: String
    /// The first, if there are several.
    let policy: String
    let sampler: Sampler
    let policies: [Policy]
    let calibrationPercent: UInt64
    let endpoints: InfoMessage.Endpoints
    let monotonicNs: UInt64
    let wallNs: UInt64
    let robots: [String: Robot]
    /// The number of the newest stop of any robot; 0: there was none.
    let stop: UInt64
    let cameraServers: [CameraServerStatus]
    let warnings: [String]
    let statistics: DaemonStatistics

    init(_ info: InfoMessage, _ status: StatusMessage) {
        daemonVersion = info.daemonVersion
        policy = info.policy.name
        sampler = Sampler(info.sampler)
        policies = info.policies.map { served in
            Policy(
                name: served.policy.name,
                sampler: Sampler(served.sampler),
                weightBytes: served.weightBytes,
                calibrationPercent: served.calibrationPercent
            )
        }
        calibrationPercent = status.calibrationPercent
        endpoints = info.endpoints
        monotonicNs = status.monotonicNs
        wallNs = status.wallNs
        robots = status.robots.mapValues { robot in
            Robot(
                state: robot.state.rawValue,
                reason: robot.reason,
                forNs: robot.forNs,
                episode: Episode(id: robot.episode),
                sequence: robot.sequence,
                silentNs: robot.silentNs,
                chunks: robot.chunks,
                commands: robot.commands,
                limitViolations: robot.limitViolations,
                policy: robot.policy
            )
        }
        stop = status.stop
        cameraServers = status.cameraServers
        warnings = status.warnings
        statistics = status.statistics
    }
}

extension MonitorReport.Sampler {
    fileprivate init(_ sampler: SamplerDescription) {
        self.init(
            solver: sampler.solver,
            steps: sampler.steps,
            method: sampler.method.rawValue,
            window: sampler.window,
            tolerance: sampler.tolerance,
            kernel: sampler.kernel,
            budgetMs: sampler.budgetMs
        )
    }
}
