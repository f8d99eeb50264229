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
    let policy: String
    let sampler: Sampler
    let calibrationPercent: UInt64
    let endpoints: InfoMessage.Endpoints
    let monotonicNs: UInt64
    let wallNs: UInt64
    let robots: [String: Robot]
    let statistics: DaemonStatistics

    init(_ info: InfoMessage, _ status: StatusMessage) {
        daemonVersion = info.daemonVersion
        policy = info.policy.name
        sampler = Sampler(
            solver: info.sampler.solver,
            steps: info.sampler.steps,
            method: info.sampler.method.rawValue,
            window: info.sampler.window,
            tolerance: info.sampler.tolerance,
            kernel: info.sampler.kernel,
            budgetMs: info.sampler.budgetMs
        )
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
                limitViolations: robot.limitViolations
            )
        }
        statistics = status.statistics
    }
}
