import Testing

@testable import Sampling

/// Matrices over the horizon: found where x_0 follows its sample through one, and worth passes.
@Suite struct MatrixFitTests {
    static let horizon = 6
    static let actionDim = 3

    static let cases = Solver.allCases.flatMap { solver in
        PredictionType.allCases.map { predictionType in
            SamplerCase(solver: solver, predictionType: predictionType, clipSampleRange: nil)
        }
    }

    private func model(_ setup: SamplerCase) throws -> MatrixModel {
        MatrixModel(
            schedule: try setup.schedule(),
            predictionType: setup.predictionType,
            horizon: Self.horizon,
            actionDim: Self.actionDim
        )
    }

    private func sampler(
        _ setup: SamplerCase,
        _ method: SamplerSettings.Method,
        linearization: OutputLinearization? = nil
    ) throws -> Sampler {
        try setup.sampler(
            method,
            sampleSize: Self.horizon * Self.actionDim,
            linearization: linearization
        )
    }

    @Test(arguments: cases)
    func `a calibration finds the model's matrix`(_ setup: SamplerCase) throws {
        let model = try model(setup)
        let sampler = try sampler(setup, .quasiNewton(window: 4, tolerance: 0))
        let found = sampler.calibrate(with: model, samples: 3, horizon: Self.horizon)
        #expect(found.horizon == Self.horizon)
        #expect(found.matrices.count == 15 * Self.horizon * Self.horizon)
        var checked = 0
        for (index, value) in found.matrices.enumerated() {
            let (step, cell) = index.quotientAndRemainder(dividingBy: Self.horizon * Self.horizon)
            let expected = model.matrix(row: cell / Self.horizon, column: cell % Self.horizon)
            // Where alpha is 5e-5, what epsilon says of x_0 is rounded coarsely.
            guard sampler.timesteps[step] < 95 else { continue }
            #expect(abs(Double(value) - expected) < 0.005, "step \(step), cell \(cell)")
            checked += 1
        }
        #expect(checked >= 13 * Self.horizon * Self.horizon, "all but the noisiest steps")
        // They leave nothing for the errors, whose least is 0.02; the gains do.
        let gains = sampler.calibrate(with: model, samples: 3)
        #expect(gains.matrices.isEmpty)
        for step in 3..<15 where sampler.timesteps[step] < 90 {
            #expect(found.errors[step] < 0.03, "step \(step)")
            #expect(gains.errors[step] > 5 * found.errors[step], "step \(step)")
        }
    }

    /// A horizon of more cosines than a sample is displaced along.
    @Test func samplesShareTheCosines() throws {
        let setup = SamplerCase(
            solver: .ddim,
            numInferenceSteps: 5,
            predictionType: .sample,
            clipSampleRange: nil
        )
        let model = MatrixModel(
            schedule: try setup.schedule(),
            predictionType: .sample,
            horizon: 20,
            actionDim: 2
        )
        let sampler = try setup.sampler(.quasiNewton(window: 4, tolerance: 0), sampleSize: 40)
        let found = sampler.calibrate(with: model, samples: 5, horizon: 20)
        for (index, value) in found.matrices.enumerated() {
            let expected = model.matrix(row: index / 20 % 20, column: index % 20)
            #expect(abs(Double(value) - expected) < 0.001, "cell \(index)")
        }
    }

    /// Known exactly, the network says all it has to say in the first pass over the window; a second confirms nothing.
    @Test(arguments: cases)
    func savesPasses(_ setup: SamplerCase) throws {
        let model = try model(setup)
        let calibrated = try sampler(setup, .quasiNewton(window: 15, tolerance: 0))
        let method = SamplerSettings.Method.quasiNewton(window: 15, tolerance: 0.01)
        let withMatrices = try sampler(
            setup,
            method,
            linearization: calibrated.calibrate(with: model, samples: 3, horizon: Self.horizon)
        )
        let withGains = try sampler(
            setup,
            method,
            linearization: calibrated.calibrate(with: model, samples: 3)
        )
        let sequential = try sampler(setup, .sequential)
        for seed: UInt64 in 40..<44 {
            let noise = gaussianNoise(count: sequential.noiseCount, seed: seed)
            let expected = sequential.sample(with: model, noise: noise).sample
            let (sample, report) = withMatrices.sample(with: model, noise: noise)
            #expect(largestDifference(sample, expected) < 0.01, "seed \(seed)")
            #expect(report.residual <= 0.01)
            let gainReport = withGains.sample(with: model, noise: noise).report
            #expect(report.parallelIterations <= 3, "seed \(seed)")
            #expect(
                report.parallelIterations < gainReport.parallelIterations,
                "seed \(seed): \(gainReport.parallelIterations) with gains"
            )
        }
    }

    /// Every sample can have a condition of its own.
    @Test func samplesAreAnnounced() throws {
        let setup = Self.cases[0]
        var announced: [Int] = []
        try sampler(setup, .quasiNewton(window: 4, tolerance: 0)).calibrate(
            with: try model(setup),
            samples: 3,
            horizon: Self.horizon
        ) { announced.append($0) }
        #expect(announced == [0, 1, 2])
    }

    /// Where steps may be left out, gains do.
    @Test(arguments: [(1, true), (15, true), (23, true), (24, false), (100, false)])
    func stepsAreFewWhereNoneIsLeftOut(steps: Int, few: Bool) throws {
        let setup = SamplerCase(solver: .ddim, numInferenceSteps: steps, clipSampleRange: nil)
        #expect(try sampler(setup, .sequential).hasFewSteps == few)
    }
}
