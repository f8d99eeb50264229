import Clocks
import Networks
import Sampling

/// Samples the chunks of several robots together: one pass of the network takes a denoising step of each, for a pass
/// over several samples takes little longer than over one.
///
/// All take the solver's steps one after the other, so a chunk is the sequential sampler's, or, if time is short, finished
/// in as many coarse steps as there is time for. One thread at a time may use it, and not while another uses its network.
public final class GroupSampler {
    /// The most chunks that are sampled together, at least 2.
    public let maximumSize: Int
    /// What a pass over so many samples takes on this machine, in nanoseconds: element i for i + 1 samples.
    public let passNanoseconds: [Double]
    /// Passes that a chunk takes if there is time enough.
    public let numInferenceSteps: Int

    private let sampler: Sampler
    private let predictor: DenoiserPredictor<UNet1D>
    /// [maximumSize, numInferenceSteps + 1, horizon, actionDim].
    private var noise: [Float]

    /// Builds a sampler around a network that others may use as well, one at a time.
    ///
    /// - Parameters:
    ///   - settings: the solver and its steps; the method is sequential whatever they say.
    ///   - network: for all timesteps that the settings visit; chunks are sampled together up to its `maximumConditions`,
    ///     which is at least 2, and its `maximumBatch`.
    init(
        configuration: PolicyConfiguration,
        settings: SamplerSettings,
        network: UNet1D
    ) throws(PolicyError) {
        maximumSize = min(network.maximumConditions, network.maximumBatch)
        precondition(maximumSize >= 2, "a network for one condition samples no chunks together")
        var settings = settings
        settings.method = .sequential
        numInferenceSteps = settings.numInferenceSteps

        sampler = try configuration.sampler(settings, maximumSamples: maximumSize)
        predictor = DenoiserPredictor(network: network)
        let middle = [Float](repeating: 0, count: configuration.architecture.conditionDim)
        for index in 0..<maximumSize { network.setCondition(middle.span, at: index) }
        let times = ForwardTimes.measure(
            of: predictor,
            timestep: sampler.timesteps[0],
            sampleCount: sampler.sampleCount,
            maximumBatch: maximumSize
        )
        sampler.forwardTimes = times
        passNanoseconds = times.nanoseconds
        noise = [Float](repeating: 0, count: maximumSize * sampler.noiseCount)
    }

    /// What a pass over one sample takes at the moment, in nanoseconds, to tell how fast the machine is. Takes 9 passes.
    public func passNanosecondsNow() -> Double {
        let meter = PassMeter(predictor, maximumBatch: 1)
        meter.measure(timestep: sampler.timesteps[0], sampleCount: sampler.sampleCount, rounds: 7)
        return meter.timings.median(batch: 1)
    }

    /// Draws a normalised sample from each noise, under the network's conditions 0, 1, ... Allocates.
    ///
    /// - Parameters:
    ///   - noises: 2 to `maximumSize`; those that are given have been checked.
    ///   - deadline: when the samples must be there; nil: it takes the time it takes.
    /// - Returns: The samples, [noises, horizon, actionDim], and how they were drawn.
    func sample(
        from noises: [SamplingRequest.Noise],
        deadline: MonotonicTime?
    ) -> (samples: [Float], report: SamplingReport) {
        precondition((2...maximumSize).contains(noises.count), "\(noises.count) of \(maximumSize) chunks")
        Self.write(noises, noiseCount: sampler.noiseCount, into: &noise)
        // The property is read once, and the span is then one of a local array: a span of a class's property would not
        // outlast the expression that reads it.
        let noise = noise
        var samples = [Float](repeating: 0, count: noises.count * sampler.sampleCount)
        var span = samples.mutableSpan
        let report = sampler.sample(
            with: predictor,
            noise: noise.span.extracting(first: noises.count * sampler.noiseCount),
            deadline: deadline,
            into: &span
        )
        return (samples, report)
    }

    /// Fills row i of `values`, [noises, noiseCount], with noise i. The memory is an argument, because a span of the object's
    /// own property could not be held over the loop.
    private static func write(
        _ noises: [SamplingRequest.Noise],
        noiseCount: Int,
        into values: inout [Float]
    ) {
        var span = values.mutableSpan
        for index in noises.indices {
            var row = span._mutatingExtracting(index * noiseCount..<(index + 1) * noiseCount)
            noises[index].fill(&row)
        }
    }
}
