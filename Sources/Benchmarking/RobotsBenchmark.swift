import Clocks
import Compute
import Planning
import Policy
import Robotics
import Sampling
import Statistics
import Tuning

/// What `bench robots` measures: the chunks of several robots that ask at once, in turn and planned together.
package struct RobotsBenchmark {
    package struct Report: Encodable {
        package struct Result: Encodable {
            package let method: String
            package let window: Int
            package let precision: String
            package let kernel: String
            package let robots: Int
            /// Until the last chunk is there, in turn.
            package let inTurnMsP50: Double
            package let inTurnMsP99: Double
            /// Until a chunk is there, in turn, in the mean over the robots.
            package let inTurnMeanMsP50: Double
            /// Until all chunks are there, together; nil for one robot.
            package let togetherMsP50: Double?
            package let togetherMsP99: Double?
            /// The time together to that of the mean chunk in turn, in the same run; nil for one robot.
            package let togetherRatioP50: Double?
            package let deviationMax: Float?
            package let daemonPlansTogether: Bool
        }
        package let policy: String
        package let solver: String
        package let steps: Int
        package let threads: Int
        package let runs: Int
        package let results: [Result]
    }

    /// A planner, for so many robots: one line of the result.
    private struct Kind {
        let planner: Int
        let robots: Int
        var measured: [Measured] = []
    }

    private struct Measured {
        /// From the beginning until each robot's chunk is there, in milliseconds.
        var inTurn: [Double]
        var together: Double?
        var deviation: Float?
    }

    private let bundle: PolicyBundle
    private let threads: Int
    /// For each kernel one for each method.
    private var planners: [PolicyPlanner] = []
    private var kernels: [Kernel] = []
    private var kinds: [Kind] = []

    /// Makes the planners.
    ///
    /// - Parameters:
    ///   - settings: how chunks are sampled but for the method.
    ///   - methods: by which chunks are planned in turn, on a kernel.
    ///   - robots: how many ask at once.
    /// - Throws: `PolicyError` for weights or settings that cannot be used.
    package init(
        bundle: PolicyBundle,
        settings: SamplerSettings,
        methods: (Kernel) -> [SamplerSettings.Method],
        kernels: [Kernel],
        robots: [Int],
        threads: Int,
        calibrations: CalibrationCache
    ) throws {
        self.bundle = bundle
        self.threads = threads
        for kernel in kernels {
            for method in methods(kernel) {
                var settings = settings
                settings.method = method
                let planner = try PolicyPlanner(
                    bundle: bundle,
                    settings: settings,
                    threads: threads,
                    kernel: kernel,
                    maximumGroup: max(robots.max() ?? 1, 2),
                    calibrations: calibrations
                )
                planners.append(planner)
                self.kernels.append(kernel)
            }
        }
        kinds = planners.indices.flatMap { planner in
            robots.map { Kind(planner: planner, robots: $0) }
        }
    }

    /// Measures.
    ///
    /// - Parameter seed: of the first chunk's noise.
    package mutating func run(_ runs: MeasuredRuns, seed: UInt64) throws -> Report {
        let requests = try requests(max(runs.count, Grouping.largest), seed: seed)
        _ = try runs.milliseconds(of: Array(kinds.indices)) { index in
            let run = max(kinds[index].measured.count - runs.warmUp, 0)
            let asked = (0..<kinds[index].robots).map { requests[(run + $0) % requests.count] }
            let measured = try Self.measure(asked, planner: &planners[kinds[index].planner])
            kinds[index].measured.append(measured)
        }
        let sampler = planners[0].sampler
        return Report(
            policy: bundle.name,
            solver: sampler.solver,
            steps: sampler.steps,
            threads: threads,
            runs: runs.count,
            results: kinds.map { result(of: $0, runs: runs.count) }
        )
    }

    /// What robots ask for, each from a history of its own.
    private func requests(_ count: Int, seed: UInt64) throws -> [PlanningRequest] {
        guard let robot = RobotID("bench") else { preconditionFailure("the id is a valid one") }
        let network = try bundle.network(
            timesteps: Array(0..<bundle.configuration.numTrainTimesteps),
            maximumBatch: 1,
            threads: threads
        )
        let histories = try BenchmarkHistories.collect(count, bundle: bundle, network: network)
        return histories.enumerated().map { index, history in
            PlanningRequest(
                robot: robot,
                episode: .number(0),
                sequence: UInt64(index),
                history: history,
                noiseSeed: seed &+ UInt64(index)
            )
        }
    }

    /// The same requests with frames that the planner has not encoded.
    private static func withNewFrames(_ requests: [PlanningRequest]) -> [PlanningRequest] {
        requests.map { request in
            var request = request
            request.history = BenchmarkHistories.withNewFrames(request.history)
            return request
        }
    }

    private static func measure(
        _ requests: [PlanningRequest],
        planner: inout PolicyPlanner
    ) throws -> Measured {
        var measured = Measured(inTurn: [])
        var chunks: [PlannedChunk] = []
        let requests = withNewFrames(requests)
        let again = withNewFrames(requests)
        var start = MonotonicTime.now()
        for request in requests {
            chunks.append(try planner.plan(request))
            measured.inTurn.append((MonotonicTime.now() - start) / .milliseconds(1))
        }
        guard requests.count > 1 else { return measured }
        start = MonotonicTime.now()
        let together = planner.plan(together: again)
        measured.together = (MonotonicTime.now() - start) / .milliseconds(1)
        measured.deviation = try zip(together, chunks).map { together, chunk in
            let together = try together.get()
            return planner.deviation(
                of: together.actions + together.beyond,
                from: chunk.actions + chunk.beyond
            )
        }.max()
        return measured
    }

    private func result(of kind: Kind, runs: Int) -> Report.Result {
        let (planner, kernel) = (planners[kind.planner], kernels[kind.planner])
        let measured = kind.measured.suffix(runs)
        let inTurn = Percentiles(measured.compactMap(\.inTurn.last))
        let means = Percentiles(measured.map { $0.inTurn.reduce(0, +) / Double(kind.robots) })
        let together = measured.compactMap(\.together)
        let percentiles = together.isEmpty ? nil : Percentiles(together)
        let ratios = measured.compactMap { measured in
            measured.together.map { $0 / (measured.inTurn.reduce(0, +) / Double(kind.robots)) }
        }
        return Report.Result(
            method: planner.sampler.method.rawValue,
            window: planner.sampler.window,
            precision: kernel.precision.rawValue,
            kernel: kernel.description,
            robots: kind.robots,
            inTurnMsP50: inTurn[50],
            inTurnMsP99: inTurn[99],
            inTurnMeanMsP50: means[50],
            togetherMsP50: percentiles?[50],
            togetherMsP99: percentiles?[99],
            togetherRatioP50: ratios.isEmpty ? nil : Percentiles(ratios)[50],
            deviationMax: measured.compactMap(\.deviation).max(),
            daemonPlansTogether: (planner.grouping?.size(waiting: kind.robots, budgetNs: nil) ?? 1) > 1
        )
    }
}
