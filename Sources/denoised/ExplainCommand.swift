import ArgumentParser
import Benchmarking
import Compute
import Explaining
import Foundation
import Networks
import Policy
import PushT
import Robotics
import Sampling
import Tuning

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Make a page that shows how a chunk is sampled, pass by pass.",
        discussion: """
            For one observation and one noise, the page has a map of each way of sampling: timesteps as rows, passes of the network as \
            columns, coloured by how far the sample still was from sequential sampling's. A slider goes through the passes and shows \
            what is planned after each. Sequential sampling, ParaDiGMS as published and quasi-Newton sampling are side by side.

            A policy that plays PushT plays the episode of --seed, and the page explains its first chunk at or after control step --at. For another policy it is the middle of its normalisation.

            The page is one HTML file that fetches nothing. docs/SAMPLING.md says how the samplers work.

            Exit codes: 0 the page is written, 1 it cannot be written, 2 a policy or settings that cannot be used.
            """
    )

    @Option(help: PolicyOptions.help)
    var policy: String

    @Option(name: [.short, .long], help: ArgumentHelp("The page to write.", valueName: "file"))
    var output = "explain.html"

    @Option(
        help: ArgumentHelp("Seed of the episode and of the noise. Default: 0.", valueName: "s"),
        transform: Seed.read
    )
    var seed: UInt64 = 0

    @Option(
        help: ArgumentHelp(
            "The first chunk from this control step on is explained, 0 to 299; for a policy that plays PushT. Default: 0.",
            valueName: "step"
        )
    )
    var at: Int?

    @Option(help: "Solver: ddpm, ddim or dpmsolver++. Default: the policy's own.")
    var solver: Solver?

    @Option(help: ArgumentHelp("Denoising steps, up to 1000. Default: the policy's own.", valueName: "n"))
    var steps: Int?

    @Option(
        help: ArgumentHelp(
            "Window of quasi-Newton sampling, or auto: the one that is fastest here. ParaDiGMS has 20, as published.",
            valueName: "w|auto"
        )
    )
    var window = WindowChoice.auto

    @Option(
        help: ArgumentHelp(
            "The deviation that quasi-Newton sampling may have, estimated. Default: 0.005, and 0.01 for int8 on AVX2.",
            valueName: "t"
        )
    )
    var tolerance: Float?

    @Option(help: "Precision: f32, bf16, int8 or auto.")
    var precision = PrecisionChoice.f32

    @Option(help: ArgumentHelp("Threads for the network. Default: one for each core.", valueName: "n"))
    var threads: Int?

    func validate() throws {
        if let threads, !(1...256).contains(threads) {
            throw ValidationError("--threads is \(threads), expected 1...256")
        }
        if let at, !(0...299).contains(at) {
            throw ValidationError("--at is \(at), expected 0...299")
        }
        if case .steps(let window) = window, !(1...1000).contains(window) {
            throw ValidationError("--window is \(window), expected 1...1000 or auto")
        }
    }

    func run() throws {
        try DrawingFile.check(output)
        let bundle = try PolicyOptions.loadToRun(policy, threads: threads)
        let policies = try makePolicies(bundle)
        let place = try observe(bundle, by: policies[0].policy)
        let request = SamplingRequest(history: place.history, noise: .seed(place.noiseSeed))
        let methods = try policies.map { name, detail, policy in
            // The first chunk finds memory untouched, and would be slow.
            _ = try Failure.asRun { try policy.sample(request) }
            return ExplainedMethod(
                name: name,
                detail: detail(policy.settings),
                explained: try Failure.asRun { try policy.explain(request) }
            )
        }
        let first = policies[0].policy
        let explanation = Explanation(
            policy: bundle.name,
            observation: place.name,
            solver:
                "\(first.settings.solver.rawValue), \(first.settings.numInferenceSteps) steps, \(first.kernel)",
            actionDim: bundle.configuration.actionDim,
            version: daemonVersion,
            drawing: place.drawing,
            methods: methods,
            deviation: { first.deviation(of: $0, from: $1) }
        )
        let page = explanation.html
        try DrawingFile.write(page, to: output)
        Console.result("\(output): \(place.name), \((page.utf8.count + 1023) / 1024) KiB")
    }

    private typealias Method = (name: String, detail: (SamplerSettings) -> String, policy: DiffusionPolicy)

    /// The three ways of sampling; they share one network.
    private func makePolicies(_ bundle: PolicyBundle) throws -> [Method] {
        var settings = bundle.configuration.defaultSettings
        if let solver { settings.solver = solver }
        if let steps { settings.numInferenceSteps = steps }
        let kernel = try precision.kernel()
        return try Failure.asInput {
            let widest = if case .steps(let window) = window { window } else { 1 }
            let network = try bundle.network(
                timesteps: Array(0..<bundle.configuration.numTrainTimesteps),
                maximumBatch: max(widest, 32),
                threads: threads ?? ProcessInfo.processInfo.activeProcessorCount,
                kernel: kernel
            )
            func policy(_ method: SamplerSettings.Method) throws -> DiffusionPolicy {
                var settings = settings
                settings.method = method
                return try DiffusionPolicy(
                    bundle: bundle,
                    settings: settings,
                    network: network,
                    calibrations: .shown()
                )
            }
            return [
                (
                    "Sequential", { _ in "One step after the other, one evaluation a pass." },
                    try policy(.sequential)
                ),
                (
                    "ParaDiGMS as published",
                    {
                        "Picard iteration, window \($0.method.window ?? 1), tolerance \($0.method.tolerance)."
                    },
                    try policy(ParallelMethod.paradigms.settings(window: .auto, tolerance: nil, on: kernel))
                ),
                (
                    "Quasi-Newton",
                    {
                        "Window \($0.method.window ?? 1), tolerance \($0.method.tolerance). Steps between cells are never evaluated."
                    },
                    try policy(
                        ParallelMethod.quasiNewton.settings(window: window, tolerance: tolerance, on: kernel)
                    )
                ),
            ]
        }
    }

    /// What is observed, what it is called, and what plans are drawn over.
    private struct Place {
        let history: ObservationHistory
        let noiseSeed: UInt64
        let name: String
        let drawing: PlanDrawing
    }

    private func observe(_ bundle: PolicyBundle, by policy: DiffusionPolicy) throws -> Place {
        guard let features = try? PushTFeatures(of: bundle) else {
            if at != nil {
                throw Failure.input(
                    "--at is for a policy that plays PushT, and \(bundle.name) does not; expected none"
                )
            }
            var history = bundle.makeHistory()
            try Failure.asInput { try history.append(bundle.middleObservation) }
            return Place(
                history: history,
                noiseSeed: seed,
                name: "the middle of the observations, noise of seed \(seed)",
                drawing: .dimensions
            )
        }
        let wanted = at ?? 0
        var found: ObservationHistory?
        let bar = ProgressBar("playing")
        let recording = try Failure.asRun {
            try PushTEpisodes(features).run(seed: seed, history: policy.makeHistory()) { history, step in
                // Chunks are planned every few steps: the one that covers the wanted step is the one explained.
                bar.advance(to: step, of: wanted)
                guard step < wanted else {
                    found = history
                    return nil
                }
                let noiseSeed = PushTEpisodes.noiseSeed(seed: seed, step: step)
                return try policy.sample(SamplingRequest(history: history, noise: .seed(noiseSeed)))
            }
        }
        guard let found, let frame = recording.frames.last else {
            throw Failure.input(
                "--at is \(wanted), and the episode of seed \(seed) is over after \(recording.stepCount) steps; expected fewer"
            )
        }
        let step = recording.stepCount
        return Place(
            history: found,
            noiseSeed: PushTEpisodes.noiseSeed(seed: seed, step: step),
            name: "PushT, seed \(seed), control step \(step)",
            drawing: .pushT(recording.scenario, frame)
        )
    }
}
