import Benchmark
import Sampling

/// A chunk's worth of sampling with a network that costs next to nothing: what the samplers themselves take.
func addSamplerBenchmarks() {
    let cases: [(name: String, settings: SamplerSettings)] = [
        ("ddpm 100", SamplerSettings(solver: .ddpm, numInferenceSteps: 100)),
        ("ddim 10", SamplerSettings(solver: .ddim, numInferenceSteps: 10)),
        ("dpmsolver++ 10", SamplerSettings(solver: .dpmSolverPlusPlus, numInferenceSteps: 10)),
        (
            "ddpm 100 paradigms 20",
            SamplerSettings(
                solver: .ddpm,
                numInferenceSteps: 100,
                method: .paradigms(window: 20, tolerance: 0.1)
            )
        ),
        (
            "ddim 10 paradigms 10",
            SamplerSettings(
                solver: .ddim,
                numInferenceSteps: 10,
                method: .paradigms(window: 10, tolerance: 0.1)
            )
        ),
    ]
    for (name, settings) in cases {
        Benchmark("sample \(name)") { _, run in
            run()
        } setup: {
            try SamplingRun(settings)
        }
    }
    addQuasiNewtonBenchmarks()
    Benchmark("noise ddpm 100") { _, run in
        run.fillNoise()
    } setup: {
        try SamplingRun(cases[0].settings)
    }
}

/// The optimal predictor of the noise for data that is normal, independently in each number, with mean 0 and standard
/// deviation 0.5: with variance v, E[noise | x] = sqrt(1 - alphaBar) x / (alphaBar v + 1 - alphaBar).
struct GaussianPredictor: NoisePredictor {
    private let factors: [Float]
    private let sampleSize: Int

    init(schedule: NoiseSchedule, sampleSize: Int) {
        self.sampleSize = sampleSize
        self.factors = schedule.alphasCumprod.map { alphaBar in
            (1 - alphaBar).squareRoot() / (alphaBar * 0.25 + 1 - alphaBar)
        }
    }

    @_lifetime(outputs: copy outputs)
    func predict(samples: Span<Float>, timesteps: Span<Int>, into outputs: inout MutableSpan<Float>) {
        for row in timesteps.indices {
            let factor = factors[timesteps[row]]
            for index in row * sampleSize..<(row + 1) * sampleSize {
                outputs[index] = factor * samples[index]
            }
        }
    }
}

private final class SamplingRun {
    private let sampler: Sampler
    private let predictor: GaussianPredictor
    private var noise: [Float]
    private var sample: [Float]

    init(_ settings: SamplerSettings) throws {
        let schedule = try NoiseSchedule(numTrainTimesteps: 100, betaSchedule: .squaredcosCapV2)
        // Horizon 16, 2 numbers an action.
        let sampleSize = 32
        sampler = try Sampler(
            schedule: schedule,
            predictionType: .epsilon,
            clipSampleRange: 1,
            settings: settings,
            sampleSize: sampleSize
        )
        predictor = GaussianPredictor(schedule: schedule, sampleSize: sampleSize)
        noise = [Float](repeating: 0, count: sampler.noiseCount)
        sample = [Float](repeating: 0, count: sampleSize)
        fillNoise()
    }

    func fillNoise() { Self.fill(&noise) }

    func callAsFunction() { draw(into: &sample) }

    private static func fill(_ noise: inout [Float]) {
        var generator = GaussianNoise(seed: 7)
        var span = noise.mutableSpan
        generator.fill(&span)
    }

    private func draw(into sample: inout [Float]) {
        let noise = noise
        var span = sample.mutableSpan
        blackHole(sampler.sample(with: predictor, noise: noise.span, into: &span))
    }
}
