import Clocks
import Testing

@testable import Sampling

/// What every method has from its context.
@Suite struct SamplingContextTests {
    private let steps = HandSteps.steps(4)
    private let blankReport = SamplingReport(
        parallelIterations: 0,
        modelEvaluations: 0,
        method: .paradigms(window: 3, tolerance: 0.5),
        window: 3,
        residual: 0,
        quality: .converged
    )

    private func context(
        _ predictor: ScriptedPredictor,
        samples: Int = 1,
        frozen: FrozenElements = FrozenElements(sampleSize: 2),
        interim: InterimSample = InterimSample(sampleSize: 2),
        largestBatch: Int = .max,
        deadline: Deadline? = nil
    ) -> SamplingContext<ScriptedPredictor> {
        let progress = SamplingProgress(maximumSamples: samples, stepCount: steps.count)
        progress.start(samples: samples, as: blankReport)
        return SamplingContext(
            predictor: predictor,
            steps: steps,
            frozen: (1..<samples).map { _ in FrozenElements(sampleSize: 2) } + [frozen],
            interim: interim,
            progress: progress,
            largestBatch: largestBatch,
            deadline: deadline
        )
    }

    /// Rows 2 and 0 of three samples of two elements, at steps 3 and 1, the latter under condition 1.
    private var batch: Batch {
        var batch = Batch(steps: steps, sampleSize: 2, capacity: 3)
        let rows: [Float] = [1, 2, 3, 4, 5, 6]
        batch.append(rows, row: 2, step: 3)
        batch.append(rows, row: 0, step: 1, condition: 1)
        return batch
    }

    @Test func aBatchHasTheEntriesThatWereAdded() {
        var batch = batch
        #expect(batch.count == 2)
        #expect(batch.samples[..<4] == [5, 6, 1, 2])
        #expect(batch.steps[..<2] == [3, 1])
        #expect(batch.timesteps[..<2] == [10, 30])
        #expect(batch.conditions[..<2] == [0, 1])
        let rows: [Float] = [7, 8, 9, 10, 11, 12]
        batch.replace(by: rows.span, step: 2)
        #expect(batch.count == 3)
        #expect(batch.samples == rows)
        #expect(batch.timesteps == [20, 20, 20])
        #expect(batch.conditions == [0, 1, 2])
    }

    @Test func aPassGetsTheBatchAndIsCounted() {
        let predictor = ScriptedPredictor()
        var context = context(predictor, samples: 2)
        var batch = batch
        let isDone = context.evaluate(&batch)
        #expect(isDone)
        #expect(predictor.passes.map(\.timesteps) == [[10, 30]])
        #expect(predictor.passes.map(\.conditions) == [[0, 1]])
        #expect(batch.outputs[..<4] == [50, 60, 10, 20])
        let report = context.progress.reports[1]
        #expect(report.parallelIterations == 1 && report.modelEvaluations == 1)
        #expect(report.window == 3 && report.tolerance == 0.5 && report.residual == 0)
        #expect(report.quality == .converged)
    }

    /// Of five entries two are the first sample's and three the third one's.
    @Test func passesAreCountedForEachSample() {
        var context = context(ScriptedPredictor(), samples: 3)
        var batch = Batch(steps: steps, sampleSize: 2, capacity: 5)
        let rows: [Float] = [1, 2]
        for (step, condition) in [(0, 0), (1, 0), (1, 2), (2, 2), (3, 2)] {
            batch.append(rows, row: 0, step: step, condition: condition)
        }
        _ = context.evaluate(&batch)
        _ = context.evaluate(&batch)
        let reports = context.progress.reports
        #expect(reports.map(\.parallelIterations) == [2, 0, 2])
        #expect(reports.map(\.modelEvaluations) == [4, 0, 6])
    }

    /// A sample that is finished keeps its quality, whatever becomes of the others.
    @Test func aSampleIsCoarseUnlessItIsFinished() {
        let interim = InterimSample(sampleSize: 2, maximumSamples: 2)
        interim.open(from: 0)
        let context = context(ScriptedPredictor(), samples: 2, interim: interim)
        context.progress.settle(1, steps: 4)
        let least = context.progress.leastSettledSteps
        #expect(least == 0)
        let x0: [Float] = [1, 2, 3, 4]
        context.offer(x0.span, of: 3, coarseSteps: 2)
        let claimed = interim.claim()
        #expect(claimed?.reports.map(\.quality) == [.coarse(steps: 2), .converged])
        var samples: [Float] = [0, 0, 7, 8]
        var span = samples.mutableSpan
        interim.copyLatest(into: &span, progress: context.progress)
        #expect(samples == [1, 2, 7, 8])
    }

    /// A batch that is too large for the predictor is cut into passes of the same size, which all count as one.
    @Test(arguments: [(5, [5]), (4, [2, 3]), (2, [1, 2, 2]), (1, [1, 1, 1, 1, 1])])
    func aLargeBatchIsCut(largestBatch: Int, sizes: [Int]) {
        let predictor = ScriptedPredictor()
        var context = context(predictor, largestBatch: largestBatch)
        var batch = Batch(steps: steps, sampleSize: 2, capacity: 5)
        let rows: [Float] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
        for row in 0..<5 { batch.append(rows, row: row, step: row % 4) }
        let isDone = context.evaluate(&batch)
        #expect(isDone)
        #expect(predictor.passes.map(\.timesteps.count) == sizes)
        #expect(predictor.passes.flatMap(\.timesteps) == [40, 30, 20, 10, 40])
        #expect(batch.outputs == rows.map { 10 * $0 })
        let report = context.progress.reports[0]
        #expect(report.parallelIterations == 1 && report.modelEvaluations == 5)
    }

    /// The output is x_0 itself in these steps.
    @Test func outputsOfFrozenElementsImplyTheirValues() {
        var frozen = FrozenElements(sampleSize: 2)
        let known: [Float] = [0.5]
        frozen.set(known.span, from: 1)
        var context = context(ScriptedPredictor(), samples: 2, frozen: frozen)
        var batch = batch
        _ = context.evaluate(&batch)
        // Of the second of the two samples.
        #expect(batch.outputs[..<4] == [50, 60, 10, 0.5])
    }

    /// A pass is given up only if there is a result to fall back on, and is not counted.
    @Test func aPassIsGivenUpOnlyWithAFallback() {
        let interim = InterimSample(sampleSize: 2)
        let predictor = ScriptedPredictor(givesUp: true)
        let due = MonotonicTime.now() + .seconds(1_000)
        let deadline = Deadline(due: due, times: ForwardTimes(nanoseconds: [1e9, 1e9]))
        var context = context(predictor, interim: interim, deadline: deadline)
        var batch = Batch(steps: steps, sampleSize: 2, capacity: 1)
        let rows: [Float] = [5, 6]
        batch.append(rows, row: 0, step: 3)
        var done = [context.evaluate(&batch)]
        done.append(context.evaluate(&batch, hasFallback: true))
        interim.open(from: 2)
        let x0: [Float] = [1, 2]
        context.offer(x0.span, of: 1)
        done.append(context.evaluate(&batch))
        context.offer(x0.span, of: 2)
        done.append(context.evaluate(&batch))
        // The first offer is too early to be worth anything.
        #expect(done == [true, false, true, false])
        #expect(predictor.passes.map(\.instant) == [nil, due, nil, due])
        let report = context.progress.reports[0]
        #expect(report.parallelIterations == 2 && report.quality == .coarse(steps: 1))
        let claimed = interim.claim()
        #expect(claimed?.samples == [1, 2])
        #expect(claimed?.reports == [report])
    }

    /// A pass that was given up earlier than it would have ended says nothing of its time.
    @Test func theDeadlineLearnsFromPasses() {
        let due = MonotonicTime.now() + .seconds(10_000_000)
        let times = ForwardTimes(nanoseconds: [1e12, 1e12])
        var context = context(
            ScriptedPredictor(givesUp: true),
            samples: 2,
            deadline: Deadline(due: due, times: times)
        )
        var batch = batch
        var done = [context.evaluate(&batch, hasFallback: true)]
        let unchanged = context.deadline?.times
        #expect(unchanged == times)
        done.append(context.evaluate(&batch))
        #expect(done == [false, true])
        let slowdown = context.deadline?.times.slowdown ?? 1
        #expect(slowdown < 1)
    }

    @Test func aPassMayBeginIfACoarseFinishFitsAfterIt() {
        let times = ForwardTimes(nanoseconds: [1e12, 1e12])
        func permits(seconds: Int?) -> Bool {
            let deadline = seconds.map { Deadline(due: .now() + .seconds($0), times: times) }
            return context(ScriptedPredictor(), deadline: deadline).permits(batch: 2, after: 0)
        }
        #expect(permits(seconds: nil))
        #expect(!permits(seconds: -1))
        // A pass and three coarse steps of 1,000 s, with reserves.
        #expect(!permits(seconds: 4_000))
        #expect(permits(seconds: 10_000))
    }
}

/// Gives ten times the samples, or gives up if it may.
private final class ScriptedPredictor: NoisePredictor {
    struct Pass {
        let timesteps: [Int]
        let conditions: [Int]
        let instant: MonotonicTime?
    }

    private(set) var passes: [Pass] = []
    private let givesUp: Bool

    init(givesUp: Bool = false) {
        self.givesUp = givesUp
    }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        for index in samples.indices { outputs[index] = 10 * samples[index] }
    }

    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        conditions: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        passes.append(
            Pass(
                timesteps: timesteps.indices.map { timesteps[$0] },
                conditions: conditions.indices.map { conditions[$0] },
                instant: instant
            )
        )
        guard instant == nil || !givesUp else { return false }
        predict(samples: samples, timesteps: timesteps, into: &outputs)
        return true
    }
}
