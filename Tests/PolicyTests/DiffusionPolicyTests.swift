import Sampling
import Testing

@testable import Policy

@Suite("A policy at work")
struct DiffusionPolicyTests {
    let bundle: PolicyBundle
    let golden: Golden
    let history: ObservationHistory

    init() throws {
        bundle = try PolicyBundle(directory: fixture("processors"))
        golden = try Golden(of: "processors")
        history = try golden.history(golden.cases[0], of: bundle)
    }

    private func policy(_ method: SamplerSettings.Method = .sequential) throws -> DiffusionPolicy {
        var settings = bundle.configuration.defaultSettings
        settings.method = method
        return try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
    }

    @Test func `A seed decides the chunk, and nothing before it does`() throws {
        let policy = try policy()
        let first = try policy.actionChunk(for: history, seed: 1)
        let other = try policy.actionChunk(for: history, seed: 2)
        let other2 = try policy.actionChunk(for: golden.history(golden.cases[1], of: bundle), seed: 1)
        let again = try policy.actionChunk(for: history, seed: 1)
        #expect(first.actions == again.actions)
        #expect(first.prediction == again.prediction)
        #expect(first.prediction != other.prediction)
        #expect(first.prediction != other2.prediction)
    }

    @Test func `A seed's noise is GaussianNoise of that seed`() throws {
        let policy = try policy()
        var noise = [Float](repeating: 0, count: policy.noiseCount)
        var generator = GaussianNoise(seed: 9)
        var span = noise.mutableSpan
        generator.fill(&span)
        #expect(
            try policy.actionChunk(for: history, noise: noise.span).prediction
                == policy.actionChunk(for: history, seed: 9).prediction
        )
    }

    @Test func `The actions begin at the newest observation's step`() throws {
        let chunk = try policy().actionChunk(for: history, seed: 3)
        #expect(chunk.prediction.count == 8 * 2)
        #expect(chunk.nActionSteps == 4)
        #expect(chunk.actions == Array(chunk.prediction[2..<10]))
    }

    @Test(arguments: [1, 2, 5, 50])
    func `Parallel sampling without tolerance gives the sequential chunk`(window: Int) throws {
        let sequential = try policy().actionChunk(for: history, seed: 4)
        let parallel = try policy(.paradigms(window: window, tolerance: 0)).actionChunk(for: history, seed: 4)
        #expect(try deviation(parallel.prediction, sequential.prediction) < 1e-5)
        #expect(parallel.report.window == min(window, 5))
    }

    @Test func `An empty history and wrong noise are errors`() throws {
        let policy = try policy()
        #expect(throws: ActionChunkError.emptyHistory) {
            try policy.actionChunk(for: bundle.makeHistory(), seed: 1)
        }
        let short = [Float](repeating: 0, count: 95)
        #expect(throws: ActionChunkError.noiseCount(found: 95, expected: 96)) {
            try policy.actionChunk(for: history, noise: short.span)
        }
        var wild = [Float](repeating: 0, count: 96)
        wild[7] = .infinity
        #expect(throws: ActionChunkError.notFinite(what: "noise", index: 7, value: .infinity)) {
            try policy.actionChunk(for: history, noise: wild.span)
        }
    }

    @Test func `An observation that normalises to infinity is an error, and the policy goes on`() throws {
        let policy = try policy()
        let before = try policy.actionChunk(for: history, seed: 1)
        var history = bundle.makeHistory()
        try history.append(
            Observation(values: [
                "observation.state": [100, -2.75], "observation.environment_state": [0, 3e38, 0],
            ])
        )
        let error = try #require(throws: ActionChunkError.self) {
            try policy.actionChunk(for: history, seed: 1)
        }
        #expect(error.description == "normalised observation: inf at index 3; expected finite numbers")
        #expect(try policy.actionChunk(for: self.history, seed: 1).prediction == before.prediction)
    }

    @Test func `Settings out of range are named`() throws {
        func error(_ settings: SamplerSettings, threads: Int = 1) throws -> PolicyError {
            try #require(throws: PolicyError.self) {
                try DiffusionPolicy(bundle: bundle, settings: settings, threads: threads)
            }
        }
        let steps = try error(SamplerSettings(solver: .ddim, numInferenceSteps: 21))
        #expect(steps.description.hasPrefix("sampler settings: num_inference_steps is 21"))
        let window = SamplerSettings.Method.paradigms(window: 0, tolerance: 0.1)
        #expect(
            try error(SamplerSettings(solver: .ddim, numInferenceSteps: 5, method: window)).description
                .contains("window is 0")
        )
        #expect(try error(bundle.configuration.defaultSettings, threads: 0).field == "threads")
    }

    @Test func `Every solver answers`() throws {
        for solver in Solver.allCases {
            let settings = SamplerSettings(solver: solver, numInferenceSteps: 20)
            let policy = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
            let chunk = try policy.actionChunk(for: history, seed: 1)
            // The samples are clipped to [-1, 1], which is the range of the actions seen in training.
            #expect(chunk.actions.allSatisfy { (-100...700).contains($0) }, "\(solver): \(chunk.actions)")
        }
    }
}
