import Sampling

/// The chunk that a `DiffusionPolicy` is sampling, as far as it has come, for another thread to take when its time is up.
public struct InterimPrediction: Sendable {
    let sample: InterimSample
    let normalizer: Normalizer
    let form: ChunkForm

    /// Takes the chunk, once at most; the policy samples on. For any thread.
    ///
    /// - Returns: nil if there is none yet, none any more, if it is one of several that are sampled together, or if it is not
    ///   finite. Durations are 0: they are the policy's.
    public func claim() -> ActionChunk? {
        guard let (samples, reports) = sample.claim(), reports.count == 1 else { return nil }
        var prediction = samples
        var span = prediction.mutableSpan
        do throws(ActionChunkError) {
            try normalizer.unnormalize(&span)
        } catch {
            return nil
        }
        return form.chunk(
            of: prediction,
            ChunkSampling(
                report: reports[0],
                visionDuration: nil,
                conditionDuration: .zero,
                samplingDuration: .zero,
                place: 0
            ),
            passes: []
        )
    }
}

/// Which rows of a prediction a chunk's actions are.
struct ChunkForm: Sendable {
    let nObsSteps: Int
    let nActionSteps: Int
    let actionDim: Int
    let solver: Solver
    let numInferenceSteps: Int

    /// - Parameter prediction: [horizon, actionDim].
    func chunk(of prediction: [Float], _ sampling: ChunkSampling, passes: [NetworkPass]) -> ActionChunk {
        let first = (nObsSteps - 1) * actionDim
        return ActionChunk(
            actions: Array(prediction[first..<first + nActionSteps * actionDim]),
            prediction: prediction,
            actionDim: actionDim,
            settings: SamplerSettings(
                solver: solver,
                numInferenceSteps: numInferenceSteps,
                method: sampling.report.method
            ),
            report: sampling.report,
            passes: passes,
            visionDuration: sampling.visionDuration,
            conditionDuration: sampling.conditionDuration,
            samplingDuration: sampling.samplingDuration
        )
    }
}
