import Clocks
import Compute
import PolicyFixtures
import Robotics
import Testing
import Tuning

@testable import Policy
@testable import Sampling

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

    /// A request for the history.
    private func request(
        _ seed: UInt64,
        deadline: MonotonicTime? = nil,
        frozen: FrozenActions? = nil,
        guess: SamplingRequest.Guess? = nil
    ) -> SamplingRequest {
        SamplingRequest(
            history: history,
            noise: .seed(seed),
            deadline: deadline,
            frozen: frozen,
            guess: guess
        )
    }

    @Test func `A seed decides the chunk, and nothing before it does`() throws {
        let policy = try policy()
        let first = try policy.sample(request(1))
        let other = try policy.sample(request(2))
        let otherHistory = try golden.history(golden.cases[1], of: bundle)
        let other2 = try policy.sample(SamplingRequest(history: otherHistory, noise: .seed(1)))
        let again = try policy.sample(request(1))
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
            try policy.sample(SamplingRequest(history: history, noise: .given(noise))).prediction
                == policy.sample(request(9)).prediction
        )
    }

    @Test(arguments: [SamplerSettings.Method.sequential, .quasiNewton(window: 3, tolerance: 0.01)])
    func `Frozen actions come back, and the next chunk knows nothing of them`(
        method: SamplerSettings.Method
    ) throws {
        let policy = try policy(method)
        let free = try policy.sample(request(4))
        let other = try policy.sample(request(5)).prediction
        let known = FrozenActions(Array(other[2..<6]), firstRow: 1)
        let frozen = try policy.sample(request(4, frozen: known))
        #expect(try deviation(Array(frozen.prediction[2..<6]), known.actions) < 1e-5)
        #expect(Array(frozen.prediction[6...]) != Array(free.prediction[6...]))
        #expect(try policy.sample(request(4)).prediction == free.prediction)

        // Not even where the chunk failed.
        let empty = policy.makeHistory()
        #expect(throws: ActionChunkError.emptyHistory) {
            try policy.sample(SamplingRequest(history: empty, noise: .seed(4), frozen: known))
        }
        #expect(try policy.sample(request(4)).prediction == free.prediction)
    }

    @Test(arguments: [(3, 1), (2, 8), (2, -1), (18, 0)])
    func `Frozen actions that are no rows of the prediction are refused`(count: Int, firstRow: Int) throws {
        let frozen = FrozenActions([Float](repeating: 0, count: count), firstRow: firstRow)
        #expect(
            throws: ActionChunkError.frozenCount(found: count, firstRow: firstRow, rows: 8, actionDim: 2)
        ) {
            try policy().sample(request(4, frozen: frozen))
        }
    }

    @Test func `Frozen actions are finite`() throws {
        let frozen = FrozenActions([0, .infinity], firstRow: 1)
        #expect(throws: ActionChunkError.notFinite(what: "frozen action", index: 1, value: .infinity)) {
            try policy().sample(request(4, frozen: frozen))
        }
    }

    @Test func `The actions begin at the newest observation's step`() throws {
        let chunk = try policy().sample(request(3))
        #expect(chunk.prediction.count == 8 * 2)
        #expect(chunk.nActionSteps == 4)
        #expect(chunk.actions == Array(chunk.prediction[2..<10]))
    }

    @Test(arguments: [1, 2, 5, 50])
    func `Parallel sampling without tolerance gives the sequential chunk`(window: Int) throws {
        let sequential = try policy().sample(request(4))
        let parallel = try policy(.paradigms(window: window, tolerance: 0)).sample(request(4))
        #expect(try deviation(parallel.prediction, sequential.prediction) < 1e-5)
        #expect(parallel.report.window == min(window, 5))
    }

    @Test(arguments: [1, 2, 5, 50])
    func `Quasi-Newton sampling without tolerance gives the sequential chunk`(window: Int) throws {
        let sequential = try policy().sample(request(4))
        let parallel = try policy(.quasiNewton(window: window, tolerance: 0))
        let chunk = try parallel.sample(request(4))
        #expect(try deviation(chunk.prediction, sequential.prediction) < 1e-5)
        #expect(chunk.report.window == min(window, 5))
        #expect(chunk.report.quality == .exact)
        #expect(chunk.report.parallelIterations <= 5)
        #expect(parallel.deviation(of: chunk.prediction, from: sequential.prediction) < 1e-5)
    }

    @Test func `A chunk is within its tolerance of the sequential one`() throws {
        let tolerance: Float = 0.01
        let settings = SamplerSettings(solver: .ddpm, numInferenceSteps: 20)
        var parallel = settings
        parallel.method = .quasiNewton(window: 8, tolerance: tolerance)
        let reference = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
        let policy = try DiffusionPolicy(bundle: bundle, settings: parallel, threads: 1)
        for seed: UInt64 in 0..<20 {
            let expected = try reference.sample(request(seed))
            let chunk = try policy.sample(request(seed))
            #expect(policy.deviation(of: chunk.prediction, from: expected.prediction) <= 4 * tolerance)
            #expect(chunk.report.residual <= tolerance)
            #expect(chunk.report.quality == .converged)
            #expect(chunk.report.parallelIterations < 20)
        }
    }

    @Test func `A chunk that is explained is the chunk, and its last passes predict it`() throws {
        var settings = SamplerSettings(solver: .ddim, numInferenceSteps: 20)
        for method in [SamplerSettings.Method.sequential, .quasiNewton(window: 8, tolerance: 0.01)] {
            settings.method = method
            let policy = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
            let expected = try policy.sample(request(5))
            let explained = try policy.explain(request(5))
            #expect(explained.chunk.prediction == expected.prediction)
            #expect(explained.chunk.actions == expected.actions)
            #expect(explained.chunk.report == expected.report)
            #expect(explained.passes.count == expected.passes.count)
            #expect(explained.passes.map(\.steps.count) == expected.passes.map(\.evaluations))
            #expect(explained.timesteps.count == 20)
            let last = try #require(explained.passes.last?.predictions.last)
            #expect(policy.deviation(of: last, from: expected.prediction) < 0.02)
        }
    }

    @Test func `What there is of a chunk is in the robot's units, and finite`() throws {
        let policy = try policy()
        let sample = policy.interim.sample
        func claim(_ value: Float) throws -> ActionChunk? {
            let x0 = [Float](repeating: value, count: 16)
            sample.open(from: 0)
            sample.offer(
                x0.span,
                of: 3,
                frozen: [FrozenElements(sampleSize: 16)],
                as: [
                    SamplingReport(
                        parallelIterations: 5,
                        modelEvaluations: 5,
                        method: .sequential,
                        window: 1,
                        residual: 0,
                        quality: .coarse(steps: 2)
                    )
                ],
                samples: 1
            )
            return policy.interim.claim()
        }
        let middle = try #require(try claim(0))
        let top = try #require(try claim(1))
        #expect(middle.report.quality == .coarse(steps: 2))
        #expect(top.actions == Array(top.prediction[2..<10]))
        #expect(abs(policy.deviation(of: top.prediction, from: middle.prediction) - 1) < 1e-5)
        #expect(try claim(.nan) == nil)
        #expect(try claim(.infinity) == nil)
        #expect(policy.interim.claim() == nil, "it has been claimed")
    }

    @Test func `A chunk from a guess is within its tolerance, and the one after it the same as ever`() throws
    {
        let tolerance: Float = 0.01
        var settings = SamplerSettings(solver: .ddpm, numInferenceSteps: 20)
        let reference = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
        settings.method = .quasiNewton(window: 8, tolerance: tolerance)
        let policy = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
        let expected = try reference.sample(request(5)).prediction
        let cold = try policy.sample(request(5))

        for elapsedSteps in [0, 3, 7] {
            let guess = SamplingRequest.Guess(from: expected, elapsedSteps: elapsedSteps)
            let warm = try policy.sample(request(5, guess: guess))
            #expect(warm.prediction != cold.prediction)
            #expect(policy.deviation(of: warm.prediction, from: expected) <= 4 * tolerance)
            let next = try policy.sample(request(5))
            #expect(next.prediction == cold.prediction)
            #expect(next.report == cold.report)
        }
        // A prediction that has run out says nothing of what comes.
        for elapsedSteps in [-1, 8, .max] {
            let guess = SamplingRequest.Guess(from: expected, elapsedSteps: elapsedSteps)
            #expect(try policy.sample(request(5, guess: guess)).prediction == cold.prediction)
        }
    }

    private func warmPolicy(
        _ method: SamplerSettings.Method,
        kernel: Kernel = .exact,
        maximumGroup: Int = 1
    ) throws -> DiffusionPolicy {
        try DiffusionPolicy(
            bundle: bundle,
            settings: SamplerSettings(solver: .ddpm, numInferenceSteps: 20, method: method, warmSteps: 5),
            threads: 1,
            kernel: kernel,
            maximumGroup: maximumGroup
        )
    }

    @Test(arguments: [SamplerSettings.Method.sequential, .quasiNewton(window: 3, tolerance: 0.01)])
    func `A chunk from a re-noised guess takes the last steps, and the one after it is the same as ever`(
        method: SamplerSettings.Method
    ) throws {
        let policy = try warmPolicy(method)
        let cold = try policy.sample(request(5))
        #expect(cold.report.quality == (method == .sequential ? .exact : .converged))
        let guess = SamplingRequest.Guess(from: cold.prediction, elapsedSteps: 3)
        let warm = try policy.sample(request(6, guess: guess))
        #expect(warm.report.quality == .warm)
        #expect(warm.report.window == cold.report.window)
        #expect(warm.passes.first?.steps.lowerBound == 15)
        if method == .sequential { #expect(warm.report.modelEvaluations == 5) }
        #expect(warm.prediction != (try policy.sample(request(6))).prediction)
        // It depends on seed, observations and guess alone.
        #expect(try policy.sample(request(5)).prediction == cold.prediction)
        #expect(try policy.sample(request(6, guess: guess)).prediction == warm.prediction)
        // A prediction that has run out says nothing of what comes.
        for elapsedSteps in [-1, 8, .max] {
            let old = SamplingRequest.Guess(from: cold.prediction, elapsedSteps: elapsedSteps)
            let chunk = try policy.sample(request(5, guess: old))
            #expect(chunk.prediction == cold.prediction && chunk.report == cold.report)
        }
    }

    /// One step from the end there is hardly any noise: the chunk is nearly the guess, shifted, its last action repeated.
    @Test func `A re-noised guess is shifted by the steps that have passed`() throws {
        let policy = try DiffusionPolicy(
            bundle: bundle,
            settings: SamplerSettings(solver: .ddim, numInferenceSteps: 20, warmSteps: 1),
            threads: 1
        )
        let last = try policy.sample(request(5)).prediction
        let guess = SamplingRequest.Guess(from: last, elapsedSteps: 3)
        let warm = try policy.sample(request(6, guess: guess)).prediction
        let shifted = (0..<8).flatMap { row in
            (0..<2).map { last[min(row + 3, 7) * 2 + $0] }
        }
        #expect(policy.deviation(of: warm, from: shifted) < 0.5)
        #expect(policy.deviation(of: warm, from: last) > policy.deviation(of: warm, from: shifted))
    }

    @Test func `Frozen actions are in a chunk from a re-noised guess`() throws {
        let policy = try warmPolicy(.sequential)
        let last = try policy.sample(request(5)).prediction
        let guess = SamplingRequest.Guess(from: last, elapsedSteps: 2)
        let other = try policy.sample(request(9)).prediction
        let frozen = FrozenActions(Array(other[2..<6]), firstRow: 1)
        let chunk = try policy.sample(request(6, frozen: frozen, guess: guess))
        #expect(chunk.report.quality == .warm)
        #expect(policy.deviation(of: Array(chunk.prediction[2..<6]), from: frozen.actions) < 1e-5)
        #expect(chunk.prediction != (try policy.sample(request(6, guess: guess))).prediction)
    }

    @Test(arguments: [SamplerSettings.Method.sequential, .quasiNewton(window: 3, tolerance: 0.01)])
    func `Chunks that start from a guess and those that do not are sampled together`(
        method: SamplerSettings.Method
    ) throws {
        let together = try warmPolicy(method, maximumGroup: 4)
        let alone = try warmPolicy(method)
        let requests = try groupRequests(4, of: alone, seed: 31)
        for (request, chunk) in zip(requests, together.sample(together: requests)) {
            let chunk = try chunk.get()
            let expected = try alone.sample(request)
            #expect((chunk.report.quality == .warm) == (request.guess != nil))
            #expect(chunk.prediction == expected.prediction && chunk.report == expected.report)
            #expect(chunk.passes.map(\.steps) == expected.passes.map(\.steps))
        }
    }

    /// In the robot's units the first dimension spans 512, the second 6: one normalised unit is half of that.
    @Test func `Deviations are in normalised units`() throws {
        let policy = try policy()
        let scales = bundle.normalizer.actionUnnormalization.scale
        let reference = try policy.sample(request(1)).prediction
        #expect(policy.deviation(of: reference, from: reference) == 0)
        for (index, dimension) in [(0, 0), (1, 1), (14, 0), (15, 1)] {
            var moved = reference
            moved[index] += Float(0.25 * scales[dimension])
            #expect(abs(policy.deviation(of: moved, from: reference) - 0.25) < 1e-4)
            #expect(abs(policy.deviation(of: reference, from: moved) - 0.25) < 1e-4)
            // The largest counts.
            moved[(index + 2) % 16] += Float(0.5 * scales[dimension])
            #expect(abs(policy.deviation(of: moved, from: reference) - 0.5) < 1e-4)
        }
    }

    @Test(arguments: [
        SamplerSettings.Method.sequential, .paradigms(window: 3, tolerance: 0.1),
        .quasiNewton(window: 3, tolerance: 0.01),
    ])
    func `A deadline is for a policy that keeps them`(method: SamplerSettings.Method) throws {
        var settings = bundle.configuration.defaultSettings
        settings.method = method
        let careless = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
        let punctual = try DiffusionPolicy(
            bundle: bundle,
            settings: settings,
            threads: 1,
            keepsDeadlines: true
        )
        let past = MonotonicTime.now() - .seconds(1)
        let complete = try careless.sample(request(2))
        #expect(
            try careless.sample(request(2, deadline: past)).prediction == complete.prediction
        )

        let coarse = try punctual.sample(request(2, deadline: past))
        #expect(coarse.report.quality == .coarse(steps: 1))
        #expect(coarse.prediction.allSatisfy { $0.isFinite })
        #expect(coarse.prediction != complete.prediction)

        let unhurried = try punctual.sample(request(2, deadline: .now() + .seconds(3600)))
        #expect(unhurried.prediction == complete.prediction)
        #expect(unhurried.report == complete.report)
        #expect(try punctual.sample(request(2)).prediction == complete.prediction)
    }

    @Test func `Policies around one network sample as if it were their own`() throws {
        let network = try bundle.network(
            timesteps: Array(0..<bundle.configuration.numTrainTimesteps),
            maximumBatch: 20,
            threads: 1
        )
        let methods: [SamplerSettings.Method] = [
            .sequential, .paradigms(window: 4, tolerance: 0.1), .quasiNewton(window: 4, tolerance: 0.01),
        ]
        var expected: [[Float]] = []
        var sharing: [DiffusionPolicy] = []
        for method in methods {
            let settings = SamplerSettings(solver: .ddpm, numInferenceSteps: 20, method: method)
            sharing.append(try DiffusionPolicy(bundle: bundle, settings: settings, network: network))
            let alone = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
            expected.append(try alone.sample(request(6)).prediction)
        }
        for _ in 0..<2 {
            for (policy, expected) in zip(sharing, expected) {
                #expect(try policy.sample(request(6)).prediction == expected)
            }
        }
    }

    static let kernels = Backend.available.flatMap { backend in
        backend.precisions.compactMap { Kernel(backend, precision: $0) }
    }
    static let methods: [SamplerSettings.Method] = [
        .sequential, .quasiNewton(window: 3, tolerance: 0.01), .paradigms(window: 3, tolerance: 0.1),
    ]

    /// Requests of robots that have seen something else each. Every third has frozen actions, every other one a guess.
    private func groupRequests(_ count: Int, of policy: DiffusionPolicy, seed: UInt64) throws
        -> [SamplingRequest]
    {
        let last = try policy.sample(request(seed)).prediction
        return try (0..<count).map { index in
            let values = bundle.middleObservation.values.mapValues { $0.map { $0 + 0.1 * Float(index) } }
            var history = policy.makeHistory()
            try history.append(Observation(values: values))
            return SamplingRequest(
                history: history,
                noise: .seed(seed + UInt64(index)),
                frozen: index.isMultiple(of: 3) ? FrozenActions(Array(last[2..<6]), firstRow: 1) : nil,
                guess: index.isMultiple(of: 2) ? SamplingRequest.Guess(from: last, elapsedSteps: 1) : nil
            )
        }
    }

    /// That a robot's chunk does not depend on who else asks rests on this. BLAS rounds otherwise in a larger batch, which a method
    /// that leaves steps out may make more of.
    @Test(arguments: kernels, methods)
    func `Chunks that are sampled together are those that are sampled alone`(
        kernel: Kernel,
        method: SamplerSettings.Method
    ) throws {
        var settings = bundle.configuration.defaultSettings
        settings.method = method
        func policy(maximumGroup: Int) throws -> DiffusionPolicy {
            try DiffusionPolicy(
                bundle: bundle,
                settings: settings,
                threads: 1,
                kernel: kernel,
                maximumGroup: maximumGroup
            )
        }
        let together = try policy(maximumGroup: 8)
        let alone = try policy(maximumGroup: 1)
        #expect(together.maximumGroup == 8 && alone.maximumGroup == 1)
        #expect(together.groupsChangeNoBit == (kernel.backend != .openBLAS))
        for count in 1...8 {
            let requests = try groupRequests(count, of: alone, seed: UInt64(40 * count))
            let chunks = together.sample(together: requests)
            #expect(chunks.count == count)
            for (request, chunk) in zip(requests, chunks) {
                let chunk = try chunk.get()
                let expected = try alone.sample(request)
                if together.groupsChangeNoBit {
                    #expect(chunk.prediction == expected.prediction, "\(count) chunks")
                    #expect(chunk.report == expected.report, "\(count) chunks")
                } else {
                    let limit = max(4 * method.tolerance, 1e-4)
                    #expect(together.deviation(of: chunk.prediction, from: expected.prediction) < limit)
                    #expect(chunk.report.quality == expected.report.quality)
                }
                #expect(chunk.actions.count == expected.actions.count)
            }
        }
    }

    @Test(arguments: methods)
    func `Chunks of a group are ready when the first of them is due`(method: SamplerSettings.Method) throws {
        var settings = bundle.configuration.defaultSettings
        settings.method = method
        let policy = try DiffusionPolicy(
            bundle: bundle,
            settings: settings,
            threads: 1,
            keepsDeadlines: true,
            maximumGroup: 5
        )
        var requests = try groupRequests(5, of: policy, seed: 7)
        requests[1].deadline = .now() + .seconds(3_600)
        let free = policy.sample(together: requests)
        for chunk in free {
            #expect(try chunk.get().report.quality == (method == .sequential ? .exact : .converged))
        }
        requests[3].deadline = .now() - .seconds(1)
        let hurried = policy.sample(together: requests)
        for chunk in hurried { #expect(try chunk.get().report.quality == .coarse(steps: 1)) }
        // The next one is not disturbed by the group before it.
        requests[3].deadline = nil
        for (chunk, expected) in zip(policy.sample(together: requests), free) {
            #expect(try chunk.get().prediction == expected.get().prediction)
        }
    }

    @Test
    func `Each chunk of a group has its request's noise, and a request that is refused disturbs no other`()
        throws
    {
        let policy = try DiffusionPolicy(
            bundle: bundle,
            settings: bundle.configuration.defaultSettings,
            threads: 1,
            maximumGroup: 4
        )
        var noise = [Float](repeating: 0, count: policy.noiseCount)
        var generator = GaussianNoise(seed: 7)
        var span = noise.mutableSpan
        generator.fill(&span)
        let given = SamplingRequest(history: history, noise: .given(noise))
        let chunks = policy.sample(together: [request(3), given, request(7)])
        #expect(try chunks[1].get().prediction == chunks[2].get().prediction)
        #expect(try chunks[0].get().prediction != chunks[1].get().prediction)

        let unseen = SamplingRequest(history: policy.makeHistory(), noise: .seed(3))
        noise.removeLast()
        let short = SamplingRequest(history: history, noise: .given(noise))
        let partly = policy.sample(together: [unseen, request(3), short, request(7)])
        #expect(throws: ActionChunkError.emptyHistory) { try partly[0].get() }
        #expect(try partly[1].get().prediction == chunks[0].get().prediction)
        #expect(throws: ActionChunkError.noiseCount(found: 95, expected: 96)) { try partly[2].get() }
        #expect(try partly[3].get().prediction == chunks[2].get().prediction)
        let refused = policy.sample(together: [short, unseen])
        #expect(throws: ActionChunkError.noiseCount(found: 95, expected: 96)) { try refused[0].get() }
        #expect(throws: ActionChunkError.emptyHistory) { try refused[1].get() }
    }

    @Test func `A guess that is no prediction is refused, and the next chunk knows nothing of it`() throws {
        let policy = try policy(.quasiNewton(window: 3, tolerance: 0.01))
        let cold = try policy.sample(request(4)).prediction
        let other = try policy.sample(request(5)).prediction
        let short = SamplingRequest.Guess(from: [1, 2], elapsedSteps: 1)
        #expect(throws: ActionChunkError.guessCount(found: 2, expected: 16)) {
            try policy.sample(request(4, guess: short))
        }
        var wild = SamplingRequest.Guess(from: other, elapsedSteps: 1)
        wild.prediction[3] = .infinity
        #expect(
            throws: ActionChunkError.notFinite(what: "prediction to guess from", index: 3, value: .infinity)
        ) {
            try policy.sample(request(4, guess: wild))
        }
        // Nor of a good one of a request that failed.
        #expect(throws: ActionChunkError.emptyHistory) {
            try policy.sample(
                SamplingRequest(
                    history: policy.makeHistory(),
                    noise: .seed(4),
                    guess: .init(from: other, elapsedSteps: 0)
                )
            )
        }
        #expect(try policy.sample(request(4)).prediction == cold)
    }

    @Test func `An empty history and wrong noise are errors`() throws {
        let policy = try policy()
        #expect(throws: ActionChunkError.emptyHistory) {
            try policy.sample(SamplingRequest(history: bundle.makeHistory(), noise: .seed(1)))
        }
        let short = [Float](repeating: 0, count: 95)
        #expect(throws: ActionChunkError.noiseCount(found: 95, expected: 96)) {
            try policy.sample(SamplingRequest(history: history, noise: .given(short)))
        }
        var wild = [Float](repeating: 0, count: 96)
        wild[7] = .infinity
        #expect(throws: ActionChunkError.notFinite(what: "noise", index: 7, value: .infinity)) {
            try policy.sample(SamplingRequest(history: history, noise: .given(wild)))
        }
    }

    @Test func `An observation that normalises to infinity is an error, and the policy goes on`() throws {
        let policy = try policy()
        let before = try policy.sample(request(1))
        var history = bundle.makeHistory()
        try history.append(
            Observation(values: [
                "observation.state": [100, -2.75], "observation.environment_state": [0, 3e38, 0],
            ])
        )
        let error = try #require(throws: ActionChunkError.self) {
            try policy.sample(SamplingRequest(history: history, noise: .seed(1)))
        }
        #expect(error.description == "normalised observation: inf at index 3; expected finite numbers")
        #expect(try policy.sample(request(1)).prediction == before.prediction)
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
        let quasiNewton = SamplerSettings.Method.quasiNewton(window: nil, tolerance: -1)
        #expect(
            try error(SamplerSettings(solver: .ddim, numInferenceSteps: 5, method: quasiNewton)).description
                .contains("tolerance is -1")
        )
        #expect(try error(bundle.configuration.defaultSettings, threads: 0).field == "threads")
    }

    @Test func `Every solver answers`() throws {
        for solver in Solver.allCases {
            let settings = SamplerSettings(solver: solver, numInferenceSteps: 20)
            let policy = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 1)
            let chunk = try policy.sample(request(1))
            // The samples are clipped to [-1, 1], which is the range of the actions seen in training.
            #expect(chunk.actions.allSatisfy { (-100...700).contains($0) }, "\(solver): \(chunk.actions)")
        }
    }
}
