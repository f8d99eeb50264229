import Clocks
import Daemon
import Policy
import Robotics
import Statistics
import Transport

/// What `bench budget` measures: whether a daemon's chunks keep a latency budget, and what they are worth under it.
package struct BudgetBenchmark {
    package struct Report: Encodable {
        /// A chunk that came too late, for the question why: the machine stops programs in fits, or all the time.
        package struct LateChunk: Encodable {
            /// Which of the chunks, from 0.
            package let index: Int
            package let ms: Double
            /// Of it, waiting for the planner, decoding and encoding frames of cameras, sampling, and what follows until it is
            /// packed.
            package let queueMs: Double
            /// Nil: the policy has no cameras.
            package let visionMs: Double?
            package let sampleMs: Double
            package let encodeMs: Double
            package let iterations: Int
            package let coarseSteps: Int
        }
        package struct Result: Encodable {
            package let budgetMs: Double
            package let chunks: Int
            package let late: Int
            package let msP50: Double
            package let msP99: Double
            package let msMax: Double
            /// Of a chunk's time, decoding and encoding frames; nil: the policy has no cameras.
            package let visionMsP50: Double?
            package let visionMsP99: Double?
            package let exact: Int
            package let converged: Int
            package let coarse: Int
            package let coarseStepsMean: Double
            package let lateChunks: [LateChunk]
        }
        package let policy: String
        package let kernel: String
        package let results: [Result]

        package init(policy: String, kernel: String, results: [Result]) {
            self.policy = policy
            self.kernel = kernel
            self.results = results
        }
    }

    /// One for each chunk, again and again; at least one.
    private let observations: [Observation]
    private let chunks: Int

    package init(observations: [Observation], chunks: Int) {
        self.observations = observations
        self.chunks = chunks
    }

    /// Starts a daemon and asks it for chunks one after the other.
    ///
    /// - Parameters:
    ///   - budgetMs: what the daemon was made to keep, in milliseconds.
    ///   - progress: told, between two chunks, how many there are.
    package func measure(
        _ daemon: Daemon,
        budgetMs: Double,
        progress: (Int) -> Void = { _ in }
    ) throws -> Report.Result {
        guard let robot = RobotID("bench") else { preconditionFailure("the id is a valid one") }
        let client = try RobotClient(
            robot: robot,
            endpoints: try daemon.start(),
            context: daemon.context
        )

        var measured: [RobotChunk] = []
        // The first finds sockets and caches new.
        for index in -1..<chunks {
            let observation = observations[max(index, 0) % observations.count]
            let message = RobotObservation(
                robot: robot,
                episode: .number(UInt64(index + 1)),
                sequence: 0,
                timeNs: MonotonicTime.now().unsignedNs,
                values: observation.values,
                frames: observation.frames
            )
            if index < 0 {
                _ = try client.chunk(for: message, timeout: .seconds(120))
                continue
            }
            // Asked for once only, now that both sides have joined: a repeated observation is planned again.
            try client.publish(message)
            let deadline = MonotonicTime.now() + .seconds(120)
            while let chunk = try client.nextChunk(until: deadline) {
                guard chunk.episode == message.episode else { continue }
                measured.append(chunk)
                break
            }
            progress(measured.count)
        }

        let times = measured.map { Double($0.timing.stages.total) / 1e6 }
        let percentiles = Percentiles(times)
        let vision = measured.compactMap(\.timing.stages.vision).map { Double($0) / 1e6 }
        let visionPercentiles = vision.isEmpty ? nil : Percentiles(vision)
        let coarse = measured.map(\.sampling.coarseSteps).filter { $0 > 0 }
        return Report.Result(
            budgetMs: budgetMs,
            chunks: measured.count,
            late: times.count { $0 > budgetMs },
            msP50: percentiles[50],
            msP99: percentiles[99],
            msMax: percentiles[100],
            visionMsP50: visionPercentiles?[50],
            visionMsP99: visionPercentiles?[99],
            exact: measured.count { $0.sampling.quality == .exact },
            converged: measured.count { $0.sampling.quality == .converged },
            coarse: coarse.count,
            coarseStepsMean: coarse.isEmpty ? 0 : Double(coarse.reduce(0, +)) / Double(coarse.count),
            lateChunks: measured.enumerated().filter { times[$0.offset] > budgetMs }.map { index, chunk in
                let stages = chunk.timing.stages
                return Report.LateChunk(
                    index: index,
                    ms: times[index],
                    queueMs: Double(stages.queue) / 1e6,
                    visionMs: stages.vision.map { Double($0) / 1e6 },
                    sampleMs: Double(stages.sample) / 1e6,
                    encodeMs: Double(stages.encode) / 1e6,
                    iterations: chunk.sampling.iterations,
                    coarseSteps: chunk.sampling.coarseSteps
                )
            }
        )
    }
}
