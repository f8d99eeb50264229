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

    /// For 2, 3, ... chunks.
    private let samplers: [Sampler]
    private let predictor: GroupPredictor<UNet1D>
    private let sampleCount: Int
    private var noise: GroupNoise

    /// Builds samplers around a network that others may use as well, one at a time.
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
        let count = configuration.architecture.sampleCount
        var settings = settings
        settings.method = .sequential
        numInferenceSteps = settings.numInferenceSteps

        var samplers: [Sampler] = []
        for size in 2...maximumSize {
            samplers.append(try configuration.sampler(settings, samples: size))
        }
        predictor = GroupPredictor(network: network, maximumSize: maximumSize)
        let middle = [Float](repeating: 0, count: configuration.architecture.conditionDim)
        for index in 0..<maximumSize { network.setCondition(middle.span, at: index) }
        let times = ForwardTimes.measure(
            of: predictor,
            timestep: samplers[0].timesteps[0],
            sampleCount: count,
            maximumBatch: maximumSize
        )
        for (index, sampler) in samplers.enumerated() {
            sampler.forwardTimes = ForwardTimes(nanoseconds: [times.typical(batch: index + 2)])
        }
        passNanoseconds = times.nanoseconds
        self.samplers = samplers
        sampleCount = count
        noise = GroupNoise(
            maximumSize: maximumSize,
            rows: numInferenceSteps + 1,
            sampleCount: count
        )
    }

    /// What a pass over one sample takes at the moment, in nanoseconds, to tell how fast the machine is. Takes 9 passes.
    public func passNanosecondsNow() -> Double {
        let meter = PassMeter(predictor, maximumBatch: 1)
        meter.measure(timestep: samplers[0].timesteps[0], sampleCount: sampleCount, rounds: 7)
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
        let sampler = samplers[seeds.count - 2]
        noise.draw(seeds: seeds, rows: numInferenceSteps + 1, sampleCount: sampleCount)
        let noise = noise.values
        var samples = [Float](repeating: 0, count: sampler.sampleCount)
        var span = samples.mutableSpan
        let report = sampler.sample(
            with: predictor,
            noise: noise.span.extracting(first: sampler.noiseCount),
            deadline: deadline,
            into: &span
        )
        return (samples, report)
    }
}

/// Several samples as one batch: entry i under condition i, all at the same timestep.
private final class GroupPredictor<Network: Denoiser>: NoisePredictor {
    private let network: Network
    /// [maximumSize]: i for entry i.
    private let conditions: [Int]
    /// [maximumSize], filled in for each pass.
    private var entryTimesteps: [Int]

    init(network: Network, maximumSize: Int) {
        self.network = network
        conditions = Array(0..<maximumSize)
        entryTimesteps = [Int](repeating: 0, count: maximumSize)
    }

    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        _ = predict(samples: samples, timesteps: timesteps, until: nil, into: &outputs)
    }

    /// - Parameter timesteps: the samplers give one for all samples, which are one long sample to them; `PassMeter` gives
    ///   the same one for each sample.
    func predict(
        samples: Span<Float>,
        timesteps: Span<Int>,
        until instant: ContinuousClock.Instant?,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        let batch = samples.count / network.sampleCount
        for index in 0..<batch { entryTimesteps[index] = timesteps[0] }
        let (conditions, entryTimesteps) = (conditions, entryTimesteps)
        return network.predict(
            samples: samples,
            timesteps: entryTimesteps.span.extracting(first: batch),
            conditions: conditions.span.extracting(first: batch),
            until: instant,
            into: &outputs
        )
    }
}

/// The noise of a group of chunks.
private struct GroupNoise {
    /// [numInferenceSteps + 1, group, horizon, actionDim]: a row is the noise of one step, for every chunk.
    private(set) var values: [Float]
    /// [numInferenceSteps + 1, horizon, actionDim]
    private var ofOne: [Float]

    init(maximumSize: Int, rows: Int, sampleCount: Int) {
        values = [Float](repeating: 0, count: rows * maximumSize * sampleCount)
        ofOne = [Float](repeating: 0, count: rows * sampleCount)
    }

    mutating func draw(seeds: [UInt64], rows: Int, sampleCount: Int) {
        for (index, seed) in seeds.enumerated() {
            var generator = GaussianNoise(seed: seed)
            var span = ofOne.mutableSpan
            generator.fill(&span)
            for row in 0..<rows {
                for element in 0..<sampleCount {
                    values[(row * seeds.count + index) * sampleCount + element] =
                        ofOne[row * sampleCount + element]
                }
            }
        }
    }
}
