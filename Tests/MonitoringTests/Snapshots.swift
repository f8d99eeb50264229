import Robotics
import Wire

@testable import Monitoring

/// A daemon that has done something, every number its own.
func statistics(uptimeNs: UInt64 = 751_000_000_000) -> DaemonStatistics {
    var statistics = DaemonStatistics()
    statistics.uptimeNs = uptimeNs
    statistics.robots = 2
    statistics.observations = 3
    statistics.duplicateObservations = 4
    statistics.staleObservations = 5
    statistics.supersededObservations = 6
    statistics.droppedObservations = 7
    statistics.requests = ["info": 8, "ping": 9]
    statistics.rejectedMessages = ["bad_frames": 10, "not_finite": 11]
    statistics.chunks = 12
    statistics.predictions = 13
    statistics.lateChunks = 14
    statistics.coarseChunks = 15
    statistics.warmChunks = 21
    statistics.commands = 16
    statistics.limitViolations = 17
    statistics.plannerErrors = 18
    statistics.lostLogLines = 19
    statistics.latencyNs = [
        "sample": .init(
            count: 25,
            sum: 500_000_000,
            p50: 16_500_000,
            p90: 21_000_000,
            p99: 30_000_000,
            max: 31_250_000
        ),
        "decode": .init(count: 25, sum: 1_000_000, p50: 20_000, p90: 40_000, p99: 60_000, max: 90_000),
    ]
    return statistics
}

func robot(
    _ state: RobotState = .running,
    reason: String = "a chunk took over",
    chunks: UInt64 = 19,
    commands: UInt64 = 20
) -> RobotStatus {
    RobotStatus(
        state: state,
        reason: reason,
        forNs: 12_300_000_000,
        episode: .number(7),
        sequence: 1204,
        silentNs: 45_000_000,
        chunks: chunks,
        commands: commands,
        limitViolations: 21
    )
}

func status(
    at monotonicNs: UInt64 = 900_000_000_000,
    robots: [String: RobotStatus] = ["arm1": robot()],
    _ change: (inout DaemonStatistics) -> Void = { _ in }
) -> StatusMessage {
    var numbers = statistics(uptimeNs: monotonicNs - 149_000_000_000)
    change(&numbers)
    return StatusMessage(monotonicNs: monotonicNs, wallNs: 0, robots: robots, statistics: numbers)
}

let info = InfoMessage(
    daemonVersion: "0.2.0",
    policy: .init(name: "pusht", features: [], horizon: 16, nObsSteps: 2, nActionSteps: 8, actionDim: 2),
    sampler: .init(
        solver: "ddpm",
        steps: 100,
        method: .quasiNewton,
        window: 12,
        tolerance: 0.01,
        kernel: "f32 on avx512",
        budgetMs: 50
    ),
    endpoints: .init(
        observations: "tcp://127.0.0.1:5555",
        chunks: "tcp://127.0.0.1:5556",
        requests: "tcp://127.0.0.1:5557"
    ),
    statistics: DaemonStatistics()
)

func snapshot(_ status: StatusMessage? = status(), failures: [String] = []) -> DaemonSnapshot {
    DaemonSnapshot(
        version: "0.2.0",
        policies: [ServedPolicy(policy: info.policy, sampler: info.sampler)],
        status: status,
        failures: failures,
        nowNs: 900_250_000_000
    )
}
