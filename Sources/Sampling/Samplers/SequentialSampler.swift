/// The solver's steps one after the other: N passes, each over one entry for each sample.
struct SequentialSampler: SamplingAlgorithm {
    let window = 1

    private let steps: [SolverStep]
    private let sampleSize: Int
    private var batch: Batch
    /// The clean samples that the step before predicted, [samples, sampleSize].
    private var previousX0: [Float]

    /// - Parameter maximumSamples: the most samples that are drawn together.
    init(steps: [SolverStep], sampleSize: Int, maximumSamples: Int = 1) {
        self.steps = steps
        self.sampleSize = sampleSize
        batch = Batch(steps: steps, sampleSize: sampleSize, capacity: maximumSamples)
        previousX0 = Array(repeating: 0, count: maximumSamples * sampleSize)
    }

    @_lifetime(sample: copy sample)
    mutating func sample(
        in context: inout SamplingContext<some NoisePredictor>,
        noise: Span<Float>,
        guess: Span<Float>,
        into sample: inout MutableSpan<Float>
    ) {
        start(from: noise, sample: &sample)
        for index in steps.indices {
            guard context.permits(batch: context.samples, after: index) else { return }
            batch.replace(by: sample.span, step: index)
            guard context.evaluate(&batch) else { return }
            advance(index, noise: noise, sample: &sample)
            for row in 0..<context.samples { context.progress.settle(row, steps: index + 1) }
            context.offer(previousX0.span.extracting(first: sample.count), of: index)
        }
    }

    @_lifetime(sample: copy sample)
    private mutating func start(from noise: Span<Float>, sample: inout MutableSpan<Float>) {
        for row in 0..<sample.count / sampleSize {
            for element in 0..<sampleSize {
                sample[row * sampleSize + element] = noise[row * noiseCount + element]
                previousX0[row * sampleSize + element] = 0
            }
        }
    }

    /// Takes step `index` of every sample with the outputs of the batch.
    @_lifetime(sample: copy sample)
    private mutating func advance(_ index: Int, noise: Span<Float>, sample: inout MutableSpan<Float>) {
        let step = steps[index]
        for row in 0..<batch.count {
            let first = row * sampleSize
            let firstNoise = row * noiseCount + (index + 1) * sampleSize
            for element in 0..<sampleSize {
                let cell = first + element
                let output = batch.outputs[cell]
                let x0 = step.predictedX0(sample: sample[cell], modelOutput: output)
                sample[cell] = step.advance(
                    sample: sample[cell],
                    modelOutput: output,
                    x0: x0,
                    previousX0: previousX0[cell],
                    noise: noise[firstNoise + element]
                )
                previousX0[cell] = x0
            }
        }
    }

    /// Elements of one sample's noise.
    private var noiseCount: Int { (steps.count + 1) * sampleSize }
}
