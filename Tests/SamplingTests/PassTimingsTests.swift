import Clocks
import Testing

@testable import Sampling

@Suite struct PassTimingsTests {
    @Test func theShortestPassesCount() {
        var timings = PassTimings(maximumBatch: 2)
        // Three in four are held up.
        for pass in 0..<40 {
            timings.add(batch: 1, nanoseconds: pass.isMultiple(of: 4) ? 100 : 1_000 + Double(pass))
            timings.add(batch: 2, nanoseconds: pass.isMultiple(of: 4) ? 150 : 2_000)
        }
        #expect(timings.undisturbed == [100, 150])
        #expect(timings.median(batch: 2) == 2_000)
    }

    @Test func oneLuckyPassInManyDoesNotCount() {
        var timings = PassTimings(maximumBatch: 1)
        for pass in 0..<40 { timings.add(batch: 1, nanoseconds: pass == 7 ? 1 : 100) }
        #expect(timings.undisturbed == [100])
    }

    @Test func sizesWithFewPassesLieOnTheLineBetweenOthers() {
        var timings = PassTimings(maximumBatch: 9)
        timings.add(batch: 1, nanoseconds: 100)
        for _ in 0..<7 { timings.add(batch: 3, nanoseconds: 900) }
        for _ in 0..<8 { timings.add(batch: 5, nanoseconds: 300) }
        timings.add(batch: 9, nanoseconds: 700)
        #expect(timings.undisturbed == [100, 150, 200, 250, 300, 400, 500, 600, 700])
    }

    @Test func aMeterTimesAndCountsPasses() {
        let clock = SteppingClock()
        let meter = PassMeter(ClockedModel(clock: clock), maximumBatch: 4, now: { clock.now })
        for batch in [1, 1, 1, 4] {
            var outputs = [Float](repeating: 0, count: 2 * batch)
            var span = outputs.mutableSpan
            meter.predict(
                samples: [Float](repeating: 3, count: 2 * batch).span,
                timesteps: [Int](repeating: 0, count: batch).span,
                into: &span
            )
            #expect(outputs.allSatisfy { $0 == 3 })
        }
        #expect(meter.takePasses() == [3, 0, 0, 1])
        #expect(meter.takePasses() == [0, 0, 0, 0])
        #expect(meter.timings.undisturbed == [1_010, 1_020, 1_030, 1_040])
    }

    @Test func aMeasurementCountsNoPassesAndLeavesColdOnesOut() {
        let clock = SteppingClock()
        let model = ClockedModel(clock: clock)
        model.coldPasses = 2 * 4
        let meter = PassMeter(model, maximumBatch: 4, now: { clock.now })
        meter.measure(timestep: 0, sampleSize: 2, rounds: 3)
        #expect(meter.takePasses() == [0, 0, 0, 0])
        #expect(meter.timings.undisturbed == [1_010, 1_020, 1_030, 1_040])
        #expect(meter.timings.median(batch: 4) == 1_040)
    }
}

/// A time that passes only as it is told.
private final class SteppingClock {
    private(set) var now = MonotonicTime.now()

    func advance(nanoseconds: Int) { now += .nanoseconds(nanoseconds) }
}

/// Outputs its samples, in 1,000 nanoseconds and 10 for each sample; the first passes take ten times as long.
private final class ClockedModel: NoisePredictor {
    var coldPasses = 0
    private let clock: SteppingClock

    init(clock: SteppingClock) { self.clock = clock }

    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        for index in samples.indices { outputs[index] = samples[index] }
        clock.advance(nanoseconds: (1_000 + 10 * timesteps.count) * (coldPasses > 0 ? 10 : 1))
        coldPasses -= 1
    }
}
