import Clocks
import Synchronization
import Testing

@testable import Sampling

/// Several samples that are drawn together, each under a condition of its own.
@Suite struct SamplesTogetherTests {
    static let methods = EveryMethodTests.methods
    private let largestGroup = 8

    private func setup(_ solver: Solver, steps: Int = 15) -> SamplerCase {
        SamplerCase(solver: solver, numInferenceSteps: steps)
    }

    /// A sampler of groups, calibrated if that matters to its method.
    private func sampler(
        _ setup: SamplerCase,
        _ method: SamplerSettings.Method,
        maximumSamples: Int,
        largestBatch: Int? = nil
    ) throws -> Sampler {
        let sampler = try Sampler(
            schedule: setup.schedule(),
            predictionType: setup.predictionType,
            clipSampleRange: setup.clipSampleRange,
            settings: SamplerSettings(
                solver: setup.solver,
                numInferenceSteps: setup.numInferenceSteps,
                method: method
            ),
            sampleSize: SamplingFixture.sampleSize,
            maximumSamples: maximumSamples,
            largestBatch: largestBatch
        )
        if case .quasiNewton = method { sampler.calibrate(with: try setup.model()) }
        return sampler
    }

    private func draw(
        _ sampler: Sampler,
        with predictor: some NoisePredictor,
        noise: [[Float]],
        guesses: [Float] = [],
        frozen: [FrozenElements] = [],
        deadline: MonotonicTime? = nil
    ) -> [(sample: [Float], report: SamplingReport)] {
        let noises = noise.flatMap { $0 }
        let count = sampler.sampleSize
        var values = [Float](repeating: .nan, count: noise.count * count)
        var reports = [SamplingReport](repeating: .nothing, count: noise.count)
        var span = values.mutableSpan
        var reportSpan = reports.mutableSpan
        sampler.sample(
            with: predictor,
            noise: noises.span,
            guess: guesses.span,
            frozen: frozen,
            deadline: deadline,
            into: &span,
            reports: &reportSpan
        )
        return reports.enumerated().map { (Array(values[$0 * count..<($0 + 1) * count]), $1) }
    }

    /// Noise of samples that differ in how soon they are done.
    private func noise(_ sampler: Sampler, _ samples: Int, seed: UInt64) -> [[Float]] {
        (0..<samples).map { gaussianNoise(count: sampler.noiseCount, seed: seed + UInt64($0)) }
    }

    /// Sample i is, to the last bit, the one that is drawn alone under condition i, and so is its report.
    @Test(arguments: Solver.allCases, methods)
    func areTheOnesDrawnAlone(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        for steps in [15, 100] {
            let setup = setup(solver, steps: steps)
            let together = try sampler(setup, method, maximumSamples: largestGroup)
            let alone = try sampler(setup, method, maximumSamples: 1)
            let model = ConditionedModel(base: try setup.model())
            for (samples, seed) in zip(1...largestGroup, stride(from: UInt64(100), to: 900, by: 100)) {
                let noise = noise(together, samples, seed: seed)
                for (index, drawn) in draw(together, with: model, noise: noise).enumerated() {
                    let expected = alone.sample(
                        with: OneCondition(model: model, condition: index),
                        noise: noise[index]
                    )
                    let place: Comment = "\(steps) steps, sample \(index) of \(samples)"
                    #expect(drawn.sample == expected.sample, place)
                    #expect(drawn.report == expected.report, place)
                    let (passes, expectedPasses) = (together.passes(of: index), alone.passes())
                    #expect(passes.map(\.steps) == expectedPasses.map(\.steps), place)
                    #expect(passes.map(\.evaluations) == expectedPasses.map(\.evaluations), place)
                }
            }
        }
    }

    /// Samples between whose two modes some must choose with care, and start over, disturb no other.
    @Test func theOnesThatStartOverAreTheOnesDrawnAlone() throws {
        let setup = setup(.ddpm)
        let method = SamplerSettings.Method.quasiNewton(window: 6, tolerance: 0.01)
        let together = try sampler(setup, method, maximumSamples: largestGroup)
        let alone = try sampler(setup, method, maximumSamples: 1)
        let model = try setup.twoModes()
        together.calibrate(with: model)
        alone.calibrate(with: model)
        var passes: Set<Int> = []
        for seed in stride(from: UInt64(0), to: 80, by: 8) {
            let noise = noise(together, largestGroup, seed: seed)
            let drawn = draw(together, with: AnyCondition(model: model), noise: noise)
            for (index, drawn) in drawn.enumerated() {
                let expected = alone.sample(with: model, noise: noise[index])
                #expect(drawn.sample == expected.sample, "seed \(seed), sample \(index)")
                #expect(drawn.report == expected.report, "seed \(seed), sample \(index)")
                passes.insert(drawn.report.parallelIterations)
            }
        }
        #expect(passes.count > 3, "samples that differ in their passes: \(passes)")
    }

    /// Each sample has its own frozen elements and its own guess.
    @Test(arguments: Solver.allCases, methods)
    func haveElementsAndGuessesOfTheirOwn(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = setup(solver)
        let together = try sampler(setup, method, maximumSamples: largestGroup)
        let alone = try sampler(setup, method, maximumSamples: 1)
        let model = ConditionedModel(base: try setup.model())
        for samples in [1, 2, 5, 8] {
            let noise = noise(together, samples, seed: 30)
            let known = (0..<samples).map { index in
                (0..<index % 4).map { 0.5 - 0.1 * Float($0) - 0.05 * Float(index) }
            }
            let guesses = (0..<samples).map { index in
                (0..<together.sampleSize).map { index % 3 == 0 ? 0 : 0.2 * Float($0) - 0.5 }
            }
            let drawn = draw(
                together,
                with: model,
                noise: noise,
                guesses: guesses.flatMap { $0 },
                frozen: known.enumerated().map { together.frozen($1, from: $0 % 3) }
            )
            for (index, drawn) in drawn.enumerated() {
                let expected = alone.sample(
                    with: OneCondition(model: model, condition: index),
                    noise: noise[index],
                    guess: guesses[index],
                    known: known[index],
                    first: index % 3
                )
                #expect(drawn.sample == expected.sample, "sample \(index) of \(samples)")
                #expect(drawn.report == expected.report, "sample \(index) of \(samples)")
                #expect(Array(drawn.sample[(index % 3)...].prefix(known[index].count)) == known[index])
            }
        }
    }

    /// A predictor that takes few entries at once gets them in as few passes of the same size as it takes, and no sample knows.
    @Test(arguments: methods, [4, 5, 9, 32])
    func largeBatchesAreCut(_ method: SamplerSettings.Method, _ largestBatch: Int) throws {
        let setup = setup(.ddpm)
        let whole = try sampler(setup, method, maximumSamples: largestGroup)
        let cut = try sampler(setup, method, maximumSamples: largestGroup, largestBatch: largestBatch)
        #expect(cut.maximumBatch == min(whole.maximumBatch, largestBatch))
        let model = ConditionedModel(base: try setup.model())
        for samples in [1, 3, 8] {
            let noise = noise(whole, samples, seed: 40)
            let recorder = BatchRecorder(model)
            let drawn = draw(cut, with: recorder, noise: noise)
            #expect(recorder.sizes.allSatisfy { 1...largestBatch ~= $0 })
            let evaluations = drawn.reduce(0) { $0 + $1.report.modelEvaluations }
            #expect(recorder.sizes.reduce(0, +) == evaluations)
            for (drawn, expected) in zip(drawn, draw(whole, with: model, noise: noise)) {
                #expect(drawn.sample == expected.sample)
                #expect(drawn.report == expected.report)
            }
        }
    }

    /// All samples that are not done have their windows in each pass, so a group takes as many passes as its slowest sample.
    @Test(arguments: methods)
    func aPassHasTheWindowsOfAll(_ method: SamplerSettings.Method) throws {
        let setup = setup(.ddim)
        let together = try sampler(setup, method, maximumSamples: largestGroup)
        let recorder = BatchRecorder(ConditionedModel(base: try setup.model()))
        let drawn = draw(together, with: recorder, noise: noise(together, 8, seed: 50))
        let passes = drawn.map(\.report.parallelIterations)
        #expect(recorder.sizes.count == passes.max())
        #expect(recorder.sizes.first == 8 * together.window)
        for (pass, conditions) in recorder.conditions.enumerated() {
            #expect(Set(conditions) == Set((0..<8).filter { passes[$0] > pass }), "pass \(pass)")
        }
    }

    /// Time for one coarse step, and for four.
    @Test(arguments: [(-1, 1), (4_900, 4)], methods)
    func areFinishedTogetherIfTimeIsShort(
        time: (seconds: Int, coarseSteps: Int),
        method: SamplerSettings.Method
    ) throws {
        let setup = setup(.ddim)
        let together = try sampler(setup, method, maximumSamples: largestGroup)
        let alone = try sampler(setup, method, maximumSamples: 1)
        let model = ConditionedModel(base: try setup.model())
        for samples in 1...largestGroup {
            let noise = noise(together, samples, seed: 70)
            let frozen = (0..<samples).map { together.frozen([0.5, -0.5], from: $0 % 4) }
            // A pass over all of them takes as long as one over a sample alone.
            together.forwardTimes = ForwardTimes(nanoseconds: Array(repeating: 1e12, count: 64))
            let drawn = draw(
                together,
                with: model,
                noise: noise,
                frozen: frozen,
                deadline: .now() + .seconds(time.seconds)
            )
            for (index, drawn) in drawn.enumerated() {
                #expect(drawn.report.quality == .coarse(steps: time.coarseSteps))
                #expect(drawn.report.modelEvaluations == time.coarseSteps)
                alone.forwardTimes = ForwardTimes(nanoseconds: [1e12])
                let expected = alone.sample(
                    with: OneCondition(model: model, condition: index),
                    noise: noise[index],
                    known: [0.5, -0.5],
                    first: index % 4,
                    deadline: .now() + .seconds(time.seconds)
                )
                #expect(drawn.sample == expected.sample, "sample \(index) of \(samples)")
                #expect(drawn.report == expected.report, "sample \(index) of \(samples)")
            }
        }
    }

    /// When a pass is given up, each sample is what its last pass predicted, or done.
    @Test(arguments: methods, 1...12)
    func wherePassesAreGivenUpTheOnesBeforeCount(_ method: SamplerSettings.Method, passes: Int) throws {
        let setup = setup(.ddim)
        let together = try sampler(setup, method, maximumSamples: largestGroup)
        let alone = try sampler(setup, method, maximumSamples: 1)
        let model = ConditionedModel(base: try setup.model())
        let noise = noise(together, 5, seed: 90)
        let due = MonotonicTime.now() + .seconds(1_000)
        together.forwardTimes = ForwardTimes(nanoseconds: [1])
        let drawn = draw(
            together,
            with: BatchRecorder(model, passes: passes),
            noise: noise,
            deadline: due
        )
        for (index, drawn) in drawn.enumerated() {
            alone.forwardTimes = ForwardTimes(nanoseconds: [1])
            let expected = alone.sample(
                with: OneCondition(model: BatchRecorder(model, passes: passes), condition: index),
                noise: noise[index],
                deadline: due
            )
            #expect(drawn.sample == expected.sample, "sample \(index)")
            #expect(drawn.report == expected.report, "sample \(index)")
        }
        #expect(together.interim.claim() == nil, "the results are there")
    }

    /// A pass takes so long that there is no time for all: the samples are finished from wherever each of them is.
    @Test(arguments: methods)
    func breakOffTogetherWhenTheRestWouldNotFit(_ method: SamplerSettings.Method) throws {
        let setup = setup(.ddpm, steps: 100)
        let together = try sampler(setup, method, maximumSamples: largestGroup)
        together.forwardTimes = ForwardTimes(nanoseconds: (1...32).map { 1e6 + 1e5 * Double($0) })
        let slow = BatchRecorder(ConditionedModel(base: try setup.model()), millisecondsPerPass: 3)
        let drawn = draw(
            together,
            with: slow,
            noise: noise(together, 4, seed: 95),
            deadline: .now() + .milliseconds(60)
        )
        for (sample, report) in drawn {
            guard case .coarse(let steps) = report.quality else {
                Issue.record("\(report.quality)")
                continue
            }
            #expect(1...25 ~= steps)
            #expect(report.parallelIterations >= steps)
            #expect(sample.allSatisfy { $0.isFinite && abs($0) <= 1.001 })
        }
    }

    /// The time of a pass is that of its batch, which is larger with more samples.
    @Test func aPassTakesTheTimeOfAllSamples() throws {
        let setup = setup(.ddim)
        let together = try sampler(setup, .sequential, maximumSamples: 3)
        let model = ConditionedModel(base: try setup.model())
        for (samples, steps) in [(1, 6), (2, 3), (3, 2)] {
            together.forwardTimes = ForwardTimes(nanoseconds: [1e12, 2e12, 3e12])
            let drawn = draw(
                together,
                with: model,
                noise: noise(together, samples, seed: 80),
                deadline: .now() + .seconds(6_900)
            )
            #expect(drawn.allSatisfy { $0.report.quality == .coarse(steps: steps) }, "\(samples) samples")
        }
    }

    /// The interim result is that of as many samples as are drawn.
    @Test func theInterimResultIsOfAllSamples() {
        let interim = InterimSample(sampleSize: 2, maximumSamples: 3)
        let none = (0..<3).map { _ in FrozenElements(sampleSize: 2) }
        for x0: [Float] in [[1, 2, 3, 4], [5, 6], [1, 2, 3, 4, 5, 6]] {
            interim.open(from: 0)
            let reports = [SamplingReport](repeating: .nothing, count: 3)
            interim.offer(x0.span, of: 0, frozen: none, as: reports, samples: x0.count / 2)
            let claimed = interim.claim()
            #expect(claimed?.samples == x0)
            #expect(claimed?.reports.count == x0.count / 2)
        }
    }

    @Test func aPredictorWithoutConditionsEndsTheProcess() async {
        await #expect(processExitsWith: .failure) {
            let conditions = [0, 1]
            var outputs: [Float] = [0, 0]
            let samples = outputs
            var span = outputs.mutableSpan
            _ = ConstantModel(value: 1).predict(
                samples: samples.span,
                timesteps: conditions.span,
                conditions: conditions.span,
                until: nil,
                into: &span
            )
        }
    }
}

/// Gives a model that has no conditions any number of them, all alike.
private struct AnyCondition<Model: NoisePredictor & Copyable>: NoisePredictor {
    let model: Model

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        model.predict(samples: samples, timesteps: timesteps, into: &outputs)
    }

    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        conditions: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        predict(samples: samples, timesteps: timesteps, into: &outputs)
        return true
    }
}

/// Passes calls on, keeps their conditions, takes its time, and gives up all passes but the first few as far as it may.
private final class BatchRecorder: NoisePredictor {
    private let model: ConditionedModel
    private let passes: Int
    private let millisecondsPerPass: Int
    private let log = Mutex<[[Int]]>([])

    init(_ model: ConditionedModel, passes: Int = .max, millisecondsPerPass: Int = 0) {
        self.model = model
        self.passes = passes
        self.millisecondsPerPass = millisecondsPerPass
    }

    /// Of the entries of each pass.
    var conditions: [[Int]] { log.withLock { $0 } }
    var sizes: [Int] { conditions.map(\.count) }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        model.predict(samples: samples, timesteps: timesteps, into: &outputs)
    }

    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        conditions: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        let isDone = log.withLock { log in
            log.append(conditions.indices.map { conditions[$0] })
            return log.count <= passes || instant == nil
        }
        guard isDone else {
            for element in outputs.indices { outputs[element] = .nan }
            return false
        }
        let end = MonotonicTime.now() + .milliseconds(millisecondsPerPass)
        while MonotonicTime.now() < end {}
        return model.predict(
            samples: samples,
            timesteps: timesteps,
            conditions: conditions,
            until: instant,
            into: &outputs
        )
    }
}
