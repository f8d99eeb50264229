import ArgumentParser
import Denoiser
import Foundation
import Policy
import Sampling

struct BenchChunkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chunk",
        abstract: "Measure the time of an action chunk, sequential and in parallel.",
        discussion: """
            Measures the sequential sampler next to ParaDiGMS at windows 8 and 20, or at the one --window gives. The \
            observation is the middle of the policy's normalisation, every run has noise of its own, and the kinds take \
            turns.
            """
    )

    @Option(help: ArgumentHelp("The policy: a LeRobot diffusion checkpoint folder.", valueName: "dir"))
    var policy: String

    @OptionGroup
    var sampler: SamplerOptions

    @OptionGroup
    var measurement: MeasurementOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    private struct Report: Encodable {
        struct Result: Encodable {
            let solver: String
            let steps: Int
            let method: String
            let window: Int
            let tolerance: Float
            let precision: String
            let threads: Int
            let runs: Int
            let msP10: Double
            let msP50: Double
            let msP90: Double
            let msP99: Double
            let iterationsMean: Double
            let evaluationsMean: Double
        }
        let policy: String
        let kernel: String
        let results: [Result]
    }

    func run() throws {
        let bundle = try PolicyOptions.load(policy)
        let own = sampler.settings(for: bundle.configuration)
        let windows = sampler.window.map { [$0] } ?? [8, 20]
        let methods =
            [.sequential]
            + windows.map {
                SamplerSettings.Method.paradigms(window: $0, tolerance: sampler.parallelTolerance)
            }
        let kernel = try sampler.kernel()
        let policies = try Failure.asInput {
            try methods.map { method in
                var settings = own
                settings.method = method
                return try DiffusionPolicy(
                    bundle: bundle,
                    settings: settings,
                    threads: sampler.threadCount,
                    kernel: kernel
                )
            }
        }
        let history = try Failure.asInput {
            var history = bundle.makeHistory()
            try history.append(bundle.middleObservation)
            return history
        }

        var chunks = [[ActionChunk]](repeating: [], count: policies.count)
        let times = try measurement.milliseconds(of: Array(policies.indices)) { index in
            let seed = sampler.firstSeed &+ UInt64(chunks[index].count)
            chunks[index].append(
                try Failure.asRun { try policies[index].actionChunk(for: history, seed: seed) }
            )
        }

        let results = zip(policies, zip(chunks, times)).map { policy, runs in
            let (chunks, times) = runs
            let percentiles = Percentiles(times)
            let measured = chunks.suffix(times.count).map(\.report)
            func mean(_ value: (SamplingReport) -> Int) -> Double {
                Double(measured.reduce(0) { $0 + value($1) }) / Double(measured.count)
            }
            return Report.Result(
                solver: own.solver.rawValue,
                steps: own.numInferenceSteps,
                method: policy.settings.method == .sequential ? "sequential" : "paradigms",
                window: measured[0].window,
                tolerance: measured[0].tolerance,
                precision: kernel.precision.rawValue,
                threads: sampler.threadCount,
                runs: times.count,
                msP10: percentiles[10],
                msP50: percentiles[50],
                msP90: percentiles[90],
                msP99: percentiles[99],
                iterationsMean: mean(\.parallelIterations),
                evaluationsMean: mean(\.modelEvaluations)
            )
        }
        let report = Report(policy: bundle.name, kernel: kernel.description, results: results)
        if json {
            try Console.json(report)
        } else {
            show(report)
        }
    }

    private func show(_ report: Report) {
        Console.result("\(report.policy); \(report.kernel)\n")
        var table = Table(
            "solver",
            "steps",
            "method",
            "window",
            "median ms",
            "p10",
            "p90",
            "p99",
            "iterations",
            "evaluations"
        )
        for result in report.results {
            table.add(
                result.solver,
                String(result.steps),
                result.method,
                String(result.window),
                fixed(result.msP50, 2),
                fixed(result.msP10, 2),
                fixed(result.msP90, 2),
                fixed(result.msP99, 2),
                fixed(result.iterationsMean, 1),
                fixed(result.evaluationsMean, 1)
            )
        }
        table.print()
    }
}
