import ArgumentParser
import Benchmarking
import Compute
import Foundation
import Policy
import Tuning

struct CalibrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "calibrate",
        abstract: "Measure beforehand what sampling in parallel needs to know of a policy on this machine.",
        discussion: """
            Finds how the network's output follows its input, and the window with which a chunk takes the least time. `serve` and \
            `sim` measure the same when they first need it, and keep it in $XDG_CACHE_HOME/denoised, by default ~/.cache/denoised; \
            `serve` samples one step after the other until then. A calibration holds for a policy, solver, steps, tolerance, \
            precision, threads and processor: give the options that serve will have. Run it while the machine does what it will do \
            later, or nothing.
            """
    )

    @Option(help: PolicyOptions.help)
    var policy: String

    @OptionGroup
    var sampler: SamplerOptions

    @Flag(help: "Measure even if a calibration was kept.")
    var again = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        let given = [
            ("--window", sampler.window != nil), ("--method", sampler.method != nil),
            ("--budget-ms", sampler.budgetMs != nil), ("--warm-start", sampler.warmStart != nil),
            ("--seed", sampler.seed != nil),
        ]
        if let option = given.first(where: \.1)?.0 {
            throw ValidationError("\(option) changes nothing that is measured, expected none")
        }
    }

    private struct Report: Encodable {
        struct Window: Encodable {
            let window: Int
            let iterations: Double
            let evaluations: Double
            let ms: Double
        }

        let policy: String
        let kernel: String
        let threads: Int
        let solver: String
        let steps: Int
        let tolerance: Float
        /// False if it was kept from an earlier run.
        let measured: Bool
        /// Whether `serve` and `sim` will find it.
        let kept: Bool
        /// What measuring took.
        let seconds: Double
        let sequentialMs: Double
        let fastestWindow: Int
        let windows: [Window]
    }

    func run() throws {
        let bundle = try PolicyOptions.loadToRun(policy, threads: sampler.threads)
        let kernel = try sampler.kernel()
        let settings = sampler.parallelByDefault.settings(for: bundle.configuration, on: kernel)
        let cache = CalibrationCache.shown()
        let tuning = try Failure.asInput {
            try DiffusionPolicy.readyAtOnce(
                bundle: bundle,
                settings: settings,
                threads: sampler.threadCount,
                kernel: kernel,
                calibrations: cache
            ).tuning
        }
        let kept = again ? nil : tuning.known
        let (measured, milliseconds) = try timed {
            try kept == nil ? Failure.asInput { try tuning.measure() } : nil
        }
        let key = CalibrationCache.Key(
            bundle: bundle,
            settings: settings,
            kernel: kernel,
            threads: sampler.threadCount
        )
        guard let calibration = kept ?? measured else {
            throw Failure.run("the calibration was ended before it was done")
        }
        let report = Report(
            policy: bundle.name,
            kernel: kernel.description,
            threads: sampler.threadCount,
            solver: settings.solver.rawValue,
            steps: settings.numInferenceSteps,
            tolerance: settings.method.tolerance,
            measured: kept == nil,
            kept: key.map { cache.calibration(for: $0) != nil } ?? false,
            seconds: kept == nil ? milliseconds / 1e3 : 0,
            sequentialMs: calibration.forwardTimes.typical(batch: 1) * Double(settings.numInferenceSteps)
                / 1e6,
            fastestWindow: calibration.fastestWindow,
            windows: calibration.windows.map {
                .init(
                    window: $0.window,
                    iterations: $0.iterations,
                    evaluations: $0.evaluations,
                    ms: $0.milliseconds
                )
            }
        )
        if json { try Console.json(report) } else { Self.show(report) }
        // Why it could not be kept is said already.
        if !report.kept {
            throw Failure.run("the calibration is not kept, so that serve and sim do not find it")
        }
    }

    private static func show(_ report: Report) {
        Console.result(
            "\(report.policy): \(report.solver), \(report.steps) steps, tolerance \(fixed(Double(report.tolerance), 3)), "
                + "\(report.kernel), \(report.threads) thread\(report.threads == 1 ? "" : "s")"
        )
        Console.result(
            report.measured
                ? "  measured in \(fixed(report.seconds, 1)) s\(report.kept ? ", and kept" : "")"
                : "  measured earlier, and kept"
        )
        Console.result("")
        var table = Table("window", "passes", "evaluations", "ms")
        table.add(
            "1, sequential",
            fixed(Double(report.steps), 1),
            fixed(Double(report.steps), 1),
            fixed(report.sequentialMs, 2)
        )
        for window in report.windows {
            table.add(
                "\(window.window)",
                fixed(window.iterations, 1),
                fixed(window.evaluations, 1),
                fixed(window.ms, 2)
            )
        }
        table.print()
        Console.result("")
        Console.result("  fastest: window \(report.fastestWindow)")
    }
}
