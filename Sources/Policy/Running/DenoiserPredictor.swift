import Clocks
import Networks
import Sampling

/// A denoiser as the samplers see it.
package struct DenoiserPredictor<Network: Denoiser>: NoisePredictor {
    package let network: Network
    /// Condition 0 for each entry of a batch, [maximumBatch].
    private let conditions: [Int]

    package init(network: Network) {
        self.network = network
        self.conditions = [Int](repeating: 0, count: network.maximumBatch)
    }

    @_lifetime(outputs: copy outputs)
    package func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        _ = predict(samples: samples, timesteps: timesteps, until: nil, into: &outputs)
    }

    @_lifetime(outputs: copy outputs)
    package func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        let batch = timesteps.count
        precondition(batch <= conditions.count, "batch \(batch) is outside 1...\(conditions.count)")
        return network.predict(
            samples: samples,
            timesteps: timesteps,
            conditions: conditions.span.extracting(first: batch),
            until: instant,
            into: &outputs
        )
    }

    @_lifetime(outputs: copy outputs)
    package func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        conditions: Span<Int>,
        until instant: MonotonicTime?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        network.predict(
            samples: samples,
            timesteps: timesteps,
            conditions: conditions,
            until: instant,
            into: &outputs
        )
    }
}
