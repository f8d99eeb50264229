/// The trained network as a sampler sees it.
public protocol NoisePredictor {
    /// Evaluates the network on a batch of (sample, timestep) pairs.
    ///
    /// Samplers call this once per iteration from the thread that called them. What the output means is the policy's
    /// `PredictionType`. For the samplers' guarantees (the same chunk from the sequential and the parallel sampler) an
    /// output must depend on its own pair alone, whatever else is in the batch.
    ///
    /// - Parameters:
    ///   - samples: Shape [batch, sampleCount], row-major.
    ///   - timesteps: Training timesteps, shape [batch].
    ///   - outputs: Shape [batch, sampleCount]; every element is written.
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>)

    /// As above, but gives up when the result would be late. A predictor that cannot give up always finishes.
    ///
    /// - Parameter instant: when to give up; nil: never.
    /// - Returns: Whether the outputs are there; without, they are unspecified.
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        until instant: ContinuousClock.Instant?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool
}

extension NoisePredictor {
    /// Never gives up.
    public func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        until instant: ContinuousClock.Instant?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        predict(samples: samples, timesteps: timesteps, into: &outputs)
        return true
    }

    /// Evaluates the samples in `rows` of a trajectory, [timesteps.count + 1, sampleCount], into the first rows of
    /// `buffer`; the outputs of frozen elements are those that imply their known values. The deadline learns how long it
    /// took.
    ///
    /// - Parameter instant: when to give up; nil: never.
    /// - Returns: Whether the outputs are there.
    func predict(
        trajectory: [Float],
        timesteps: [Int],
        rows: Range<Int>,
        of steps: [SolverStep],
        frozen: borrowing FrozenElements,
        until instant: ContinuousClock.Instant?,
        deadline: inout Deadline?,
        into buffer: inout [Float]
    ) -> Bool {
        let begun = deadline.passBegins()
        let sampleCount = trajectory.count / (timesteps.count + 1)
        let elements = rows.lowerBound * sampleCount..<rows.upperBound * sampleCount
        var span = buffer.mutableSpan
        var outputs = span._mutatingExtracting(first: elements.count)
        let isDone = predict(
            samples: trajectory.span.extracting(elements),
            timesteps: timesteps.span.extracting(rows),
            until: instant,
            into: &outputs
        )
        guard isDone else {
            deadline.passGivenUp(batch: rows.count, begun: begun)
            return false
        }
        frozen.replace(in: &buffer, at: trajectory, rows: rows, of: steps)
        deadline.passEnded(batch: rows.count, begun: begun)
        return true
    }

    /// Evaluates the first `count` samples of a batch, [timesteps.count, sampleCount], into the first rows of `buffer`. The
    /// deadline learns how long it took.
    ///
    /// - Parameter instant: when to give up; nil: never.
    /// - Returns: Whether the outputs are there.
    func predict(
        batch: [Float],
        timesteps: [Int],
        count: Int,
        until instant: ContinuousClock.Instant?,
        deadline: inout Deadline?,
        into buffer: inout [Float]
    ) -> Bool {
        let begun = deadline.passBegins()
        let elements = 0..<count * (batch.count / timesteps.count)
        var span = buffer.mutableSpan
        var outputs = span._mutatingExtracting(first: elements.count)
        let isDone = predict(
            samples: batch.span.extracting(elements),
            timesteps: timesteps.span.extracting(0..<count),
            until: instant,
            into: &outputs
        )
        if isDone {
            deadline.passEnded(batch: count, begun: begun)
        } else {
            deadline.passGivenUp(batch: count, begun: begun)
        }
        return isDone
    }

    /// Evaluates one sample, with the timestep at `index`, into `buffer`; frozen elements as above. The deadline learns how
    /// long it took.
    ///
    /// - Parameter instant: when to give up; nil: never.
    /// - Returns: Whether the output is there.
    @discardableResult
    func predict(
        sample: Span<Float>,
        timesteps: [Int],
        index: Int,
        of steps: [SolverStep],
        frozen: borrowing FrozenElements,
        until instant: ContinuousClock.Instant? = nil,
        deadline: inout Deadline?,
        into buffer: inout [Float]
    ) -> Bool {
        let begun = deadline.passBegins()
        var output = buffer.mutableSpan
        let isDone = predict(
            samples: sample,
            timesteps: timesteps.span.extracting(index...index),
            until: instant,
            into: &output
        )
        guard isDone else {
            deadline.passGivenUp(batch: 1, begun: begun)
            return false
        }
        frozen.replace(in: &buffer, at: sample, of: steps[index])
        deadline.passEnded(batch: 1, begun: begun)
        return true
    }
}
