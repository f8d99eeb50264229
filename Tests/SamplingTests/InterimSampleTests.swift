import Clocks
import Foundation
import Synchronization
import Testing

@testable import Sampling

@Suite(.timeLimit(.minutes(10))) struct InterimSampleTests {
    let setup = SamplerCase(solver: .ddim)

    @Test func theLastOfferIsClaimedOnce() {
        let interim = InterimSample(sampleSize: 2)
        let samples: [[Float]] = [[1, 2], [3, 4], [5, 6]]
        #expect(interim.claim() == nil)
        interim.offer(samples[0], coarseSteps: 1)
        #expect(interim.claim() == nil, "it is not open")

        interim.open(from: 5)
        #expect(interim.claim() == nil, "there is nothing yet")
        interim.offer(samples[0], of: 4, coarseSteps: 1)
        #expect(interim.claim() == nil && !interim.hasSample, "it is too early to be worth anything")
        for (index, sample) in samples.enumerated() { interim.offer(sample, coarseSteps: index + 1) }
        let claimed = interim.claim()
        #expect(claimed?.samples == [5, 6])
        #expect(
            claimed?.reports
                == [
                    SamplingReport(
                        parallelIterations: 6,
                        modelEvaluations: 23,
                        method: .quasiNewton(window: 8, tolerance: 0.01),
                        window: 8,
                        residual: 0.002,
                        quality: .coarse(steps: 3)
                    )
                ]
        )
        #expect(interim.claim() == nil)
        interim.offer(samples[0], coarseSteps: 4)
        #expect(interim.claim() == nil, "it has been claimed")

        interim.open(from: 5)
        interim.offer(samples[1], coarseSteps: 1)
        interim.close()
        #expect(interim.claim() == nil, "the result is there")
    }

    /// A sampler that cannot reach the result within its time offers each coarse step's clean sample but the last one's.
    @Test(arguments: EveryMethodTests.methods)
    func aCoarseFinishOffersWhatItHas(_ method: SamplerSettings.Method) throws {
        let sampler = try setup.sampler(method)
        // Five passes' time, of a thousand seconds each.
        sampler.forwardTimes = ForwardTimes(nanoseconds: [1e12])
        let claims = ClaimingPredictor(model: try setup.model(), interim: sampler.interim, claimAt: 4)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 47)
        let known: [Float] = [0.5, -0.5]
        let (sample, report) = sampler.sample(
            with: claims,
            noise: noise,
            known: known,
            deadline: .now() + .seconds(5_900)
        )
        #expect(report.quality == .coarse(steps: 5))
        let (claimed, claimedReports) = try #require(claims.claimed)
        let claimedReport = try #require(claimedReports.first)
        #expect(claimedReports.count == 1)
        #expect(claimedReport.quality == .coarse(steps: 4))
        #expect(claimedReport.modelEvaluations == report.modelEvaluations - 1)
        #expect(claimed.allSatisfy { $0.isFinite && abs($0) <= 1 })
        #expect(Array(claimed[..<2]) == known)
        #expect(zip(claimed, sample).allSatisfy { abs($0 - $1) < 0.2 }, "\(claimed), \(sample)")
        #expect(sampler.interim.claim() == nil)
    }

    /// Each pass may be given up once one before it has predicted anything. Then the result is what that predicted.
    @Test(arguments: EveryMethodTests.methods, 1...4)
    func whereAPassIsGivenUpTheOneBeforeItCounts(_ method: SamplerSettings.Method, passes: Int) throws {
        let sampler = try setup.sampler(method)
        sampler.forwardTimes = ForwardTimes(nanoseconds: [1])
        let givesUp = GivingUpPredictor(model: try setup.model(), after: passes)
        let noise = gaussianNoise(count: sampler.noiseCount, seed: 48)
        let known: [Float] = [0.5, -0.5]
        let due = MonotonicTime.now() + .seconds(1_000)
        let (sample, report) = sampler.sample(with: givesUp, noise: noise, known: known, deadline: due)

        let begun = givesUp.begun
        let done = begun.filter(\.isDone)
        let untilDue = begun.drop { $0.instant == nil }
        #expect(begun.count - untilDue.count == 1 && untilDue.allSatisfy { $0.instant == due })
        #expect(done.count == passes)
        #expect(report.quality == .coarse(steps: 1))
        #expect(report.parallelIterations == done.count)
        #expect(report.modelEvaluations == done.reduce(0) { $0 + $1.batch })
        #expect(sample.allSatisfy { $0.isFinite && abs($0) <= 1 })
        #expect(Array(sample[..<2]) == known)
        #expect(sampler.interim.claim() == nil, "the result is there")
    }

    /// Two threads at it as fast as they can: what is claimed is one sample, whole, and with its own report.
    @Test func `claims are whole, whatever is offered`() {
        let interim = InterimSample(sampleSize: 64)
        let claims = Atomic<Int>(0)
        let deadline = MonotonicTime.now() + .seconds(40)
        let thread = Thread {
            var last: Float = 0
            while claims.load(ordering: .relaxed) < 1000, MonotonicTime.now() < deadline {
                guard let (sample, reports) = interim.claim() else { continue }
                let value = sample[0]
                #expect(sample.allSatisfy { $0 == value })
                #expect(reports[0].quality == .coarse(steps: Int(value)))
                #expect(value != last, "none is claimed twice")
                last = value
                claims.add(1, ordering: .relaxed)
            }
        }
        thread.start()
        var sample = [Float](repeating: 0, count: 64)
        var offers = 0
        while claims.load(ordering: .relaxed) < 1000, MonotonicTime.now() < deadline {
            interim.open(from: 5)
            for _ in 0..<5 {
                offers += 1
                // Every whole number up to there is a Float.
                let value = Float(1 + offers % (1 << 24))
                for element in sample.indices { sample[element] = value }
                interim.offer(sample, coarseSteps: Int(value))
            }
            interim.close()
        }
        #expect(claims.load(ordering: .relaxed) == 1000, "claims within 40 s")
    }
}

/// Claims what is offered while a pass is being computed.
private final class ClaimingPredictor<Model: NoisePredictor & Copyable>: NoisePredictor {
    private let model: Model
    private let interim: InterimSample
    private let claimAt: Int
    private let passes = Mutex(0)
    private let claim = Mutex<(samples: [Float], reports: [SamplingReport])?>(nil)

    init(model: Model, interim: InterimSample, claimAt: Int) {
        self.model = model
        self.interim = interim
        self.claimAt = claimAt
    }

    var claimed: (samples: [Float], reports: [SamplingReport])? { claim.withLock { $0 } }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        model.predict(samples: samples, timesteps: timesteps, into: &outputs)
        let pass = passes.withLock { passes in
            defer { passes += 1 }
            return passes
        }
        if pass == claimAt { claim.withLock { $0 = interim.claim() } }
    }
}

/// Gives up all passes but the first few, as far as it may.
private final class GivingUpPredictor<Model: NoisePredictor & Copyable>: NoisePredictor {
    struct Pass {
        let batch: Int
        let instant: MonotonicTime?
        let isDone: Bool
    }

    private let model: Model
    private let passes: Int
    private let log = Mutex<[Pass]>([])

    init(model: Model, after passes: Int) {
        self.model = model
        self.passes = passes
    }

    /// The passes that were asked for.
    var begun: [Pass] { log.withLock { $0 } }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        _ = predict(samples: samples, timesteps: timesteps, until: nil, into: &outputs)
    }

    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        let isDone = log.withLock { log in
            let isDone = log.count < passes || instant == nil
            log.append(Pass(batch: timesteps.count, instant: instant, isDone: isDone))
            return isDone
        }
        guard isDone else {
            for element in 0..<samples.count { outputs[element] = .nan }
            return false
        }
        model.predict(samples: samples, timesteps: timesteps, into: &outputs)
        return true
    }
}

extension InterimSample {
    fileprivate func offer(_ x0: [Float], of step: Int = 9, coarseSteps: Int) {
        offer(
            x0.span,
            of: step,
            frozen: [FrozenElements(sampleSize: x0.count)],
            as: [
                SamplingReport(
                    parallelIterations: 3 + coarseSteps,
                    modelEvaluations: 20 + coarseSteps,
                    method: .quasiNewton(window: 8, tolerance: 0.01),
                    window: 8,
                    residual: 0.002,
                    quality: .coarse(steps: coarseSteps)
                )
            ],
            samples: 1
        )
    }
}
