import ArgumentParser
import Benchmarking
import Foundation
import Planning
import Policy
import PushT
import Sampling
import Tuning

struct BenchPaperCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "paper",
        abstract: "Play PushT with every way of sampling: the ParaDiGMS paper's robot table, again.",
        discussion: """
            Plays the episodes of seeds S, S+1, ... with DDPM of 100 steps, DDIM of 15 and DPM-Solver++ of 15, each \
            sequentially, by ParaDiGMS as published (window 20, tolerance 0.1) and by quasi-Newton sampling. They take \
            turns, episode by episode, with the same initial states and the same noise. The world waits for the chunk. \
            A policy of fewer timesteps is sampled with as many steps as it has. With a camera, a chunk's time includes \
            encoding the frames of its history.

            An episode's reward is its score as `denoised sim` counts it. Differences of reward are from sequential \
            sampling, seed by seed. Standard errors take two episodes or more.
            """
    )

    @Option(help: PolicyOptions.help)
    var policy: String

    @Option(help: ArgumentHelp("Episodes to play with each way of sampling.", valueName: "n"))
    var episodes = 10

    @Option(help: ArgumentHelp("The network's arithmetic: f32, bf16, int8 or auto.", valueName: "p"))
    var precision = PrecisionChoice.f32

    @Option(
        help: ArgumentHelp(
            "The window of quasi-Newton sampling: a number, or auto, the one that is fastest here.",
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

    @Option(
        help: ArgumentHelp(
            "Seed of the first episode and its noise. Default: \(SeedSuite.evaluation.firstSeed).",
            valueName: "s"
        ),
        transform: Seed.read
    )
    var seed: UInt64 = SeedSuite.evaluation.firstSeed

    @Option(help: ArgumentHelp("Threads for the network. Default: one for each core.", valueName: "n"))
    var threads: Int?

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard (1...1_000_000).contains(episodes) else {
            throw ValidationError("--episodes is \(episodes), expected 1...1000000")
        }
        if let threads, !(1...256).contains(threads) {
            throw ValidationError("--threads is \(threads), expected 1...256")
        }
        if case .steps(let window) = window, !(1...1000).contains(window) {
            throw ValidationError("--window is \(window), expected 1...1000 or auto")
        }
    }

    func run() throws {
        let bundle = try PolicyOptions.loadToRun(policy, threads: threads)
        let features = try Failure.asInput { try PushTFeatures(of: bundle) }
        Console.note("preparing the network and calibrating the samplers")
        var players = try makePlayers(bundle)
        // What comes of these chunks does not matter: they are there so that none that counts is the first.
        var history = bundle.makeHistory()
        try Failure.asInput { try history.append(bundle.middleObservation) }
        let request = SamplingRequest(history: history, noise: .seed(0))
        for player in players { _ = try? player.policy.sample(request) }

        let simulation = try Failure.asRun { try PushTEpisodes(features) }
        let bar = ProgressBar("episodes")
        for index in 0..<episodes {
            let seed = seed &+ UInt64(index)
            let ((), milliseconds) = try timed {
                for player in players.indices {
                    try Failure.asRun { try players[player].play(seed: seed, in: simulation) }
                    bar.advance(to: index * players.count + player + 1, of: episodes * players.count)
                }
            }
            Console.note(
                "episode \(index + 1) of \(episodes), seed \(seed): \(fixed(milliseconds / 1e3, 1)) s"
            )
        }

        let table = PaperTable(policy: bundle.name, seed: seed, players: players)
        if json {
            try Console.json(table)
        } else {
            table.print()
        }
    }

    /// One for each row of the table; they share one network.
    private func makePlayers(_ bundle: PolicyBundle) throws -> [PaperPlayer] {
        let kernel = try precision.kernel()
        let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
        let numTrainTimesteps = bundle.configuration.numTrainTimesteps
        let quasiNewtonWindow = if case .steps(let window) = window { window } else { 1 }
        return try Failure.asInput {
            let network = try bundle.network(
                timesteps: Array(0..<numTrainTimesteps),
                maximumBatch: max(quasiNewtonWindow, 32),
                threads: threads,
                kernel: kernel
            )
            return try PublishedFigures.all.flatMap { published in
                try [
                    SamplerSettings.Method.sequential,
                    ParallelMethod.paradigms.settings(window: .auto, tolerance: nil, on: kernel),
                    ParallelMethod.quasiNewton.settings(window: window, tolerance: tolerance, on: kernel),
                ].map { method in
                    return PaperPlayer(
                        policy: try DiffusionPolicy(
                            bundle: bundle,
                            settings: SamplerSettings(
                                solver: published.solver,
                                numInferenceSteps: min(published.steps, numTrainTimesteps),
                                method: method
                            ),
                            network: network,
                            calibrations: .shown()
                        ),
                        published: published
                    )
                }
            }
        }
    }
}

extension PaperTable {
    fileprivate func print() {
        guard let first = results.first else { return }
        Console.result(
            "\(policy): \(first.kernel), \(first.threads) threads, \(episodes) episode\(episodes == 1 ? "" : "s") "
                + "from seed \(seed)\n"
        )
        var table = Table(
            "solver",
            "method",
            "window",
            "iterations",
            "evaluations",
            "reward",
            "difference",
            "success",
            "s an episode",
            "ms a chunk",
            "p99",
            "speed-up",
            "by episode",
            "paper",
            keys: 3
        )
        for result in results {
            let isSequential = result.method == SamplerSettings.Method.sequential.name
            table.add(
                "\(result.solver) \(result.steps)",
                result.method,
                String(result.window),
                fixed(result.iterationsMean, 1),
                fixed(result.evaluationsMean, 1),
                Self.cell(result.rewardMean, result.rewardStandardError),
                isSequential
                    ? "" : Self.cell(result.rewardDifferenceMean, result.rewardDifferenceStandardError),
                fixed(result.successRate, 2),
                fixed(result.episodeSecondsMean, 3),
                fixed(result.msP50, 2),
                fixed(result.msP99, 2),
                isSequential ? "" : fixed(result.speedUpChunk, 2) + "x",
                isSequential ? "" : fixed(result.speedUpEpisode, 2) + "x",
                result.paper.map(Self.cell) ?? ""
            )
        }
        table.print()
    }

    private static func cell(_ mean: Double, _ standardError: Double?) -> String {
        fixed(mean, 4) + (standardError.map { " +-" + fixed($0, 4) } ?? "")
    }

    private static func cell(_ figures: PublishedFigures) -> String {
        "\(fixed(figures.iterations, 0)) it, \(fixed(figures.evaluations, 0)) ev, "
            + "\(fixed(figures.speedUpLow, 1))-\(fixed(figures.speedUpHigh, 1))x"
    }
}
