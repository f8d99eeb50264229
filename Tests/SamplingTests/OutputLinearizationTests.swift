import Foundation
import Testing

@testable import Sampling

@Suite struct OutputLinearizationTests {
    static let deviation = 0.5

    /// Of data that is N(0.3, 0.5^2): d E[x_0 | x] / d x = alpha s^2 / (alpha^2 s^2 + sigma^2).
    func closedForm(_ alphaBar: Double) -> Double {
        let variance = Self.deviation * Self.deviation
        return alphaBar.squareRoot() * variance / (alphaBar * variance + 1 - alphaBar)
    }

    @Test(arguments: Solver.allCases, PredictionType.allCases)
    func measuresTheGainsOfALinearModel(_ solver: Solver, _ predictionType: PredictionType) throws {
        let schedule = try NoiseSchedule(numTrainTimesteps: 100, betaSchedule: .squaredcosCapV2)
        let sampler = try Sampler(
            schedule: schedule,
            predictionType: predictionType,
            clipSampleRange: nil,
            settings: SamplerSettings(
                solver: solver,
                numInferenceSteps: 50,
                method: .quasiNewton(window: 8, tolerance: 0)
            ),
            sampleSize: 6
        )
        let model = GaussianModel(
            schedule: schedule,
            predictionType: predictionType,
            mean: 0.3,
            deviation: Self.deviation
        )
        let found = sampler.calibrate(with: model)
        #expect(found.gains.count == 50)
        #expect(found.errors.count == 50)
        #expect(found.rounding.count == 50)
        #expect(found.volatility.count == 50)
        // DDPM's noise comes in at every step and moves x_0 with it; an ODE's x_0 bends only.
        let wanders = found.volatility[25..<45].allSatisfy { $0 > 0.02 }
        #expect(wanders == (solver == .ddpm), "\(found.volatility)")
        // A nudge of 0.0001 changes x_0 by that, times a gain below 1; where alpha is small epsilon's last bit weighs more.
        #expect(found.rounding.dropFirst(3).allSatisfy { 0..<0.0002 ~= $0 })
        // The first sample is the noise itself, which no guess misses. At the next ones alpha is small and what epsilon
        // says of x_0 is rounded coarsely.
        for (index, timestep) in sampler.timesteps.enumerated().dropFirst(3) {
            let expected = closedForm(Double(schedule.alphasCumprod[timestep]))
            #expect(abs(Double(found.gains[index]) - expected) < 0.01, "step \(index)")
            #expect(found.errors[index] < 0.05, "step \(index)")
        }
    }

    /// What a network's rounding does to x_0 is no error of the gains, however small the displacement.
    @Test func roundingIsNoError() throws {
        let setup = SamplerCase(solver: .ddpm, numInferenceSteps: 100, clipSampleRange: nil)
        let sampler = try setup.sampler(.quasiNewton(window: 8, tolerance: 0.01))
        let exact = sampler.calibrate(with: try setup.model())
        let rounded = sampler.calibrate(with: RoundingModel(model: try setup.model()))
        for step in 10..<90 {
            #expect(rounded.rounding[step] > 2 * exact.rounding[step], "step \(step)")
            #expect(rounded.errors[step] < 4 * exact.errors[step], "step \(step)")
        }
    }

    /// The network's output follows its sample exactly as a measured gain of x_0 says.
    @Test(arguments: SamplerCase.all)
    func outputFollowsSampleAndX0(_ setup: SamplerCase) throws {
        let schedule = try setup.schedule()
        let model = GaussianModel(
            schedule: schedule,
            predictionType: setup.predictionType,
            mean: 0.3,
            deviation: Self.deviation
        )
        let steps = setup.solver.steps(
            schedule: schedule,
            predictionType: setup.predictionType,
            clipSampleRange: nil,
            numInferenceSteps: setup.numInferenceSteps
        )
        for step in steps {
            var outputs: [Float] = [0, 0]
            let samples: [Float] = [-1, 1]
            let timesteps = [step.timestep]
            var span = outputs.mutableSpan
            model.predict(samples: samples.span, timesteps: timesteps.span, into: &span)
            let found = Double(outputs[1] - outputs[0]) / 2
            let gain = closedForm(Double(schedule.alphasCumprod[step.timestep]))
            let expected = step.outputFromSample + gain * step.outputFromX0
            #expect(abs(found - expected) < 1e-5 * max(1, abs(expected)), "timestep \(step.timestep)")
        }
    }

    /// A step's answer to changes of the sample, of x_0 and of the x_0 before it, against differences.
    @Test(arguments: SamplerCase.all)
    func responseIsTheStepsDerivative(_ setup: SamplerCase) throws {
        let steps = setup.solver.steps(
            schedule: try setup.schedule(),
            predictionType: setup.predictionType,
            clipSampleRange: nil,
            numInferenceSteps: setup.numInferenceSteps
        )
        for step in steps {
            func next(sample: Float, x0: Float, previousX0: Float) -> Double {
                let output = step.modelOutput(sample: sample, x0: x0)
                return Double(
                    step.advance(
                        sample: sample,
                        modelOutput: output,
                        x0: x0,
                        previousX0: previousX0,
                        noise: 0.3
                    )
                )
            }
            let start = next(sample: 0.25, x0: -0.5, previousX0: 0.5)
            let response = step.response
            let found = [
                next(sample: 0.75, x0: -0.5, previousX0: 0.5) - start,
                next(sample: 0.25, x0: 0.5, previousX0: 0.5) - start,
                next(sample: 0.25, x0: -0.5, previousX0: -0.5) - start,
            ]
            let expected = [0.5 * response.sample, response.x0, -response.previousX0]
            for (found, expected) in zip(found, expected) {
                #expect(abs(found - expected) < 2e-5, "timestep \(step.timestep)")
            }
        }
    }

    @Test(arguments: SamplerCase.all)
    func modelOutputImpliesItsX0(_ setup: SamplerCase) throws {
        let steps = setup.solver.steps(
            schedule: try setup.schedule(),
            predictionType: setup.predictionType,
            clipSampleRange: setup.clipSampleRange,
            numInferenceSteps: setup.numInferenceSteps
        )
        for step in steps {
            for x0: Float in [-0.9, 0, 0.4] {
                let output = step.modelOutput(sample: 0.7, x0: x0)
                let found = step.predictedX0(sample: 0.7, modelOutput: output)
                // Where alpha is 5e-5, epsilon's last bit is worth 1e-3 in x_0.
                #expect(abs(found - x0) < (step.timestep > 97 ? 5e-3 : 1e-4), "timestep \(step.timestep)")
            }
        }
    }

    @Test func isReadAsItWasWritten() throws {
        let written = OutputLinearization(
            gains: [0, 0.1, 0.33333334],
            errors: [1, 0.02, 0.7],
            rounding: [0, 0, 0.001],
            volatility: [0.5, 0.25, 0]
        )
        let data = try JSONEncoder().encode(written)
        #expect(try JSONDecoder().decode(OutputLinearization.self, from: data) == written)
    }

    /// An output that does not depend on the sample: nothing to follow, and no division by nothing.
    @Test func aModelWithoutGainHasNone() throws {
        let setup = SamplerCase(solver: .ddim, predictionType: .sample)
        let found = try setup.sampler(.quasiNewton(window: 4, tolerance: 0)).calibrate(
            with: ConstantModel(value: 0.5)
        )
        #expect(found.gains.allSatisfy { $0 == 0 })
        #expect(found.errors.allSatisfy { $0 > 0 && $0 <= 1 })
        #expect(found.volatility.allSatisfy { $0 == 0 })
    }
}
