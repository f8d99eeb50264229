import Robotics

/// One chunk: when each stage of it took place, and the passes of the network.
package struct ExampleChunk: Sendable, Hashable {
    /// The seed of the chunk's episode, or the robot's id.
    package var episode: String
    /// The control step at which the chunk's first action applies.
    package var step: UInt64
    /// Nanoseconds, by stage; `vision` is left out for a policy without cameras.
    package var stagesNs: [String: UInt64]
    /// As the robot saw it; nil: that is not known.
    package var roundTripMs: Double?
    package var window: Int
    /// Denoising steps.
    package var steps: Int
    package var iterations: Int
    package var evaluations: Int
    package var quality: String
    /// In their order; empty: they are not known.
    package var passes: [SamplingPass]

    package init(_ chunk: RobotChunk, episode: String, roundTripMs: Double? = nil) {
        self.episode = episode
        step = chunk.firstStep
        stagesNs = Self.times(chunk.timing.stages)
        self.roundTripMs = roundTripMs
        window = chunk.sampling.window
        steps = chunk.sampling.steps
        iterations = chunk.sampling.iterations
        evaluations = chunk.sampling.evaluations
        quality = chunk.sampling.quality.rawValue
        // Of a recording: nobody has so many steps, and a picture cannot show them.
        let isReasonable = chunk.sampling.passes.allSatisfy {
            max($0.endStep, $0.evaluations) <= Self.mostSteps
        }
        passes = isReasonable ? chunk.sampling.passes : []
    }

    /// More denoising steps than any sampler has.
    static let mostSteps = 1_000_000

    init(
        episode: String,
        step: UInt64,
        stagesNs: [String: UInt64],
        roundTripMs: Double?,
        window: Int,
        steps: Int,
        iterations: Int,
        evaluations: Int,
        quality: String,
        passes: [SamplingPass]
    ) {
        (self.episode, self.step, self.stagesNs, self.roundTripMs) = (episode, step, stagesNs, roundTripMs)
        (self.window, self.steps, self.iterations) = (window, steps, iterations)
        (self.evaluations, self.quality, self.passes) = (evaluations, quality, passes)
    }

    /// The time of each stage, in nanoseconds, by the name that files have for it.
    package static func times(_ stages: RobotChunk.Stages) -> [String: UInt64] {
        var times = [
            "decode": stages.decode, "queue": stages.queue, "condition": stages.condition,
            "sample": stages.sample, "encode": stages.encode, "total": stages.total,
        ]
        times["vision"] = stages.vision
        return times
    }

    /// The time of a stage in milliseconds; nil if there is none.
    package func milliseconds(_ stage: Run.Stage) -> Double? {
        stage == .roundTrip ? roundTripMs : stagesNs[stage.rawValue].map { Double($0) / 1e6 }
    }

    /// The time in the daemon.
    package var totalNs: UInt64 { stagesNs["total"] ?? 0 }
}

extension ExampleChunk: Encodable {
    /// Passes as a message has them: an array for each of their properties.
    private struct Columns: Encodable {
        let firstStep: [Int]
        let endStep: [Int]
        let evaluations: [Int]
        let ns: [UInt64]
    }

    private enum CodingKeys: CodingKey {
        case episode, step, stagesNs, roundTripMs, window, steps, iterations, evaluations, quality, passes
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(episode, forKey: .episode)
        try container.encode(step, forKey: .step)
        try container.encode(stagesNs, forKey: .stagesNs)
        try container.encodeIfPresent(roundTripMs, forKey: .roundTripMs)
        try container.encode(window, forKey: .window)
        try container.encode(steps, forKey: .steps)
        try container.encode(iterations, forKey: .iterations)
        try container.encode(evaluations, forKey: .evaluations)
        try container.encode(quality, forKey: .quality)
        guard !passes.isEmpty else { return }
        let columns = Columns(
            firstStep: passes.map(\.firstStep),
            endStep: passes.map(\.endStep),
            evaluations: passes.map(\.evaluations),
            ns: passes.map(\.durationNs)
        )
        try container.encode(columns, forKey: .passes)
    }
}

extension ExampleChunk {
    /// The places of the median and of the longest of some times, both of them measured: nil if there are none.
    package static func places(of times: [UInt64]) -> (median: Int, slowest: Int)? {
        let sorted = times.indices.sorted { (times[$0], $0) < (times[$1], $1) }
        guard let slowest = sorted.last else { return nil }
        return (sorted[(sorted.count - 1) / 2], slowest)
    }
}
