/// A sequential sample with everything on its way.
struct ReferenceTrajectory {
    private let steps: [SolverStep]
    private let noise: [Float]
    let sampleSize: Int
    /// [N + 1, sampleSize].
    private(set) var trajectory: [Float] = []
    /// What each step predicted, clipped; [N, sampleSize].
    private(set) var x0: [Float] = []
    /// What the network gave; [N, sampleSize].
    private(set) var outputs: [Float] = []

    init(steps: [SolverStep], predictor: borrowing some NoisePredictor, noise: [Float], sampleSize: Int) {
        self.steps = steps
        self.noise = noise
        self.sampleSize = sampleSize
        trajectory = Array(noise[0..<sampleSize])
        for row in steps.indices {
            let outputs = evaluate(
                Array(trajectory.suffix(sampleSize)),
                rows: row..<row + 1,
                predictor: predictor
            )
            self.outputs += outputs
            advance(row, outputs: outputs)
        }
    }

    private mutating func advance(_ row: Int, outputs: [Float]) {
        for element in 0..<sampleSize {
            let sample = trajectory[row * sampleSize + element]
            let predicted = steps[row].predictedX0(sample: sample, modelOutput: outputs[element])
            x0.append(predicted)
            trajectory.append(
                steps[row].advance(
                    sample: sample,
                    modelOutput: outputs[element],
                    x0: predicted,
                    previousX0: row > 0 ? x0[(row - 1) * sampleSize + element] : 0,
                    noise: noise[(row + 1) * sampleSize + element]
                )
            )
        }
    }

    /// The network's outputs at `samples`, [rows.count, sampleSize].
    func evaluate(
        _ samples: [Float],
        rows: Range<Int>,
        predictor: borrowing some NoisePredictor
    ) -> [Float] {
        var outputs = [Float](repeating: 0, count: samples.count)
        let timesteps = rows.map { steps[$0].timestep }
        var span = outputs.mutableSpan
        predictor.predict(samples: samples.span, timesteps: timesteps.span, into: &span)
        return outputs
    }

    /// How far the x_0 of a step with two neighbours lies off the middle between theirs, in the largest element.
    func distanceFromNeighbours(_ row: Int) -> Float {
        (row * sampleSize..<(row + 1) * sampleSize).reduce(0) { (largest: Float, cell: Int) -> Float in
            max(largest, abs(x0[cell] - (x0[cell - sampleSize] + x0[cell + sampleSize]) / 2))
        }
    }

    /// The clipped x_0 that the network predicts at `samples`, [rows.count, sampleSize].
    func predictX0(
        at samples: [Float],
        rows: Range<Int>,
        predictor: borrowing some NoisePredictor
    ) -> [Float] {
        let outputs = evaluate(samples, rows: rows, predictor: predictor)
        return outputs.indices.map { index in
            steps[rows.lowerBound + index / sampleSize].predictedX0(
                sample: samples[index],
                modelOutput: outputs[index]
            )
        }
    }

    /// Guesses of the samples of `rows`: the first is exact, and each step uses the x_0 from before the first, or 0;
    /// [rows.count, sampleSize].
    func guesses(_ rows: Range<Int>) -> [Float] {
        let first = rows.lowerBound * sampleSize
        let held =
            first > 0 ? Array(x0[first - sampleSize..<first]) : [Float](repeating: 0, count: sampleSize)
        var samples = Array(trajectory[first..<first + sampleSize])
        for row in rows.dropLast() {
            for element in 0..<sampleSize {
                let sample = samples[(row - rows.lowerBound) * sampleSize + element]
                samples.append(
                    steps[row].advance(
                        sample: sample,
                        modelOutput: steps[row].modelOutput(sample: sample, x0: held[element]),
                        x0: held[element],
                        previousX0: held[element],
                        noise: noise[(row + 1) * sampleSize + element]
                    )
                )
            }
        }
        return samples
    }
}
