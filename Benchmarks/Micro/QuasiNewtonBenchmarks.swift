import Benchmark
import Sampling

/// What quasi-Newton sampling itself takes for a chunk: calibrated, with a network that costs next to nothing.
///
/// On Gaussian data the linearisation is exact, so a sample takes about as few passes as there are windows in it. One calibrated
/// by gains alone has bridges if it has 24 steps or more; the matrices of a sampler of fewer steps cost the most.
func addQuasiNewtonBenchmarks() {
    let cases: [(name: String, solver: Solver, steps: Int, window: Int, usesMatrices: Bool)] = [
        ("ddpm 100 window 08", .ddpm, 100, 8, false),
        ("ddpm 100 window 20", .ddpm, 100, 20, false),
        ("ddim 15 window 08", .ddim, 15, 8, false),
        ("ddim 15 window 08 matrices", .ddim, 15, 8, true),
        ("dpmsolver++ 15 window 15 matrices", .dpmSolverPlusPlus, 15, 15, true),
    ]
    for (name, solver, steps, window, usesMatrices) in cases {
        for tolerance: Float in [0.01, 0] {
            let settings = SamplerSettings(
                solver: solver,
                numInferenceSteps: steps,
                method: .quasiNewton(window: window, tolerance: tolerance)
            )
            Benchmark("sample quasi-newton \(name) tolerance \(tolerance)") { _, run in
                run()
            } setup: {
                try QuasiNewtonRun(settings, usesMatrices: usesMatrices)
            }
        }
    }
}

private final class QuasiNewtonRun {
    private let sampler: Sampler
    private let predictor: GaussianPredictor
    private let noise: [Float]
    private var sample: [Float]

    init(_ settings: SamplerSettings, usesMatrices: Bool) throws {
        let schedule = try NoiseSchedule(numTrainTimesteps: 100, betaSchedule: .squaredcosCapV2)
        let horizon = 16
        let sampleSize = horizon * 2
        sampler = try Sampler(
            schedule: schedule,
            predictionType: .epsilon,
            clipSampleRange: 1,
            settings: settings,
            sampleSize: sampleSize
        )
        predictor = GaussianPredictor(schedule: schedule, sampleSize: sampleSize)
        sampler.calibrate(with: predictor, horizon: usesMatrices ? horizon : nil)
        var noise = [Float](repeating: 0, count: sampler.noiseCount)
        var generator = GaussianNoise(seed: 7)
        var span = noise.mutableSpan
        generator.fill(&span)
        self.noise = noise
        sample = [Float](repeating: 0, count: sampleSize)
    }

    func callAsFunction() { draw(into: &sample) }

    private func draw(into sample: inout [Float]) {
        let noise = noise
        var span = sample.mutableSpan
        blackHole(sampler.sample(with: predictor, noise: noise.span, into: &span))
    }
}
