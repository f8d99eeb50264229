import Clocks
import Foundation
import Testing

@testable import Sampling

@Suite struct CoarseSolveTests {
    private func setup(
        _ solver: Solver,
        steps: Int,
        predictionType: PredictionType = .epsilon,
        clip: Float? = 1
    ) -> SamplerCase {
        SamplerCase(
            solver: solver,
            numInferenceSteps: steps,
            predictionType: predictionType,
            clipSampleRange: clip
        )
    }

    /// Finishes a sample from one of the solver's steps, in `count` coarse steps or in all there are.
    private func finish(
        _ setup: SamplerCase,
        from first: Int,
        sample initial: [Float],
        steps count: Int? = nil,
        with predictor: some NoisePredictor
    ) throws -> (sample: [Float], taken: Int) {
        let (sample, passes) = try finish(
            setup,
            from: [first],
            samples: initial,
            steps: count,
            with: predictor
        )
        return (sample, passes)
    }

    /// Finishes samples, each from a step of its own.
    private func finish(
        _ setup: SamplerCase,
        from first: [Int],
        samples initial: [Float],
        steps count: Int? = nil,
        with predictor: some NoisePredictor
    ) throws -> (samples: [Float], passes: Int) {
        let sampleSize = initial.count / first.count
        let schedule = try setup.schedule()
        let steps = setup.solver.steps(
            schedule: schedule,
            predictionType: setup.predictionType,
            clipSampleRange: setup.clipSampleRange,
            numInferenceSteps: setup.numInferenceSteps
        )
        var coarse = CoarseSolve(
            steps: steps,
            schedule: schedule,
            sampleSize: sampleSize,
            maximumSamples: first.count
        )
        var sample = initial
        var span = sample.mutableSpan
        // A pass takes so long that nothing else counts.
        let deadline = count.map { count in
            Deadline(
                due: .now() + .seconds(1_000 * count + 900),
                times: ForwardTimes(nanoseconds: [1_000 * 1e9])
            )
        }
        let progress = SamplingProgress(maximumSamples: first.count, stepCount: steps.count)
        progress.start(samples: first.count, as: .nothing)
        for (index, first) in first.enumerated() { progress.settle(index, steps: first) }
        var context = SamplingContext(
            predictor: predictor,
            steps: steps,
            frozen: first.map { _ in FrozenElements(sampleSize: sampleSize) },
            interim: InterimSample(sampleSize: sampleSize, maximumSamples: first.count),
            progress: progress,
            largestBatch: .max,
            deadline: deadline
        )
        let passes = coarse.finish(in: &context, sample: &span)
        return (sample, passes)
    }

    /// Samples that the solver brought to steps of their own are finished as each is alone: in all of the solver's steps, or in a
    /// few. One that is finished stays as it is.
    @Test(arguments: Solver.allCases, [Int?.none, 3])
    func samplesAreFinishedTogetherFromWhereEachIs(_ solver: Solver, _ count: Int?) throws {
        let setup = setup(solver, steps: 15)
        let model = ConditionedModel(base: try setup.model())
        let first = [4, 15, 0, 13]
        let noise = gaussianNoise(count: first.count * 6, seed: 49)
        let (samples, passes) = try finish(setup, from: first, samples: noise, steps: count, with: model)
        #expect(passes == count ?? 15)
        for (index, first) in first.enumerated() {
            let initial = Array(noise[index * 6..<(index + 1) * 6])
            let alone = try finish(
                setup,
                from: first,
                sample: initial,
                steps: count.map { min($0, max(15 - first, 1)) },
                with: OneCondition(model: model, condition: index)
            )
            #expect(Array(samples[index * 6..<(index + 1) * 6]) == alone.sample, "sample \(index)")
            #expect(alone.taken == min(15 - first, passes))
            if first == 15 { #expect(alone.sample == initial) }
        }
    }

    @Test(arguments: PredictionType.allCases, [Float?.none, 1])
    func aCoarseSolveOfAllStepsIsDPMSolvers(_ predictionType: PredictionType, _ clip: Float?) throws {
        let setup = setup(.dpmSolverPlusPlus, steps: 20, predictionType: predictionType, clip: clip)
        let sequential = try setup.sampler(.sequential)
        let noise = gaussianNoise(count: sequential.noiseCount, seed: 45)
        let model = try setup.model()
        let expected = sequential.sample(with: model, noise: noise).sample
        let initial = Array(noise.prefix(sequential.sampleSize))
        let (sample, taken) = try finish(setup, from: 0, sample: initial, with: model)
        #expect(taken == 20)
        #expect(deviation(sample, from: expected) < 2e-4)
    }

    /// cos(angle) reaches 0.2 at the timestep t where ((t + 1) / 100 + 0.008) / 1.008 is 0.872 of a right angle.
    @Test func theFirstStepsOfASquaredCosineMeanNothing() throws {
        let schedule = try NoiseSchedule(numTrainTimesteps: 100, betaSchedule: .squaredcosCapV2)
        func first(_ solver: Solver, steps: Int) -> Int {
            CoarseSolve(
                steps: solver.steps(
                    schedule: schedule,
                    predictionType: .epsilon,
                    clipSampleRange: 1,
                    numInferenceSteps: steps
                ),
                schedule: schedule,
                sampleSize: 4
            ).firstMeaningfulStep
        }
        #expect(first(.ddpm, steps: 100) == 13)
        #expect(first(.ddim, steps: 15) == 0, "which begin at timestep 84")
    }

    /// A coarse finish is nearer to the solver's own result, the fewer steps are left to it.
    @Test(arguments: Solver.allCases)
    func aCoarseFinishCarriesOnFromTheFront(_ solver: Solver) throws {
        let setup = setup(solver, steps: 15)
        let sequential = try setup.sampler(.sequential)
        let noise = gaussianNoise(count: sequential.noiseCount, seed: 46)
        let recorder = RecordingPredictor(try setup.model())
        let expected = sequential.sample(with: recorder, noise: noise).sample
        var last: Float = .infinity
        for first in [8, 14] {
            let (sample, taken) = try finish(
                setup,
                from: first,
                sample: recorder.samples[first],
                with: setup.model()
            )
            #expect(taken == 15 - first)
            let found = deviation(sample, from: expected)
            #expect(found <= last)
            last = found
        }
        // The last step of every solver is to the clean sample.
        #expect(last < 1e-4)
    }

    /// From where there is signal on; each timestep is as near to its place as the solver's timesteps allow.
    @Test(arguments: 2...16)
    func theRootOfTheAngleFallsEvenly(_ count: Int) throws {
        let setup = setup(.ddpm, steps: 100)
        let recorder = RecordingPredictor(try setup.model())
        let noise = gaussianNoise(count: SamplingFixture.sampleSize, seed: 47)
        let (_, taken) = try finish(setup, from: 0, sample: noise, steps: count, with: recorder)
        #expect(taken == count)
        let schedule = try setup.schedule()
        func angle(_ timestep: Int) -> Double {
            let level = schedule.level(at: timestep)
            return atan2(level.sigma, level.alpha)
        }
        let timesteps = recorder.batches.map { $0[0] }
        #expect(timesteps.count == count)
        #expect(timesteps.first == 86)
        for (index, timestep) in timesteps.enumerated().dropFirst() {
            let before = timesteps[index - 1]
            // The steps after the one that leads here, of which the last starts from a tenth or more.
            let rest = Double(count - index)
            let root = angle(before).squareRoot()
            let lastRoot = max(root / (rest + 1), 0.1.squareRoot())
            let place = pow(root - (root - lastRoot) / rest, 2)
            #expect(angle(timestep) <= place * 1.00001)
            #expect(angle(timestep + 1) * 1.00001 > place || timestep + 1 == before)
        }
    }

    /// On Gaussian data the ODE that both solve carries a sample's distance from the mean along in proportion.
    @Test(arguments: 2...8)
    func isNearerToTheSolutionThanDDIMInAsManySteps(_ count: Int) throws {
        let setup = setup(.ddpm, steps: 100, clip: nil)
        let ddim = try self.setup(.ddim, steps: count, clip: nil).sampler(.sequential)
        let schedule = try setup.schedule()
        let model = GaussianModel(schedule: schedule, predictionType: .epsilon, mean: 0.2, deviation: 0.3)
        var coarseError: Float = 0
        var ddimError: Float = 0
        for seed in 0..<20 as Range<UInt64> {
            let noise = gaussianNoise(count: ddim.noiseCount, seed: 100 + seed)
            let initial = Array(noise.prefix(ddim.sampleSize))
            let expected = initial.map { 0.2 + 0.3 * $0 }
            let (sample, taken) = try finish(setup, from: 0, sample: initial, steps: count, with: model)
            #expect(taken == count)
            coarseError += deviation(sample, from: expected)
            ddimError += deviation(ddim.sample(with: model, noise: noise).sample, from: expected)
        }
        #expect(coarseError < (count < 4 ? 1 : 0.5) * ddimError, "\(coarseError) and \(ddimError)")
    }

    /// Where a pass is given up, what there was after the step before it is the result.
    @Test(arguments: 1...4)
    func aPassGivenUpLeavesTheCleanSampleBeforeIt(_ passes: Int) throws {
        let setup = setup(.ddpm, steps: 100)
        let noise = gaussianNoise(count: SamplingFixture.sampleSize, seed: 48)
        let recorder = RecordingPredictor(try setup.model())
        let hasty = HastyPredictor(base: recorder, passes: passes)
        let (sample, taken) = try finish(setup, from: 0, sample: noise, steps: 5, with: hasty)
        #expect(taken == passes)
        #expect(hasty.instants.count == passes + 1)
        // There is nothing yet to take the first one's place.
        #expect(hasty.instants[0] == nil)
        #expect(hasty.instants.dropFirst().allSatisfy { $0 != nil })

        let schedule = try setup.schedule()
        let last = recorder.samples[passes - 1]
        let timesteps = recorder.batches[passes - 1]
        let level = schedule.level(at: timesteps[0])
        var outputs = [Float](repeating: 0, count: last.count)
        var span = outputs.mutableSpan
        try setup.model().predict(samples: last.span, timesteps: timesteps.span, into: &span)
        for (element, output) in outputs.enumerated() {
            let x0 = (Double(last[element]) - level.sigma * Double(output)) / level.alpha
            #expect(abs(sample[element] - Float(min(max(x0, -1), 1))) < 1e-4)
        }
    }

    /// Two passes fit, as they are known, and the first takes all the time.
    @Test func aStepThatHasNoTimeIsNotBegun() throws {
        let sampler = try setup(.ddpm, steps: 100).sampler(.sequential)
        sampler.forwardTimes = ForwardTimes(nanoseconds: [10e6])
        let recorder = RecordingPredictor(try setup(.ddpm, steps: 100).model())
        let slow = SlowPredictor(base: recorder, millisecondsPerPair: 30)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 49)
        let (sample, report) = sampler.sample(with: slow, noise: noise, deadline: .now() + .milliseconds(25))
        #expect(report.quality == .coarse(steps: 1))
        #expect(recorder.batches.count == 1)
        #expect(sample.allSatisfy { abs($0) <= 1 })
    }
}

/// Gives up every pass after the first few that may be given up.
private final class HastyPredictor<Base: NoisePredictor>: NoisePredictor {
    private let base: Base
    private let passes: Int
    private(set) var instants: [MonotonicTime?] = []

    init(base: Base, passes: Int) {
        self.base = base
        self.passes = passes
    }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        base.predict(samples: samples, timesteps: timesteps, into: &outputs)
    }

    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        instants.append(instant)
        guard instants.count <= passes else {
            for index in outputs.indices { outputs[index] = .nan }
            return false
        }
        predict(samples: samples, timesteps: timesteps, into: &outputs)
        return true
    }
}
