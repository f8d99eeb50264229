import Clocks

/// The trained network as a sampler sees it.
///
/// Conform by implementing one of the three methods: the first one if the network has one condition and never gives up a
/// pass.
public protocol NoisePredictor {
    /// Evaluates the network on a batch of (sample, timestep) pairs under condition 0.
    ///
    /// Samplers make one call for each iteration, from the thread that called them. What the output means is the policy's
    /// `PredictionType`. For the samplers' guarantees (the same chunk from the sequential and the parallel sampler) an
    /// output must depend on its own entry alone, whatever else is in the batch.
    ///
    /// - Parameters:
    ///   - samples: Shape [batch, sampleSize], row-major.
    ///   - timesteps: Training timesteps, shape [batch].
    ///   - outputs: Shape [batch, sampleSize]; every element is written.
    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>)

    /// As above, but gives up if the result would be late. A predictor that cannot give up always finishes.
    ///
    /// - Parameters:
    ///   - samples: Shape [batch, sampleSize], row-major.
    ///   - timesteps: Training timesteps, shape [batch].
    ///   - instant: When to give up; nil: never.
    ///   - outputs: Shape [batch, sampleSize]; every element is written unless it gives up.
    /// - Returns: Whether the outputs are there; without, they are unspecified.
    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool

    /// Evaluates a batch of (sample, timestep, condition) entries, or gives up. This is what samplers call.
    ///
    /// A predictor that does not implement it has condition 0 alone.
    ///
    /// - Parameters:
    ///   - samples: Shape [batch, sampleSize], row-major.
    ///   - timesteps: Training timesteps, shape [batch].
    ///   - conditions: Indices of the conditions that the predictor has been given, shape [batch].
    ///   - instant: When to give up; nil: never.
    ///   - outputs: Shape [batch, sampleSize]; every element is written unless it gives up.
    /// - Returns: Whether the outputs are there; without, they are unspecified.
    @_lifetime(outputs: copy outputs)
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        conditions: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool
}

extension NoisePredictor {
    /// Never gives up.
    @_lifetime(outputs: copy outputs)
    public func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        predict(samples: samples, timesteps: timesteps, into: &outputs)
        return true
    }

    /// Requires condition 0 in every entry.
    @_lifetime(outputs: copy outputs)
    public func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        conditions: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        for row in conditions.indices {
            precondition(conditions[row] == 0, "the predictor has no condition \(conditions[row])")
        }
        return predict(samples: samples, timesteps: timesteps, until: instant, into: &outputs)
    }
}
