import Foundation
import Sampling
import Testing

/// The samplers on data that is N(0.3, 0.5^2), where the predictor is exact and the answer is known.
@Suite struct GaussianModelTests {
    let schedule: NoiseSchedule

    init() throws {
        schedule = try NoiseSchedule(numTrainTimesteps: 1000, betaSchedule: .squaredcosCapV2)
    }

    func model(_ predictionType: PredictionType) -> GaussianModel {
        GaussianModel(schedule: schedule, predictionType: predictionType, mean: 0.3, deviation: 0.5)
    }

    func sampler(
        _ solver: Solver,
        steps: Int,
        predictionType: PredictionType = .epsilon,
        sampleSize: Int = 64,
        method: SamplerSettings.Method = .sequential
    ) throws -> Sampler {
        try Sampler(
            schedule: schedule,
            predictionType: predictionType,
            clipSampleRange: nil,
            settings: SamplerSettings(solver: solver, numInferenceSteps: steps, method: method),
            sampleSize: sampleSize
        )
    }

    /// The largest distance to the exact solution of the probability-flow ODE.
    func error(_ solver: Solver, steps: Int, predictionType: PredictionType = .epsilon) throws -> Double {
        let sampler = try sampler(solver, steps: steps, predictionType: predictionType)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 3)
        let sample = sampler.sample(with: model(predictionType), noise: noise).sample
        let start = sampler.timesteps[0]
        return zip(sample, noise).reduce(0) { worst, pair in
            let exact = model(predictionType).exactODESolution(from: Double(pair.1), timestep: start)
            return max(worst, abs(Double(pair.0) - exact))
        }
    }

    @Test(arguments: PredictionType.allCases)
    func ddimIsOfFirstOrder(_ predictionType: PredictionType) throws {
        for steps in [10, 20, 40] {
            let ratio =
                try error(.ddim, steps: steps, predictionType: predictionType)
                / error(.ddim, steps: 2 * steps, predictionType: predictionType)
            #expect((1.8...2.2).contains(ratio), "\(steps) steps")
        }
    }

    @Test(arguments: PredictionType.allCases)
    func dpmSolverPlusPlusIsOfSecondOrder(_ predictionType: PredictionType) throws {
        for steps in [5, 10] {
            let ratio =
                try error(.dpmSolverPlusPlus, steps: steps, predictionType: predictionType)
                / error(.dpmSolverPlusPlus, steps: 2 * steps, predictionType: predictionType)
            #expect(ratio > 3.5, "\(steps) steps")
        }
        for steps in [10, 20, 40, 80] {
            let second = try error(.dpmSolverPlusPlus, steps: steps, predictionType: predictionType)
            let first = try error(.ddim, steps: steps, predictionType: predictionType)
            #expect(second < first / 2, "\(steps) steps")
        }
    }

    /// Where every timestep is visited, one is visited twice, and diffusers gives NaN.
    @Test(arguments: [1, 2, 3, 100])
    func dpmSolverPlusPlusTakesEveryTimestep(_ numTrainTimesteps: Int) throws {
        let schedule = try NoiseSchedule(numTrainTimesteps: numTrainTimesteps, betaSchedule: .squaredcosCapV2)
        let model = GaussianModel(schedule: schedule, predictionType: .epsilon, mean: 0.3, deviation: 0.5)
        for method in [
            SamplerSettings.Method.sequential, .paradigms(window: 5, tolerance: 0),
            .quasiNewton(window: 5, tolerance: 0),
        ] {
            let sampler = try Sampler(
                schedule: schedule,
                predictionType: .epsilon,
                clipSampleRange: nil,
                settings: SamplerSettings(
                    solver: .dpmSolverPlusPlus,
                    numInferenceSteps: numTrainTimesteps,
                    method: method
                ),
                sampleSize: 8
            )
            #expect(sampler.timesteps.count == numTrainTimesteps)
            let noise = gaussianNoise(count: sampler.noiseCount, seed: 3)
            let sample = sampler.sample(with: model, noise: noise).sample
            #expect(sample.allSatisfy { $0.isFinite })
            if numTrainTimesteps == 100 {
                #expect(Set(sampler.timesteps).count == 99)
                for (value, start) in zip(sample, noise) {
                    let exact = model.exactODESolution(from: Double(start), timestep: sampler.timesteps[0])
                    #expect(abs(Double(value) - exact) < 0.005)
                }
            }
        }
    }

    @Test(arguments: [
        SamplerSettings.Method.sequential, .paradigms(window: 40, tolerance: 0.1),
        .quasiNewton(window: 40, tolerance: 0.01),
    ])
    func ddpmDrawsFromTheData(_ method: SamplerSettings.Method) throws {
        let count = 4096
        let sampler = try sampler(.ddpm, steps: 400, sampleSize: count, method: method)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 4)
        let sample = sampler.sample(with: model(.epsilon), noise: noise).sample.map(Double.init)
        let mean = sample.reduce(0, +) / Double(count)
        let variance = sample.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(count)
        // Four standard errors: 4 (0.5 / 64) and 4 (0.25 sqrt(2) / 64).
        #expect(abs(mean - 0.3) < 0.031)
        #expect(abs(variance - 0.25) < 0.022)
    }

    /// With few steps the distribution is off, by as much as the recurrence of its mean and variance says.
    @Test(arguments: [5, 20])
    func ddpmHasTheVarianceOfItsDiscretisation(_ steps: Int) throws {
        let count = 4096
        let sampler = try sampler(.ddpm, steps: steps, sampleSize: count)
        var mean = 0.0
        var variance = 1.0
        for (index, timestep) in sampler.timesteps.enumerated() {
            let alphaBar = Double(schedule.alphasCumprod[timestep])
            let isLast = index + 1 == steps
            let nextAlphaBar = isLast ? 1 : Double(schedule.alphasCumprod[sampler.timesteps[index + 1]])
            let alpha = alphaBar / nextAlphaBar
            // E[x_0 | x] = gain x + offset.
            let gain = alphaBar.squareRoot() * 0.25 / (alphaBar * 0.25 + 1 - alphaBar)
            let offset = 0.3 - gain * alphaBar.squareRoot() * 0.3
            let toX0 = nextAlphaBar.squareRoot() * (1 - alpha) / (1 - alphaBar)
            let toSample = alpha.squareRoot() * (1 - nextAlphaBar) / (1 - alphaBar)
            mean = (toX0 * gain + toSample) * mean + toX0 * offset
            variance *= (toX0 * gain + toSample) * (toX0 * gain + toSample)
            variance += (1 - alpha) * (1 - nextAlphaBar) / (1 - alphaBar)
        }

        let noise = gaussianNoise(count: sampler.noiseCount, seed: 11)
        let sample = sampler.sample(with: model(.epsilon), noise: noise).sample.map(Double.init)
        let found = sample.reduce(0, +) / Double(count)
        let foundVariance = sample.map { ($0 - found) * ($0 - found) }.reduce(0, +) / Double(count)
        #expect(abs(found - mean) < 4 * (variance / Double(count)).squareRoot())
        #expect(abs(foundVariance - variance) < 4 * variance * (2 / Double(count)).squareRoot())
        #expect(variance < 0.24)
    }
}
