/// How far the samples that are drawn together have come, and how each was drawn.
///
/// A class, so that one piece of memory, made for the most samples of a sampler, serves all that have a part in a sample.
final class SamplingProgress {
    /// How each sample was drawn so far; [maximumSamples].
    var reports: [SamplingReport]
    /// How many of the solver's steps are final in each sample; [maximumSamples].
    private(set) var settledSteps: [Int]

    /// The number of samples that are drawn together.
    private(set) var samples = 1
    private let stepCount: Int
    /// The passes that each sample had a part in, [maximumSamples, mostPasses]: as many as its report counts.
    private var passes: [NetworkPass]
    /// More than any method takes: quasi-Newton sampling at most 2 N, and a coarse finish at most N.
    private let mostPasses: Int
    private var blankReport = SamplingReport.nothing

    init(maximumSamples: Int, stepCount: Int) {
        reports = Array(repeating: .nothing, count: maximumSamples)
        settledSteps = Array(repeating: 0, count: maximumSamples)
        self.stepCount = stepCount
        mostPasses = 3 * stepCount
        passes = Array(
            repeating: NetworkPass(steps: 0..<0, evaluations: 0, duration: .zero),
            count: maximumSamples * mostPasses
        )
    }

    /// Nothing has been done yet.
    ///
    /// - Parameter report: window, tolerance and quality of a sample that is finished in time.
    func start(samples: Int, as report: SamplingReport) {
        self.samples = samples
        blankReport = report
        for sample in 0..<samples {
            reports[sample] = report
            settledSteps[sample] = 0
        }
    }

    /// Whether a sample is done.
    func isFinished(_ sample: Int) -> Bool { settledSteps[sample] == stepCount }

    /// The settled steps of the sample that has come least far.
    var leastSettledSteps: Int {
        var least = stepCount
        for sample in 0..<samples { least = min(least, settledSteps[sample]) }
        return least
    }

    /// Counts a pass, or several that a large batch was cut into. The entries of a sample follow one another.
    ///
    /// - Parameter duration: what the pass, or all of those, took.
    func count(_ batch: borrowing Batch, duration: Duration) {
        var first = 0
        while first < batch.count {
            let sample = batch.conditions[first]
            var steps = batch.steps[first]..<batch.steps[first] + 1
            var end = first + 1
            while end < batch.count && batch.conditions[end] == sample {
                let step = batch.steps[end]
                steps = min(steps.lowerBound, step)..<max(steps.upperBound, step + 1)
                end += 1
            }
            note(NetworkPass(steps: steps, evaluations: end - first, duration: duration), of: sample)
            first = end
        }
    }

    private func note(_ pass: NetworkPass, of sample: Int) {
        let index = reports[sample].parallelIterations
        if index < mostPasses { passes[sample * mostPasses + index] = pass }
        reports[sample].parallelIterations += 1
        reports[sample].modelEvaluations += pass.evaluations
    }

    /// The passes that a sample's result comes from, the first of them first. Allocates.
    func passes(of sample: Int) -> [NetworkPass] {
        let first = sample * mostPasses
        return passes[first..<first + min(reports[sample].parallelIterations, mostPasses)].map { $0 }
    }

    /// Notes how many steps of a sample are final. With all of them it is finished, in time.
    func settle(_ sample: Int, steps: Int) {
        settledSteps[sample] = steps
        if steps == stepCount { reports[sample].quality = blankReport.quality }
    }

    /// Notes that a sample, if it is not finished, would now be one of so many coarse steps.
    func markCoarse(_ sample: Int, steps: Int) {
        if !isFinished(sample) { reports[sample].quality = .coarse(steps: steps) }
    }
}
