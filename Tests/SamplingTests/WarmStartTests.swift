import Testing

@testable import Sampling

/// Samples that start from a guess, re-noised to a middle timestep.
@Suite struct WarmStartTests {
    private func sampler(
        _ setup: SamplerCase,
        _ method: SamplerSettings.Method = .sequential,
        warmSteps: Int
    ) throws -> Sampler {
        try Sampler(
            schedule: setup.schedule(),
            predictionType: setup.predictionType,
            clipSampleRange: setup.clipSampleRange,
            settings: SamplerSettings(
                solver: setup.solver,
                numInferenceSteps: setup.numInferenceSteps,
                method: method,
                warmSteps: warmSteps
            ),
            sampleSize: SamplingFixture.sampleSize,
            isWarm: true
        )
    }

    static let ofFirstOrder = SamplingFixture.shared.sequential.filter { $0.solver != "dpmsolver++" }

    /// From the sample that diffusers had halfway, the last half of the steps leads to diffusers' sample.
    @Test(arguments: ofFirstOrder)
    func theLastStepsEqualDiffusers(_ expected: SamplingFixture.Sequential) throws {
        let skipped = expected.numInferenceSteps / 2
        let schedule = try NoiseSchedule(
            numTrainTimesteps: expected.numTrainTimesteps,
            betaSchedule: #require(BetaSchedule(rawValue: expected.betaSchedule))
        )
        let predictionType = try #require(PredictionType(rawValue: expected.predictionType))
        let sampler = try Sampler(
            schedule: schedule,
            predictionType: predictionType,
            clipSampleRange: expected.clipSampleRange,
            settings: SamplerSettings(
                solver: #require(Solver(rawValue: expected.solver)),
                numInferenceSteps: expected.numInferenceSteps,
                warmSteps: expected.numInferenceSteps - skipped
            ),
            sampleSize: SamplingFixture.sampleSize,
            isWarm: true
        )
        let rows = SamplingFixture.shared.noise.prefix(expected.numInferenceSteps + 1)
        let (sample, report) = sampler.sample(
            with: BentGaussianModel(schedule: schedule, predictionType: predictionType),
            noise: expected.halfway + Array(rows[(skipped + 1)...].joined())
        )
        #expect(deviation(sample, from: expected.sample) < 5e-5)
        #expect(report.quality == .warm)
        #expect(report.modelEvaluations == expected.numInferenceSteps - skipped)
        #expect(sampler.skippedSteps == skipped)
    }

    /// alpha x_0 + sigma epsilon, with the alpha and sigma of the first timestep that is visited.
    @Test(arguments: Solver.allCases)
    func aGuessIsRenoisedToTheFirstTimestep(solver: Solver) throws {
        let setup = SamplerCase(solver: solver)
        let sampler = try sampler(setup, warmSteps: 6)
        let alphaCumprod = try setup.schedule().alphasCumprod[sampler.timesteps[0]]
        let guess: [Float] = [0.5, -0.25, 3, -3, 0, 1]
        let epsilon = gaussianNoise(count: 6, seed: 4)
        var frozen = sampler.makeFrozenElements()
        let known: [Float] = [0.75]
        frozen.set(known.span, from: 4)
        var sample = epsilon
        var span = sample.mutableSpan
        sampler.renoise(guess.span, frozen: frozen, into: &span)
        // Clipped to the range, and the known value in the place of the guess.
        let x0: [Float] = [0.5, -0.25, 1, -1, 0.75, 1]
        for element in 0..<6 {
            let expected =
                alphaCumprod.squareRoot() * x0[element] + (1 - alphaCumprod).squareRoot() * epsilon[element]
            #expect(abs(sample[element] - expected) < 1e-6)
        }
    }

    @Test(arguments: SamplerCase.all, EveryMethodTests.methods)
    func everyMethodAgreesWithTheSequentialOne(_ setup: SamplerCase, _ method: SamplerSettings.Method) throws
    {
        let warmSteps = setup.numInferenceSteps * 2 / 5
        let reference = try sampler(setup, warmSteps: warmSteps)
        let noise = gaussianNoise(count: reference.noiseCount, seed: 8)
        #expect(noise.count == (warmSteps + 1) * SamplingFixture.sampleSize)
        let expected = reference.sample(with: try setup.model(), noise: noise).sample
        var exact = method
        switch method {
        case .sequential: break
        case .paradigms(let window, _): exact = .paradigms(window: window, tolerance: 0)
        case .quasiNewton(let window, _): exact = .quasiNewton(window: window, tolerance: 0)
        }
        let sampler = try sampler(setup, exact, warmSteps: warmSteps)
        let (sample, report) = sampler.sample(with: try setup.model(), noise: noise)
        #expect(deviation(sample, from: expected) < 1e-4)
        #expect(report.quality == .warm)
        let skipped = setup.numInferenceSteps - warmSteps
        let passes = sampler.passes()
        #expect(passes.first?.steps.lowerBound == skipped)
        #expect(passes.map(\.steps.upperBound).max() == setup.numInferenceSteps)
        #expect(passes.map(\.evaluations).reduce(0, +) == report.modelEvaluations)
    }

    /// A step that extrapolates from the x_0 of the step before has none at the start: it is of first order then, that is DDIM's.
    @Test func theFirstStepOfASecondOrderSolverIsOfFirstOrder() throws {
        let setup = SamplerCase(solver: .dpmSolverPlusPlus, clipSampleRange: nil)
        let sampler = try sampler(setup, warmSteps: 2)
        let step = sampler.steps[0]
        let after = step.advance(sample: 0.3, modelOutput: 0, x0: 0.5, previousX0: .nan, noise: .nan)
        let schedule = try setup.schedule()
        let level = schedule.level(at: sampler.timesteps[0])
        let next = schedule.level(at: sampler.timesteps[1])
        let epsilon = (0.3 - level.alpha * 0.5) / level.sigma
        #expect(abs(Double(after) - (next.alpha * 0.5 + next.sigma * epsilon)) < 1e-5)
    }

    @Test func stepsOutOfRangeAreRefused() {
        for warmSteps in [0, 16] {
            #expect(throws: SamplerError.warmSteps(found: warmSteps, numInferenceSteps: 15)) {
                try sampler(SamplerCase(solver: .ddim), warmSteps: warmSteps)
            }
        }
        #expect(
            SamplerError.warmSteps(found: 0, numInferenceSteps: 15).description
                == "the steps of a warm start are 0; expected 1 to num_inference_steps, which is 15"
        )
    }
}
