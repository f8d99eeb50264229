import ArgumentParser
import Compute
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
            """
            Sample in parallel over a sliding window of so many steps, or of `auto`, the number that is fastest here; 1: \
            one step after the other. Default: auto in serve and sim, which measure the machine once and keep what they find; \
            1 elsewhere.
            """,
            valueName: "w|auto"
        )
    )
    var window: WindowChoice?

    @Option(
        help: ArgumentHelp(
            """
            How to sample in parallel: quasi-newton, or paradigms, the published form, for which the window is a \
            number. Default: quasi-newton.
            """,
            valueName: "m"
        )
    )
    var method: ParallelMethod?

    @Option(
        help: ArgumentHelp(
            """
            What sampling in parallel may neglect. quasi-newton: the estimated deviation from the sequential chunk, in \
            normalised units, where the actions span 2; default 0.005, and 0.01 for int8 on AVX2, which rounds more. paradigms: a \
            sample's change, in standard deviations of its step's noise; default 0.1.
            """,
            valueName: "t"
        )
    )
    var tolerance: Float?

    @Option(
        help: ArgumentHelp(
            """
            Keep every chunk within so many milliseconds from its observation, coarser if the exact one does not fit. \
            Default: a chunk takes the time it takes.
            """,
            valueName: "ms"
        )
    )
    var budgetMs: Double?

    @Option(
        defaultAsFlag: .guess,
        parsing: .next,
        help: ArgumentHelp(
            """
            Start from the robot's last chunk. `guess`, which the option alone means: sampling in parallel begins near it, which \
            takes fewer passes; a chunk then depends on that one, within the tolerance. `partial`: the last chunk is shifted, \
            re-noised to a middle timestep and sampled from there, which takes a part of the steps and gives other chunks, of \
            the quality `warm`.
            """,
            valueName: "w"
        )
    )
    var warmStart: WarmStart?

    @Option(
        help: ArgumentHelp(
            """
            With --warm-start partial, the part of the steps that is taken, above 0 and at most 1. Default: \
            \(WarmStart.standardPart).
            """,
            valueName: "f"
        )
    )
    var warmPart: Double?

    @Option(
        help: ArgumentHelp("Seed of the noise. Default: 0.", valueName: "s"),
        transform: Seed.read
    )
    var seed: UInt64?

    @Option(help: ArgumentHelp("Threads for the network. Default: one for each core.", valueName: "n"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            """
            The network's arithmetic: f32, bf16 (weights and inputs rounded, sums in f32), int8 (weights in 8 bits with \
            a scale a channel, inputs in 8, or as the processor multiplies in 7 or 16, exact sums), or auto: int8 if there are \
            kernels for this processor (AVX2, AVX-512, NEON), else f32. Default: f32. The environment variable \
            DENOISED_KERNELS names an instruction set, avx2 or neon for example, to use instead of the best one.
            """,
            valueName: "p"
        )
    )
    var precision: PrecisionChoice?

    @OptionGroup
    var filtering: FilteringOptions

    /// The first option that was given and decides how chunks are sampled, apart from the seed.
    var firstGiven: String? {
        let given = [
            ("--solver", solver != nil), ("--steps", steps != nil), ("--window", window != nil),
            ("--method", method != nil), ("--tolerance", tolerance != nil), ("--threads", threads != nil),
            ("--precision", precision != nil), ("--budget-ms", budgetMs != nil),
            ("--warm-start", warmStart != nil), ("--warm-part", warmPart != nil),
            ("--filtering-batch", filtering.filteringBatch != nil),
            ("--filtering-memory", filtering.filteringMemory != nil),
        ]
        return given.first(where: \.1)?.0
    }

    /// The seed of the noise, and of the first episode.
    var firstSeed: UInt64 { seed ?? 0 }

    /// The kernel that computes in the precision asked for.
    ///
    /// - Throws: `Failure` if this processor has none, or not the kernels that DENOISED_KERNELS asks for.
    func kernel() throws -> Kernel { try (precision ?? .f32).kernel().filtered(filtering.filtering) }

    /// What the daemon is to keep.
    var budget: Duration? { budgetMs.map { .nanoseconds(Int64($0 * 1e6)) } }

    /// The threads to use.
    var threadCount: Int { threads ?? ProcessInfo.processInfo.activeProcessorCount }

    func validate() throws {
        if let threads, !(1...256).contains(threads) {
            throw ValidationError("--threads is \(threads), expected 1...256")
        }
        if let budgetMs, !(budgetMs >= 1 && budgetMs <= 60_000) {
            throw ValidationError("--budget-ms is \(budgetMs), expected 1...60000")
        }
        if let warmPart {
            guard warmPart > 0, warmPart <= 1 else {
                throw ValidationError("--warm-part is \(warmPart), expected more than 0 and at most 1")
            }
            guard warmStart == .partial else {
                throw ValidationError("--warm-part is for --warm-start partial, expected that with it")
            }
        }
        if let word = WarmStart.unknownWord(in: CommandLine.arguments) {
            throw ValidationError("--warm-start is \(word), expected guess or partial")
        }
        if method == .paradigms, window == .auto {
            throw ValidationError("--window is auto, expected a number with --method paradigms")
        }
    }

    /// Refuses options that nothing would read, in a command that samples in parallel only with --window.
    func checkWindowIsGiven() throws {
        guard window == nil, let option = firstForParallelSampling else { return try checkWindow() }
        throw ValidationError("\(option) is for sampling in parallel, expected --window with it")
    }

    /// Refuses options that nothing would read, in a command that samples in parallel by default.
    func checkWindow() throws {
        if method == .paradigms, window == nil {
            throw ValidationError("--method is paradigms, expected --window and a number with it")
        }
        guard window == .steps(1), method == nil, let option = firstForParallelSampling else { return }
        throw ValidationError(
            "\(option) is for sampling in parallel, which --window 1 is not; expected a wider window"
        )
    }

    private var firstForParallelSampling: String? {
        [
            ("--tolerance", tolerance != nil), ("--warm-start", warmStart == .guess),
            ("--method", method != nil),
        ]
        .first(where: \.1)?.0
    }

    /// These options, in parallel over the fastest window if none was given.
    var parallelByDefault: SamplerOptions {
        var options = self
        options.window = window ?? .auto
        return options
    }

    /// The settings for a policy on a kernel: the policy's own if no option was given.
    func settings(for configuration: PolicyConfiguration, on kernel: Kernel) -> SamplerSettings {
        var settings = configuration.defaultSettings
        if let solver { settings.solver = solver }
        if let steps { settings.numInferenceSteps = steps }
        if let window, window != .steps(1) || method != nil {
            settings.method = (method ?? .quasiNewton)
                .settings(window: window, tolerance: tolerance, on: kernel)
        }
        if warmStart == .partial {
            let part = warmPart ?? WarmStart.standardPart
            settings.warmSteps = WarmStart.steps(part: part, of: settings.numInferenceSteps)
        }
        return settings
    }
}

extension Solver: ExpressibleByArgument {}

/// What a robot's chunk makes of its last one.
enum WarmStart: String, ExpressibleByArgument, CaseIterable {
    /// Sampling in parallel begins near it.
    case guess
    /// It is re-noised, and the last steps alone are taken.
    case partial

    /// The part of the steps that is taken, unless another is asked for: docs/SAMPLING.md, "From a middle timestep".
    static let standardPart = 0.2

    /// The word after `--warm-start=` that is none of these; nil: there is none. The parser takes such an option for the one that
    /// stands alone.
    static func unknownWord(in arguments: [String]) -> String? {
        let words = arguments.prefix { $0 != "--" }.compactMap { argument in
            argument.hasPrefix("--warm-start=") ? argument.dropFirst("--warm-start=".count) : nil
        }
        return words.first { WarmStart(rawValue: String($0)) == nil }.map(String.init)
    }

    /// The steps of a part, at least 1.
    static func steps(part: Double, of steps: Int) -> Int {
        max(Int((part * Double(steps)).rounded()), 1)
    }
}

/// A window, or the one that is fastest on this machine.
enum WindowChoice: ExpressibleByArgument, Equatable {
    case steps(Int)
    case auto

    init?(argument: String) {
        if argument == "auto" {
            self = .auto
        } else if let steps = Int(argument) {
            self = .steps(steps)
        } else {
            return nil
        }
    }
}

/// A way to sample in parallel.
enum ParallelMethod: String, ExpressibleByArgument, CaseIterable {
    case quasiNewton = "quasi-newton"
    case paradigms

    /// What it neglects by default; see `--tolerance`. Passes that correct less than what inputs of 7 bits lose would be in vain.
    func defaultTolerance(on kernel: Kernel) -> Float {
        switch self {
        case .quasiNewton: kernel.inputBits == 7 ? 0.01 : 0.005
        case .paradigms: 0.1
        }
    }

    /// The method with a window, on a kernel; ParaDiGMS takes `auto` for the window of its paper.
    func settings(window: WindowChoice, tolerance: Float?, on kernel: Kernel) -> SamplerSettings.Method {
        let tolerance = tolerance ?? defaultTolerance(on: kernel)
        switch (self, window) {
        case (.quasiNewton, .auto): return .quasiNewton(window: nil, tolerance: tolerance)
        case (.quasiNewton, .steps(let window)): return .quasiNewton(window: window, tolerance: tolerance)
        case (.paradigms, .auto): return .paradigms(window: 20, tolerance: tolerance)
        case (.paradigms, .steps(let window)): return .paradigms(window: window, tolerance: tolerance)
        }
    }
}

/// A precision by name, or the fastest there is.
enum PrecisionChoice: String, ExpressibleByArgument, CaseIterable {
    case f32
    case bf16
    case int8
    case auto
}
