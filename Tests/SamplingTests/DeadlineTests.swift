import Clocks
import Foundation
import Testing

@testable import Sampling

/// Samples that must be there in time. Where a test needs passes to be slow it says that they are, by a thousand seconds
/// each, so that no real delay can change its result.
@Suite struct DeadlineTests {
    static let methods = EveryMethodTests.methods
    static let second = 1e9

    func setup(_ solver: Solver, steps: Int = 15) -> SamplerCase {
        SamplerCase(solver: solver, numInferenceSteps: steps)
    }

    @Test(arguments: Solver.allCases, methods)
    func anInstantInThePastGivesOneCoarseStep(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = setup(solver)
        let sampler = try setup.sampler(method)
        sampler.forwardTimes = ForwardTimes(nanoseconds: [1_000, 2_000, 3_000, 4_000])
        let recorder = RecordingPredictor(try setup.model())
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 40)
        let (sample, report) = sampler.sample(with: recorder, noise: noise, deadline: .now() - .seconds(1))
        #expect(report.quality == .coarse(steps: 1))
        #expect(report.parallelIterations == 1)
        #expect(report.modelEvaluations == 1)
        // Where there is hardly any signal nothing is asked.
        #expect(recorder.batches == [[sampler.timesteps.first { $0 <= 86 } ?? -1]])
        #expect(sample.allSatisfy { $0.isFinite && abs($0) <= 1 })
    }

    @Test(arguments: Solver.allCases, methods)
    func aDistantInstantChangesNothing(_ solver: Solver, _ method: SamplerSettings.Method) throws {
        let setup = setup(solver)
        let sampler = try setup.sampler(method)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 41)
        let free = sampler.sample(with: try setup.model(), noise: noise)
        sampler.forwardTimes = ForwardTimes(nanoseconds: [1_000, 2_000, 3_000, 4_000])
        let timed = sampler.sample(
            with: try setup.model(),
            noise: noise,
            deadline: .now() + .seconds(100_000)
        )
        #expect(timed.sample == free.sample)
        #expect(timed.report == free.report)
        #expect(sampler.forwardTimes?.slowdown != 1)
    }

    /// A sample that starts over needs all of its passes again, and a coarse finish after them.
    @Test(arguments: [(50.0, false), (105, false), (150, true)])
    func startingOverTakesEveryPass(seconds: Double, isAllowed: Bool) {
        let times = ForwardTimes(nanoseconds: [Self.second, 1.5 * Self.second])
        let deadline = Deadline(due: .now() + .seconds(seconds), times: times)
        #expect(deadline.allows(passes: 100, batch: 1) == isAllowed)
        #expect(!deadline.allows(passes: 100, batch: 2))
    }

    @Test func withoutForwardTimesAnInstantIsNotKept() throws {
        let setup = setup(.ddim)
        let sampler = try setup.sampler(.sequential)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 42)
        let report = sampler.sample(
            with: try setup.model(),
            noise: noise,
            deadline: .now() - .seconds(1)
        ).report
        #expect(report.quality == .exact)
        #expect(sampler.forwardTimes == nil)
    }

    /// As many coarse steps as fit, shorter and shorter ones, over the solver's timesteps.
    @Test(arguments: methods)
    func takesTheCoarseStepsThereIsTimeFor(_ method: SamplerSettings.Method) throws {
        let setup = setup(.ddim)
        let sampler = try setup.sampler(method)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 43)
        for steps in 1...7 {
            sampler.forwardTimes = ForwardTimes(nanoseconds: [1_000 * Self.second])
            let recorder = RecordingPredictor(try setup.model())
            let time = Duration.seconds(1_000 * steps + 900)
            let (sample, report) = sampler.sample(with: recorder, noise: noise, deadline: .now() + time)
            #expect(report.quality == .coarse(steps: steps))
            #expect(report.modelEvaluations == steps)
            let indices = recorder.batches.map { sampler.timesteps.firstIndex(of: $0[0]) ?? -1 }
            #expect(indices.first == 0)
            let lengths = zip(indices, indices.dropFirst() + [15]).map { $1 - $0 }
            #expect(lengths.allSatisfy { $0 >= 1 })
            #expect(zip(lengths, lengths.dropFirst()).allSatisfy { $0 + 1 >= $1 })
            #expect(lengths.first! > lengths.last! || steps == 1)
            #expect(sample.allSatisfy { $0.isFinite })
        }
    }

    /// A pass takes 2 ms at least, so that a hundred are not done in 50.
    @Test(arguments: methods)
    func breaksOffWhenTheRestWouldNotFit(_ method: SamplerSettings.Method) throws {
        let setup = setup(.ddpm, steps: 100)
        let sampler = try setup.sampler(method)
        sampler.forwardTimes = ForwardTimes(nanoseconds: [2e6, 4e6, 6e6, 8e6])
        let slow = SlowPredictor(base: try setup.model(), millisecondsPerPair: 2)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 44)
        let (sample, report) = sampler.sample(with: slow, noise: noise, deadline: .now() + .milliseconds(50))
        guard case .coarse(let steps) = report.quality else {
            Issue.record("\(report.quality)")
            return
        }
        #expect(1...25 ~= steps)
        #expect(report.parallelIterations >= steps)
        #expect(report.modelEvaluations < 100)
        #expect(sample.allSatisfy { $0.isFinite && abs($0) <= 1.001 })
    }

    @Test func aPassIsBegunOnlyIfTheRestStillFits() {
        let times = ForwardTimes(nanoseconds: [1_000 * Self.second, 2_000 * Self.second])
        func deadline(in seconds: Int) -> Deadline {
            Deadline(due: .now() + .seconds(seconds), times: times)
        }
        // One pass of 2,000 s, then 8 of 1,000 s, with reserves of 300 and 424 s.
        #expect(deadline(in: 10_400).forbids(batch: 2, step: 0, of: 100))
        #expect(!deadline(in: 10_900).forbids(batch: 2, step: 0, of: 100))
        // Three steps are left, two after the pass, with reserves of 300 and 212 s.
        #expect(deadline(in: 4_450).forbids(batch: 2, step: 97, of: 100))
        #expect(!deadline(in: 4_600).forbids(batch: 2, step: 97, of: 100))
        // Nothing is left after the last one.
        #expect(deadline(in: 1_100).forbids(batch: 1, step: 99, of: 100))
        #expect(!deadline(in: 1_200).forbids(batch: 1, step: 99, of: 100))
        let none: Deadline? = nil
        #expect(none.forbids(batch: 2, step: 0, of: 100) == false)
    }

    @Test func coarseStepsAreOneAtLeastAndTheLimitAtMost() {
        let times = ForwardTimes(nanoseconds: [1_000 * Self.second])
        func steps(in seconds: Int, limit: Int = 100) -> Int {
            Deadline(due: .now() + .seconds(seconds), times: times).coarseSteps(limit: limit)
        }
        #expect(steps(in: -10_000) == 1)
        #expect(steps(in: 500) == 1)
        #expect(steps(in: 4_400) == 4)
        #expect(steps(in: 4_100) == 3)
        #expect(steps(in: 1_000_000_000, limit: 12) == 12)
    }

    /// A pass that was stopped for some 4,800 s is remembered, when passes have long been as ever: as much is kept back where 8
    /// steps still fit, otherwise an eighth of the time.
    @Test func timeIsKeptBackForAStallAsLongAsEnoughStepsFit() {
        var times = ForwardTimes(nanoseconds: [1_000 * Self.second])
        for seconds in [6_000.0] + [Double](repeating: 1_000, count: 60) {
            times.record(batch: 1, nanoseconds: seconds * Self.second)
        }
        #expect((4_700...4_900).contains(times.longestStall / Self.second))
        func steps(in seconds: Int) -> Int {
            Deadline(due: .now() + .seconds(seconds), times: times).coarseSteps(limit: 100)
        }
        #expect(steps(in: 20_300) == 15)
        // What has passed since tells between them.
        #expect((7...8).contains(steps(in: 12_500)))
        #expect(steps(in: 8_500) == 7)
        #expect(steps(in: 100_300) == 95)
    }
}
