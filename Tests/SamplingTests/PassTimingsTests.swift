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
        #expect(meter.takePasses() == [1, 1, 1, 4])
        #expect(meter.takePasses() == [])
        #expect(meter.totalNanoseconds == 3 * 1_010 + 1_040)
        #expect(meter.timings.undisturbed == [1_010, 1_020, 1_030, 1_040])
    }

    @Test func aMeasurementCountsNoPassesAndLeavesColdOnesOut() {
        let clock = SteppingClock()
        let model = ClockedModel(clock: clock)
        model.coldPasses = 2 * 4
        let meter = PassMeter(model, maximumBatch: 4, now: { clock.now })
        meter.measure(timestep: 0, sampleSize: 2, rounds: 3)
        #expect(meter.takePasses() == [])
        #expect(meter.timings.undisturbed == [1_010, 1_020, 1_030, 1_040])
        #expect(meter.timings.median(batch: 4) == 1_040)
    }

    /// Time for two rounds of all sizes, of some, or of the ends alone; and a pass of each end in any case.
    @Test(arguments: [(1e9, 17), (20e3, 7), (6e3, 2), (0, 2)])
    func aMeasurementEndsInTime(limit: (nanoseconds: Double, sizes: Int)) {
        let clock = SteppingClock()
        let meter = PassMeter(ClockedModel(clock: clock), maximumBatch: 80, now: { clock.now })
        meter.measure(timestep: 0, sampleSize: 2, rounds: 1_000) { single in
            #expect(single == 1_010)
            return limit.nanoseconds * 10
        }
        // A round more than the limit at most, and the first pass.
        let round = 80 * 1_010.0
        #expect(meter.totalNanoseconds <= limit.nanoseconds * 10 + 3 * round)
        #expect(meter.timings.undisturbed.first == 1_010)
        #expect(meter.timings.undisturbed.last == 1_800)
    }

    @Test func aPassThatIsGivenUpBeginsAgainAndOneThatIsNotRunIsZeros() {
        let clock = SteppingClock()
        let model = ClockedModel(clock: clock)
        model.givenUp = 2
        let turns = CountingTurns(most: 4)
        let meter = PassMeter(model, maximumBatch: 4, turns: turns, now: { clock.now })
        func outputs() -> [Float] {
            var outputs: [Float] = [7, 7]
            var span = outputs.mutableSpan
            meter.predict(samples: ([3, 3] as [Float]).span, timesteps: [0].span, into: &span)
            return outputs
        }
        #expect(outputs() == [3, 3])
        #expect(turns.begun == 3 && turns.ends == [false, false, true])
        #expect(meter.totalNanoseconds == 3 * 1_010)
        #expect(outputs() == [3, 3])
        #expect(outputs() == [0, 0], "there were as many passes as were to be run")
        #expect(meter.takePasses() == [1, 1])
    }
}

/// Lets so many passes begin.
private final class CountingTurns: PassTurns {
    private(set) var begun = 0
    private(set) var ends: [Bool] = []
    private let most: Int

    init(most: Int) { self.most = most }

    func passBegins(batch: Int) -> Bool {
        guard begun < most else { return false }
        begun += 1
        return true
    }

    func passEnds(batch: Int, nanoseconds: Double, isDone: Bool) { ends.append(isDone) }
}

/// A time that passes only as it is told.
private final class SteppingClock {
    private(set) var now = MonotonicTime.now()

    func advance(nanoseconds: Int) { now += .nanoseconds(nanoseconds) }
}

/// Outputs its samples, in 1,000 nanoseconds and 10 for each sample; the first passes take ten times as long.
private final class ClockedModel: NoisePredictor {
    var coldPasses = 0
    /// How many passes are given up first.
    var givenUp = 0
    private let clock: SteppingClock

    init(clock: SteppingClock) { self.clock = clock }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        for index in samples.indices { outputs[index] = samples[index] }
        clock.advance(nanoseconds: (1_000 + 10 * timesteps.count) * (coldPasses > 0 ? 10 : 1))
        coldPasses -= 1
    }

    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        predict(samples: samples, timesteps: timesteps, into: &outputs)
        givenUp -= 1
        return givenUp < 0
    }
}
