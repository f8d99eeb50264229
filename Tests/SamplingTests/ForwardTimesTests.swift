import Foundation
import Testing

@testable import Sampling

@Suite struct ForwardTimesTests {
    @Test(arguments: [1, 2, 3, 7, 8, 20, 32, 33])
    func betweenMeasuredSizesTimesLieOnALine(_ maximumBatch: Int) {
        let times = ForwardTimes.measure(
            of: ConstantModel(value: 0),
            timestep: 3,
            sampleSize: 4,
            maximumBatch: maximumBatch
        ).nanoseconds
        #expect(times.count == maximumBatch)
        #expect(times.allSatisfy { $0 >= 0 && $0.isFinite })
        let measured =
            [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32].filter { $0 < maximumBatch } + [maximumBatch]
        for (smaller, larger) in zip(measured, measured.dropFirst()) {
            for batch in smaller...larger {
                let part = Double(batch - smaller) / Double(larger - smaller)
                let expected = times[smaller - 1] + part * (times[larger - 1] - times[smaller - 1])
                #expect(abs(times[batch - 1] - expected) <= 1e-9 * expected, "batch \(batch)")
            }
        }
    }

    @Test func measuresWithBatchesThatThePredictorTakes() {
        let recorder = RecordingPredictor(ConstantModel(value: 0))
        _ = ForwardTimes.measure(of: recorder, timestep: 7, sampleSize: 3, maximumBatch: 5)
        #expect(Set(recorder.batches.map(\.count)) == [1, 2, 3, 4, 5])
        #expect(recorder.batches.allSatisfy { $0.allSatisfy { $0 == 7 } })
        #expect(zip(recorder.batches, recorder.samples).allSatisfy { $1.count == 3 * $0.count })
    }

    @Test func aBatchBeyondTheLastTakesInProportion() {
        let times = ForwardTimes(nanoseconds: [10, 30])
        #expect(times.typical(batch: 1) == 10)
        #expect(times.typical(batch: 2) == 30)
        #expect(times.typical(batch: 9) == 135)
    }

    @Test func anEstimateGrowsWithThePassesButItsReserveLess() {
        let times = ForwardTimes(nanoseconds: [1_000, 3_000])
        let one = times.estimate(batch: 1)
        let nine = times.estimate(batch: 1, count: 9)
        #expect(one > 1_000)
        #expect(nine > 9_000)
        #expect(abs((nine - 9_000) - 3 * (one - 1_000)) < 1e-6)
        #expect(abs(times.estimate(batch: 2) - 3 * one) < 1e-6)
    }

    /// Ten passes are enough to count on a machine that has become three times slower; a few dozen, to trust it again.
    @Test func estimatesFollowASlowSpellAndComeBack() {
        var times = ForwardTimes(nanoseconds: [1_000, 2_000, 3_000, 4_000])
        for _ in 0..<50 { times.record(batch: 2, nanoseconds: 2_000) }
        let before = times.estimate(batch: 1)
        #expect(abs(before - 1_000) < 10)
        for _ in 0..<10 { times.record(batch: 4, nanoseconds: 12_000) }
        #expect(times.estimate(batch: 1) >= 3_000)
        #expect((2...3).contains(times.slowdown))
        for _ in 0..<60 { times.record(batch: 1, nanoseconds: 1_000) }
        #expect(abs(times.estimate(batch: 1) - before) < 30)
    }

    /// What passes vary by is held in reserve.
    @Test func estimatesOfUnsteadyPassesAreSeldomExceeded() {
        var times = ForwardTimes(nanoseconds: [1_000])
        var exceeded = 0
        for pass in 0..<400 {
            let elapsed: Double = pass % 2 == 1 ? 1_600 : 1_000
            if pass >= 100, elapsed > times.estimate(batch: 1) { exceeded += 1 }
            times.record(batch: 1, nanoseconds: elapsed)
        }
        #expect(exceeded == 0)
        #expect(abs(times.slowdown - 1.3) < 0.1)
    }

    /// How slow the machine was at one time says nothing about another.
    @Test func onlyTheMeasurementIsWritten() throws {
        var times = ForwardTimes(nanoseconds: [1_000, 2_500])
        times.record(batch: 1, nanoseconds: 9_000)
        let read = try JSONDecoder().decode(ForwardTimes.self, from: JSONEncoder().encode(times))
        #expect(read == ForwardTimes(nanoseconds: [1_000, 2_500]))
    }
}
