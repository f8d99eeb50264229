import ArgumentParser
import Denoiser
import Foundation
import Policy
import Sampling

/// How a policy samples: the options that every command that runs one shares.
struct SamplerOptions: ParsableArguments {
    @Option(help: "Solver: ddpm, ddim or dpmsolver++. Default: the policy's own.")
    var solver: Solver?

    @Option(help: ArgumentHelp("Denoising steps. Default: the policy's own.", valueName: "n"))
    var steps: Int?

    @Option(
        help: ArgumentHelp(
            "Sample in parallel with ParaDiGMS over a sliding window of so many steps. Default: one after the other.",
            valueName: "w"
        )
    )
    var window: Int?

    @Option(
        help: ArgumentHelp(
            """
            ParaDiGMS accepts a step when its sample changes by less than this, in units of the step's noise. \
            Default: 0.1.
            """,
            valueName: "t"
        )
    )
    var tolerance: Float?

    @Option(help: ArgumentHelp("Seed of the noise. Default: 0.", valueName: "s"))
    var seed: UInt64?

    @Option(help: ArgumentHelp("Threads for the network. Default: one for each core.", valueName: "n"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            """
            The network's arithmetic: f32, bf16 (weights and inputs rounded, sums in f32), int8 (weights in 8 bits with \
            a scale a channel, the rest as bf16), or auto: bf16 where this processor multiplies it, else f32. Default: \
            f32.
            """,
            valueName: "p"
        )
    )
    var precision: PrecisionChoice?

    /// The first option that was given and decides how chunks are sampled, apart from the seed.
    var firstGiven: String? {
        let given = [
            ("--solver", solver != nil), ("--steps", steps != nil), ("--window", window != nil),
            ("--tolerance", tolerance != nil), ("--threads", threads != nil),
            ("--precision", precision != nil),
        ]
        return given.first(where: \.1)?.0
    }

    /// The seed of the noise, and of the first episode.
    var firstSeed: UInt64 { seed ?? 0 }

    /// The tolerance where ParaDiGMS samples, in standard deviations of a step's noise.
    var parallelTolerance: Float { tolerance ?? 0.1 }

    /// The kernel that computes in the precision asked for.
    ///
    /// - Throws: `Failure` where this processor has none.
    func kernel() throws -> Kernel { try (precision ?? .f32).kernel() }

    /// The threads to use.
    var threadCount: Int { threads ?? ProcessInfo.processInfo.activeProcessorCount }

    func validate() throws {
        if let threads, !(1...256).contains(threads) {
            throw ValidationError("--threads is \(threads), expected 1...256")
        }
    }

    /// Refuses a tolerance that nothing would read, in commands that sample in parallel only with --window.
    func checkToleranceHasWindow() throws {
        if tolerance != nil && window == nil {
            throw ValidationError("--tolerance is ParaDiGMS's, expected --window with it")
        }
    }

    /// The settings for a policy: its own where no option was given.
    func settings(for configuration: PolicyConfiguration) -> SamplerSettings {
        var settings = configuration.defaultSettings
        if let solver { settings.solver = solver }
        if let steps { settings.numInferenceSteps = steps }
        if let window { settings.method = .paradigms(window: window, tolerance: parallelTolerance) }
        return settings
    }
}

extension Solver: ExpressibleByArgument {}

/// A precision by name, or the fastest there is.
enum PrecisionChoice: String, ExpressibleByArgument, CaseIterable {
    case f32
    case bf16
    case int8
    case auto

    /// The kernel that computes in this precision.
    ///
    /// - Throws: `Failure` where this processor has none.
    func kernel() throws -> Kernel {
        let kernel: Kernel? =
            switch self {
            case .f32: .exact
            case .bf16: Kernel(best: .bf16)
            case .int8: Kernel(best: .int8)
            case .auto: .fastest
            }
        guard let kernel else {
            throw Failure.input(
                "--precision \(rawValue) needs a processor with AVX2, expected f32 or auto here"
            )
        }
        return kernel
    }
}
