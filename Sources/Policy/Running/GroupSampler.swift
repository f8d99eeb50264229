import Denoiser
import Sampling

/// Samples the chunks of several robots together: one pass of the network takes a step of every one of them, for a pass
/// over several samples takes little longer than over one.
///
/// All take the solver's steps one after the other, so a chunk is the sequential sampler's, or, where time is short, finished
/// in as many long steps as there is time for. One thread at a time may use it, and not while another uses its network.
public final class GroupSampler {
    /// The most chunks that are sampled together, at least 2.
    public let maximumSize: Int
    /// What a pass over so many samples takes on this machine, in nanoseconds: element i for i + 1 samples.
    public let passNanoseconds: [Double]
    /// Passes that a chunk takes where there is time enough.
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

    /// Draws a normalised sample for each seed, under the network's conditions 0, 1, ... Allocates.
    ///
    /// - Parameters:
    ///   - seeds: of the noise; 2 to `maximumSize`.
    ///   - deadline: when the samples must be there; nil: it takes the time it takes.
    /// - Returns: The samples, [seeds, horizon, actionDim], and how they were drawn.
    func sample(
        seeds: [UInt64],
        deadline: ContinuousClock.Instant?
    ) -> (samples: [Float], report: SamplingReport) {
        precondition((2...maximumSize).contains(seeds.count), "\(seeds.count) of \(maximumSize) chunks")
        Self.draw(seeds: seeds, noiseCount: sampler.noiseCount, into: &noise)
        let noise = noise
        var samples = [Float](repeating: 0, count: seeds.count * sampler.sampleCount)
        var span = samples.mutableSpan
        let report = sampler.sample(
            with: predictor,
            noise: noise.span.extracting(first: seeds.count * sampler.noiseCount),
            deadline: deadline,
            into: &span
        )
        return (samples, report)
    }

    /// Fills row i of `noise`, [seeds, noiseCount], with the noise of seed i.
    private static func draw(seeds: [UInt64], noiseCount: Int, into noise: inout [Float]) {
        for (index, seed) in seeds.enumerated() {
            var generator = GaussianNoise(seed: seed)
            var span = noise.mutableSpan
            var row = span._mutatingExtracting(index * noiseCount..<(index + 1) * noiseCount)
            generator.fill(&row)
        }
    }
}
