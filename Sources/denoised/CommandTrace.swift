import Motion
import Planning
import Robotics
import Statistics

/// What a robot was told to do in an episode, and with which steps chunks took over.
struct CommandTrace {
    /// The targets as carried out, by control step.
    private var targets: [SIMD2<Double>] = []
    private var handOvers: [UInt64] = []

    mutating func append(_ target: SIMD2<Double>) { targets.append(target) }

    /// Notes that a chunk has taken over with a control step. What it begins with where actions were frozen in it is still
    /// the old plan: it is the next step that is the first of its own.
    mutating func handOver(to chunk: RobotChunk, at step: UInt64) {
        handOvers.append(max(step, chunk.firstStep + UInt64(chunk.frozenSteps)))
    }

    /// The jumps of velocity, in the world's units a second, at `rate` control steps a second. The episode's first chunk takes
    /// over from nothing.
    func jumps(rate: Double) -> VelocityJumps {
        VelocityJumps(
            commands: targets.map { [$0.x, $0.y] },
            handOvers: Set(handOvers.dropFirst().map(Int.init)),
            period: 1 / rate
        )
    }
}

/// Jumps of velocity over episodes, in the world's units a second (``VelocityJumps``).
struct JumpReport: Encodable {
    let mean: Double
    let p95: Double
    let count: Int

    private init(_ jumps: [Double]) {
        mean = jumps.isEmpty ? 0 : jumps.reduce(0, +) / Double(jumps.count)
        p95 = Percentiles(jumps)[95]
        count = jumps.count
    }

    /// Where chunks took over, and elsewhere.
    static func pair(_ episodes: [EpisodeResult]) -> (handOver: JumpReport, other: JumpReport) {
        let jumps = episodes.map { $0.commands.jumps(rate: $0.recording.scenario.control.rate) }
        return (JumpReport(jumps.flatMap(\.atHandOvers)), JumpReport(jumps.flatMap(\.elsewhere)))
    }
}
