import Clocks

/// A pass of the network as it was seen from outside: what it was given, and the result that its outputs imply.
public struct WatchedPass: Sendable {
    /// The solver's steps that were evaluated, in the batch's order.
    public let steps: [Int]
    /// The sample that each of them started from, [steps, sampleSize].
    public let samples: [[Float]]
    /// The clean sample that each predicted, [steps, sampleSize].
    public let cleanSamples: [[Float]]
}

/// A predictor that keeps what it is asked and what it answers. Allocates.
final class WatchedPredictor<Base: NoisePredictor>: NoisePredictor {
    /// A call.
    struct Call {
        let timesteps: [Int]
        let samples: [Float]
        let outputs: [Float]
    }

    private(set) var calls: [Call] = []
    private let base: Base

    init(_ base: borrowing Base) { self.base = copy base }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        base.predict(samples: samples, timesteps: timesteps, into: &outputs)
        calls.append(
            Call(
                timesteps: timesteps.indices.map { timesteps[$0] },
                samples: samples.indices.map { samples[$0] },
                outputs: outputs.indices.map { outputs[$0] }
            )
        )
    }
}

extension Sampler {
    /// Draws one sample as ``sample(with:noise:guess:frozen:deadline:into:)`` does, and tells of each pass what the network was given
    /// and what it predicted: for showing how a sample settles. Allocates.
    ///
    /// - Parameters:
    ///   - predictor: the network.
    ///   - noise: [numInferenceSteps + 1, sampleSize].
    ///   - guess: of the result, [sampleSize], or nothing.
    ///   - sample: [sampleSize]; receives the sample.
    /// - Returns: How it was computed, and its passes in their order.
    @_lifetime(sample: copy sample)
    public func sampleWatching(
        _ predictor: borrowing some NoisePredictor,
        noise: Span<Float>,
        guess: Span<Float> = Span(),
        into sample: inout MutableSpan<Float>
    ) -> (report: SamplingReport, passes: [WatchedPass]) {
        let watched = WatchedPredictor(predictor)
        let report = self.sample(with: watched, noise: noise, guess: guess, into: &sample)
        // A solver may visit a timestep twice: steps are then those that follow the last one evaluated.
        return (report, watched.calls.map(watchedPass))
    }

    private func watchedPass(_ call: WatchedPredictor<some NoisePredictor>.Call) -> WatchedPass {
        var found: [Int] = []
        for timestep in call.timesteps {
            let next = (found.last ?? -1) + 1
            let step = timesteps[next...].firstIndex(of: timestep) ?? timesteps.firstIndex(of: timestep)
            guard let step else { preconditionFailure("timestep \(timestep) is none of the solver's") }
            found.append(step)
        }
        func row(_ values: [Float], _ index: Int) -> [Float] {
            Array(values[index * sampleSize..<(index + 1) * sampleSize])
        }
        return WatchedPass(
            steps: found,
            samples: found.indices.map { row(call.samples, $0) },
            cleanSamples: found.enumerated().map { index, step in
                zip(row(call.samples, index), row(call.outputs, index)).map {
                    steps[step].predictedX0(sample: $0, modelOutput: $1)
                }
            }
        )
    }
}
