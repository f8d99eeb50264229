import Clocks
import Sampling
import Testing

@Suite struct QuasiNewtonTests {
    /// What `calibrate` measures of the bent Gaussian.
    func linearization(_ setup: SamplerCase) throws -> OutputLinearization {
        try setup.sampler(.quasiNewton(window: 8, tolerance: 0)).calibrate(with: setup.model())
    }

    @Test(arguments: SamplerCase.all)
    func equalsSequentialToTheLastBitAtToleranceZero(_ setup: SamplerCase) throws {
        let model = try setup.model()
        let sequential = try setup.sampler(.sequential)
        let noise = gaussianNoise(count: sequential.noiseCount, seed: 5)
        let expected = sequential.sample(with: model, noise: noise).sample

        for linearization in [nil, try linearization(setup)] {
            for window in 1...setup.numInferenceSteps {
                let parallel = try setup.sampler(
                    .quasiNewton(window: window, tolerance: 0),
                    linearization: linearization
                )
                let recorder = RecordingPredictor(model)
                let (sample, report) = parallel.sample(with: recorder, noise: noise)
                #expect(sample == expected, "window \(window), calibrated \(linearization != nil)")
                #expect(report.parallelIterations <= setup.numInferenceSteps, "window \(window)")
                #expect(report.parallelIterations == recorder.batches.count)
                #expect(report.modelEvaluations == recorder.batches.map(\.count).reduce(0, +))
                #expect(report.window == window)
                #expect(report.residual == 0)
                #expect(report.quality == .exact)
            }
        }
    }

    /// A linearisation that is as wrong as can be costs passes, not correctness.
    @Test(arguments: Solver.allCases)
    func equalsSequentialWithAnyLinearization(_ solver: Solver) throws {
        let setup = SamplerCase(solver: solver)
        let sequential = try setup.sampler(.sequential)
        let noise = gaussianNoise(count: sequential.noiseCount, seed: 15)
        let expected = sequential.sample(with: try setup.model(), noise: noise).sample
        for gain: Float in [0, 0.5, 3] {
            let linearization = OutputLinearization(
                gains: [Float](repeating: gain, count: 15),
                errors: [Float](repeating: 0.02, count: 15),
                rounding: [Float](repeating: 0, count: 15),
                volatility: [Float](repeating: 0.01, count: 15)
            )
            let parallel = try setup.sampler(
                .quasiNewton(window: 6, tolerance: 0),
                linearization: linearization
            )
            let (sample, report) = parallel.sample(with: try setup.model(), noise: noise)
            #expect(sample == expected, "gain \(gain)")
            #expect(report.parallelIterations <= 15)
        }
    }

    /// The tolerance is what the errors' estimates add up to, and an estimate is what most errors stay below.
    @Test(arguments: SamplerCase.all)
    func deviatesAFewTolerancesAtMost(_ setup: SamplerCase) throws {
        let model = try setup.model()
        let sequential = try setup.sampler(.sequential)
        let linearization = try linearization(setup)
        for seed: UInt64 in 20..<24 {
            let noise = gaussianNoise(count: sequential.noiseCount, seed: seed)
            let expected = sequential.sample(with: model, noise: noise).sample
            for window in [1, 2, 8, 15] {
                for tolerance: Float in [0.1, 0.01, 0.001, 0.0001] {
                    let parallel = try setup.sampler(
                        .quasiNewton(window: window, tolerance: tolerance),
                        linearization: linearization
                    )
                    let (sample, report) = parallel.sample(with: model, noise: noise)
                    let found = largestDifference(sample, expected)
                    #expect(
                        found <= max(4 * tolerance, 1e-5),
                        "window \(window), tolerance \(tolerance), seed \(seed)"
                    )
                    #expect(report.residual <= tolerance)
                    #expect(report.quality == .converged)
                }
            }
        }
    }

    /// The bent Gaussian is easy: a window saves most of the passes, and wastes next to no evaluation.
    @Test(arguments: SamplerCase.all)
    func takesFewerPassesAndEvaluationsThanParaDiGMS(_ setup: SamplerCase) throws {
        let model = try setup.model()
        let linearization = try linearization(setup)
        for window in [4, 8] {
            let published = try setup.sampler(.paradigms(window: window, tolerance: 0.1))
            let parallel = try setup.sampler(
                .quasiNewton(window: window, tolerance: 0.01),
                linearization: linearization
            )
            var iterations = (published: 0, quasiNewton: 0)
            var evaluations = (published: 0, quasiNewton: 0)
            for seed: UInt64 in 30..<34 {
                let noise = gaussianNoise(count: parallel.noiseCount, seed: seed)
                let theirs = published.sample(with: model, noise: noise).report
                let ours = parallel.sample(with: model, noise: noise).report
                iterations.published += theirs.parallelIterations
                iterations.quasiNewton += ours.parallelIterations
                evaluations.published += theirs.modelEvaluations
                evaluations.quasiNewton += ours.modelEvaluations
            }
            #expect(iterations.quasiNewton < iterations.published, "window \(window)")
            #expect(evaluations.quasiNewton < evaluations.published, "window \(window)")
        }
    }

    /// With many steps some are bridged, and with a window of one there are fewer evaluations than steps.
    @Test(arguments: [1, 4, 8])
    func evaluatesFewerThanTheSteps(_ window: Int) throws {
        let setup = SamplerCase.all[0]
        let model = try setup.model()
        let sequential = try setup.sampler(.sequential)
        let linearization = try linearization(setup)
        let parallel = try setup.sampler(
            .quasiNewton(window: window, tolerance: 0.01),
            linearization: linearization
        )
        let seeds: Range<UInt64> = 40..<48
        var (nodes, startedOver) = (0, 0)
        for seed in seeds {
            let noise = gaussianNoise(count: parallel.noiseCount, seed: seed)
            let recorder = RecordingPredictor(model)
            let (sample, report) = parallel.sample(with: recorder, noise: noise)
            let visited = Set(recorder.batches.joined())
            nodes += visited.count
            // The last step's clean sample is the result, and is no bridge's.
            #expect(visited.contains(0))
            if window == 1 && recorder.batches.count(where: { $0 == recorder.batches[0] }) == 2 {
                startedOver += 1
                #expect(visited.count == 100 && report.modelEvaluations < 200, "seed \(seed)")
            } else {
                // A rough sample gives up most of its bridges.
                #expect(visited.count < 100, "seed \(seed)")
                // Twice only those whose bridge was given up.
                let most = visited.count * 11 / 10
                if window == 1 { #expect(visited.count...most ~= report.modelEvaluations, "seed \(seed)") }
            }
            #expect(report.residual <= 0.01)
            let expected = sequential.sample(with: model, noise: noise).sample
            #expect(largestDifference(sample, expected) <= 0.04, "seed \(seed)")
        }
        #expect(nodes < 90 * seeds.count && startedOver <= 2)
        // What was not measured may wander anywhere, and is not bridged.
        let uncalibrated = try setup.sampler(.quasiNewton(window: window, tolerance: 0.01))
        let recorder = RecordingPredictor(model)
        let noise = gaussianNoise(count: parallel.noiseCount, seed: 40)
        let (_, report) = uncalibrated.sample(with: recorder, noise: noise)
        #expect(Set(recorder.batches.joined()).count == setup.numInferenceSteps)
        #expect(report.residual <= 0.01)
    }

    /// A window of one node evaluates no step twice, and still tells a smooth sample from a rough one: by the nodes that it has passed.
    @Test(arguments: [0.5, 2] as [Float])
    func aWindowOfOneFollowsTheRoughnessOfItsSample(held factor: Float) throws {
        let setup = SamplerCase.all[0]
        let model = try setup.model()
        let sequential = try setup.sampler(.sequential)
        let measured = try linearization(setup)
        /// The evaluations of some samples if x_0 is held to wander so many times as far as it does.
        func evaluations(held factor: Float) throws -> [Int] {
            let sampler = try setup.sampler(
                .quasiNewton(window: 1, tolerance: 0.01),
                linearization: measured.replacing(volatility: measured.volatility.map { $0 * factor })
            )
            return (40..<48 as Range<UInt64>).map { seed in
                let noise = gaussianNoise(count: sampler.noiseCount, seed: seed)
                let expected = sequential.sample(with: model, noise: noise).sample
                let (sample, report) = sampler.sample(with: model, noise: noise)
                #expect(largestDifference(sample, expected) <= 0.04, "held \(factor), seed \(seed)")
                #expect(report.residual <= 0.01)
                return report.modelEvaluations
            }
        }
        let typical = try evaluations(held: 1)
        #expect(Set(typical).count > 1, "no two samples are alike")
        let misjudged = try evaluations(held: factor)
        /// Of the samples that do not start over, which are half of them at least.
        func mean(_ evaluations: [Int]) throws -> Double {
            let once = evaluations.filter { $0 <= 100 }
            try #require(2 * once.count >= evaluations.count, "\(evaluations)")
            return Double(once.reduce(0, +)) / Double(once.count)
        }
        // Judged by the calibration alone, half of the volatility would double the lengths of bridges, nearly.
        let ratio = try mean(misjudged) / mean(typical)
        #expect(0.75 < ratio && ratio < 1.3, "\(misjudged) \(typical)")
    }

    /// A network that rounds takes no more care than one that does not: nothing is gained by evaluating rounding again.
    @Test(arguments: [4, 8, 20])
    func roundingCostsFewEvaluations(_ window: Int) throws {
        let setup = SamplerCase.all[0]
        let model = try setup.model()
        let roundingModel = RoundingModel(model: model)
        let exact = try setup.sampler(.quasiNewton(window: window, tolerance: 0.01))
        let rounded = try setup.sampler(.quasiNewton(window: window, tolerance: 0.01))
        exact.calibrate(with: model)
        rounded.calibrate(with: roundingModel)
        var evaluations = (exact: 0, rounded: 0)
        for seed: UInt64 in 40..<56 {
            let noise = gaussianNoise(count: exact.noiseCount, seed: seed)
            evaluations.exact += exact.sample(with: model, noise: noise).report.modelEvaluations
            let (sample, report) = rounded.sample(with: roundingModel, noise: noise)
            evaluations.rounded += report.modelEvaluations
            let expected = try setup.sampler(.sequential).sample(with: roundingModel, noise: noise).sample
            #expect(largestDifference(sample, expected) <= 0.04, "seed \(seed)")
        }
        #expect(Double(evaluations.rounded) < 1.2 * Double(evaluations.exact), "\(evaluations)")
    }

    /// Where two ways meet, a small error early in the process decides between them.
    ///
    /// Few long steps leave little time to notice it. A window that holds the whole process from the start has no time to look twice,
    /// and neither does a window of one node: there one sample in a hundred may stray.
    @Test(arguments: [
        (Solver.ddpm, 100, 1, 3), (.ddpm, 100, 4, 0), (.ddpm, 100, 8, 0), (.ddpm, 100, 20, 0),
        (.ddim, 15, 4, 0),
        (.ddim, 15, 8, 0), (.ddim, 15, 15, 3), (.dpmSolverPlusPlus, 15, 4, 3), (.dpmSolverPlusPlus, 15, 8, 3),
        (.dpmSolverPlusPlus, 15, 15, 3),
    ])
    func takesTheSequentialSamplesWay(_ solver: Solver, steps: Int, window: Int, strays: Int) throws {
        let comparison = try TwoModesComparison(solver: solver, steps: steps, window: window)
        let tolerance = TwoModesComparison.tolerance
        let strayed = comparison.deviations.filter { $0 > 4 * tolerance }
        #expect(strayed.count <= strays, "\(strayed)")
        #expect(comparison.otherWays <= strays)
        #expect(comparison.residuals.allSatisfy { $0 <= tolerance })
        #expect(comparison.ways == [true, false])
        // Care is for the few that need it.
        #expect(comparison.iterations < 300 * steps * (window == 1 ? 3 : 2) / 4)
    }

    /// A sample that starts over takes less than twice the passes of the sequential one.
    @Test func startsOverOnceAtMost() throws {
        let setup = SamplerCase(solver: .ddpm, numInferenceSteps: 100)
        // Errors that are far too small make every change a surprise.
        let linearization = OutputLinearization(
            gains: [Float](repeating: 0, count: 100),
            errors: [Float](repeating: 0.0001, count: 100),
            rounding: [Float](repeating: 0, count: 100),
            volatility: [Float](repeating: 0.01, count: 100)
        )
        let model = try setup.twoModes()
        let sequential = try setup.sampler(.sequential)
        let noise = gaussianNoise(count: sequential.noiseCount, seed: 14)
        let expected = sequential.sample(with: model, noise: noise).sample
        for window in [4, 8, 100] {
            let parallel = try setup.sampler(
                .quasiNewton(window: window, tolerance: 1e-6),
                linearization: linearization
            )
            let recorder = RecordingPredictor(model)
            let (sample, report) = parallel.sample(with: recorder, noise: noise)
            let starts = recorder.batches.count { $0[0] == parallel.timesteps[0] }
            #expect(starts == 2, "window \(window)")
            #expect(report.parallelIterations == recorder.batches.count)
            #expect(report.parallelIterations < 200)
            #expect(largestDifference(sample, expected) < 0.001)
        }
    }

    /// A window of one node that has left steps out starts over if late nodes wander further than those before (9a).
    @Test func aWindowOfOneStartsOverIfErrorsOfItsBridgesSpread() throws {
        let setup = SamplerCase(solver: .ddpm, numInferenceSteps: 100)
        let model = try setup.model()
        let measured = try linearization(setup)
        // Late in the process x_0 then seems to wander three times as far as is typical.
        let volatility = measured.volatility.enumerated().map { $0 < 80 ? $1 : $1 / 3 }
        let sampler = try setup.sampler(
            .quasiNewton(window: 1, tolerance: 0.01),
            linearization: measured.replacing(volatility: volatility)
        )
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 41)
        let expected = try setup.sampler(.sequential).sample(with: model, noise: noise).sample

        let recorder = RecordingPredictor(model)
        let (sample, report) = sampler.sample(with: recorder, noise: noise)
        let starts = recorder.batches.indices.filter { recorder.batches[$0] == recorder.batches[0] }
        try #require(starts.count == 2)
        #expect(starts[1] < 100, "it had left steps out")
        #expect(Set(recorder.batches[starts[1]...].joined()).count == 100, "it leaves none out then")
        #expect(largestDifference(sample, expected) < 1e-4)
        #expect(report.residual < 1e-4)

        // 44 of 100 passes at least have taken a millisecond each by then, so that 100 more do not fit into what is left of 130.
        sampler.forwardTimes = ForwardTimes(nanoseconds: [1e6])
        let slow = RecordingPredictor(SlowPredictor(base: model, millisecondsPerPair: 1))
        _ = sampler.sample(with: slow, noise: noise, deadline: .now() + .milliseconds(130))
        #expect(slow.batches.count { $0 == recorder.batches[0] } == 1, "there is no time to start over")
    }

    /// A guess of the result, right or wrong, is for one sample, and with tolerance 0 not even that one shows it.
    @Test(arguments: Solver.allCases)
    func aGuessIsWhereTheNextSampleStarts(_ solver: Solver) throws {
        let setup = SamplerCase(solver: solver, clipSampleRange: nil)
        let model = try setup.model()
        let sequential = try setup.sampler(.sequential)
        let noise = gaussianNoise(count: sequential.noiseCount, seed: 17)
        let expected = sequential.sample(with: model, noise: noise).sample
        let wrong = expected.map { 3 - $0 }

        let exact = try setup.sampler(.quasiNewton(window: 8, tolerance: 0))
        exact.calibrate(with: model)
        for guess in [expected, wrong] {
            #expect(exact.sample(with: model, noise: noise, guess: guess).sample == expected)
        }

        let parallel = try setup.sampler(.quasiNewton(window: 8, tolerance: 0.01))
        parallel.calibrate(with: model)
        let unguessed = parallel.sample(with: model, noise: noise)
        for guess in [expected, wrong] {
            let guessed = parallel.sample(with: model, noise: noise, guess: guess)
            #expect(guessed.sample != unguessed.sample)
            #expect(largestDifference(guessed.sample, expected) <= 0.04)
            #expect(guessed.report.parallelIterations <= 15)
            if guess == expected {
                #expect(guessed.report.modelEvaluations <= unguessed.report.modelEvaluations)
            }
            let next = parallel.sample(with: model, noise: noise)
            #expect(next.sample == unguessed.sample)
            #expect(next.report == unguessed.report)
        }

        // For others there is nothing to start from it.
        #expect(sequential.sample(with: model, noise: noise, guess: wrong).sample == expected)
    }

    @Test func aGuessIsClippedLikeASample() throws {
        let setup = SamplerCase(solver: .ddim)
        let model = try setup.model()
        let sampler = try setup.sampler(.quasiNewton(window: 8, tolerance: 0.01))
        sampler.calibrate(with: model)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 17)
        func sample(from guess: [Float]) -> [Float] {
            sampler.sample(with: model, noise: noise, guess: guess).sample
        }
        let beyond = (0..<sampler.sampleSize).map { $0.isMultiple(of: 2) ? Float(40) : -1e30 }
        let clipped = beyond.map { max(-1, min(1, $0)) }
        #expect(sample(from: beyond) == sample(from: clipped))
        #expect(sample(from: clipped) != sample(from: clipped.map { 0.5 * $0 }))
    }

    @Test func windowIsEightUnlessGivenAndAtMostTheNumberOfSteps() throws {
        let setup = SamplerCase(solver: .ddim)
        #expect(try setup.sampler(.quasiNewton(window: nil, tolerance: 0)).maximumBatch == 8)
        #expect(try setup.sampler(.quasiNewton(window: 20, tolerance: 0)).maximumBatch == 15)
    }

    /// Drawing the samples it measures by must not change the ones it draws later.
    @Test func calibratesToTheSameEachTime() throws {
        let setup = SamplerCase.all[0]
        let model = try setup.model()
        let sampler = try setup.sampler(.quasiNewton(window: 8, tolerance: 0.01))
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 6)
        let first = sampler.calibrate(with: model)
        let sample = sampler.sample(with: model, noise: noise)
        #expect(sampler.calibrate(with: model) == first)
        let again = sampler.sample(with: model, noise: noise)
        #expect(again.sample == sample.sample)
        #expect(again.report == sample.report)
        // Known beforehand, it is the same sampler.
        let informed = try setup.sampler(.quasiNewton(window: 8, tolerance: 0.01), linearization: first)
        #expect(informed.sample(with: model, noise: noise).sample == sample.sample)
        // And for methods that have no use for it, it is measured all the same.
        #expect(try setup.sampler(.sequential).calibrate(with: model).gains.count == 100)
    }
}

/// In the sample's own units, which a tolerance is in.
func largestDifference(_ sample: [Float], _ reference: [Float]) -> Float {
    zip(sample, reference).map { abs($0 - $1) }.reduce(0) { $1 <= $0 ? $0 : $1 }
}

/// 300 samples of the model with two modes, against the sequential sampler's.
private struct TwoModesComparison {
    static let tolerance: Float = 0.005

    private(set) var deviations: [Float] = []
    private(set) var residuals: [Float] = []
    private(set) var iterations = 0
    /// The modes that the sequential samples are in.
    private(set) var ways: Set<Bool> = []
    /// Samples of which an element has another sign than the sequential sample's.
    private(set) var otherWays = 0

    init(solver: Solver, steps: Int, window: Int) throws {
        let setup = SamplerCase(solver: solver, numInferenceSteps: steps)
        let model = try setup.twoModes()
        let sequential = try setup.sampler(.sequential)
        let parallel = try setup.sampler(.quasiNewton(window: window, tolerance: Self.tolerance))
        parallel.calibrate(with: model)
        for seed: UInt64 in 100..<400 {
            let noise = gaussianNoise(count: sequential.noiseCount, seed: seed)
            let expected = sequential.sample(with: model, noise: noise).sample
            let (sample, report) = parallel.sample(with: model, noise: noise)
            deviations.append(largestDifference(sample, expected))
            residuals.append(report.residual)
            iterations += report.parallelIterations
            ways.insert(expected[0] > 0)
            if zip(sample, expected).contains(where: { ($0 > 0) != ($1 > 0) }) { otherWays += 1 }
        }
    }
}
